/// A LIKE pattern: `%` any text, `_` one character, both also across line feeds; whole values, compared as UTF-8.
struct SQLLike {
    private enum Part {
        case byte(UInt8)
        case character
        case anything
    }
    private let parts: [Part]

    /// - Parameter escape: one ASCII character before a `%`, `_` or itself that means just that.
    init(pattern: [UInt8], escape: [UInt8]?) throws(SQLRunError) {
        var parts: [Part] = []
        if let escape, escape.count != 1 {
            throw SQLRunError(
                String(decoding: escape, as: UTF8.self).unicodeScalars.count == 1
                    ? "An escape character outside ASCII is not supported by the local engine"
                    : "Escape string must be a single character"
            )
        }
        var isEscaped = false
        for byte in pattern {
            if isEscaped {
                guard byte == UInt8(ascii: "%") || byte == UInt8(ascii: "_") || byte == escape?[0] else {
                    throw Self.badEscape
                }
                parts.append(.byte(byte))
                isEscaped = false
            } else if byte == escape?[0] {
                isEscaped = true
            } else if byte == UInt8(ascii: "%") {
                if case .anything = parts.last { continue }
                parts.append(.anything)
            } else if byte == UInt8(ascii: "_") {
                parts.append(.character)
            } else {
                parts.append(.byte(byte))
            }
        }
        guard !isEscaped else { throw Self.badEscape }
        self.parts = parts
    }

    private static let badEscape = SQLRunError(
        "Escape character must be followed by '%', '_' or the escape character itself"
    )

    /// As `matches`, within bounds: nothing can stop a comparison that has begun.
    ///
    /// - Throws: for texts so long, and none that is stored is, that the worst case would take a second.
    func matches(bounded value: [UInt8]) throws(SQLRunError) -> Bool {
        guard value.count * min(value.count, self.parts.count) <= 1 << 26 else {
            throw SQLRunError("LIKE of texts as long as these is not supported by the local engine")
        }
        return self.matches(value)
    }

    /// Needs time in proportion to the lengths of value and pattern at worst multiplied: only the last `%` is tried again.
    func matches(_ value: [UInt8]) -> Bool {
        var part = 0
        var index = 0
        var retry: (part: Int, index: Int)?
        while index < value.count || part < self.parts.count {
            if part < self.parts.count {
                switch self.parts[part] {
                case .anything:
                    part += 1
                    retry = (part, index)
                    continue
                case .byte(let byte) where index < value.count && value[index] == byte:
                    part += 1
                    index += 1
                    continue
                case .character where index < value.count:
                    part += 1
                    index = Self.end(ofCharacterAt: index, in: value)
                    continue
                default: break
                }
            }
            guard let last = retry, last.index < value.count else { return false }
            retry = (last.part, Self.end(ofCharacterAt: last.index, in: value))
            part = last.part
            index = Self.end(ofCharacterAt: last.index, in: value)
        }
        return true
    }

    private static func end(ofCharacterAt start: Int, in value: [UInt8]) -> Int {
        var end = start + 1
        while end < value.count, value[end] & 0xC0 == 0x80 { end += 1 }
        return end
    }
}
