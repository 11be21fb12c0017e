extension Parser {
    /// `\d`, `\D`, `\s`, `\S`, `\w`, `\W`, `\p…` or `\P…` at `position`, inside or outside a class.
    ///
    /// - Returns: nil, and nothing read, if it is another escape or none.
    mutating func parseClassEscape() throws(RegularExpressionError) -> ScalarSet? {
        guard self.peek() == "\\", let letter = self.peek(1) else { return nil }
        let set: ScalarSet
        switch letter {
        case "d", "D": set = .digits
        case "s", "S": set = .whitespace
        case "w", "W": set = .wordCharacters
        case "p", "P": return try self.parseProperty()
        default: return nil
        }
        self.position += 2
        // Folding comes before negation: under `(?i)`, `\W` has neither U+017F nor U+212A.
        let folded = self.flags.foldsCase ? CaseFolding.closure(set) : set
        return ("A"..."Z").contains(letter) ? folded.complement : folded
    }

    /// `\pN`, `\p{Name}`, `\p{^Name}`, or the complements with `\P`.
    private mutating func parseProperty() throws(RegularExpressionError) -> ScalarSet {
        let start = self.position
        var isNegated = self.peek(1) == "P"
        self.position += 2
        var name: String
        if self.peek() == "{" {
            guard let end = self.find("}", from: start) else {
                throw self.error(.invalidClassRange, from: start, to: self.text.count)
            }
            name = self.string((start + 3)..<end)
            self.position = end + 1
        } else {
            name = self.next().map { String($0) } ?? ""
        }
        if name.unicodeScalars.first == "^" {
            name.unicodeScalars.removeFirst()
            isNegated.toggle()
        }
        guard let set = UnicodeProperty.set(name, foldsCase: self.flags.foldsCase) else {
            throw self.error(.invalidClassRange, from: start)
        }
        return isNegated ? set.complement : set
    }

    /// An escape that stands for one character.
    ///
    /// - Returns: its code point, which may be a surrogate: `\x{D800}` is allowed, and matches nothing.
    mutating func parseEscape() throws(RegularExpressionError) -> UInt32 {
        let start = self.position
        self.position += 1
        guard let scalar = self.next() else { throw self.error(.trailingBackslash, from: start) }
        switch scalar {
        case "0", "1", "2", "3", "4", "5", "6", "7":
            // A single digit but zero would be a backreference.
            guard scalar == "0" || self.peek().flatMap(Self.octalDigit) != nil else { break }
            var value = scalar.value - 0x30
            for _ in 0..<2 {
                guard let digit = self.peek().flatMap(Self.octalDigit) else { break }
                value = value * 8 + digit
                self.position += 1
            }
            return value
        case "x":
            guard let value = self.parseHexadecimal() else { break }
            return value
        case "a": return 0x07
        case "f": return 0x0C
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "v": return 0x0B
        default:
            if scalar.isASCII, scalar == "_" || !ScalarSet.wordCharacters.contains(scalar.value) {
                return scalar.value
            }
        }
        throw self.error(.invalidEscape, from: start)
    }

    /// What follows `\x`: two digits, or any number of them in braces.
    private mutating func parseHexadecimal() -> UInt32? {
        guard let first = self.next() else { return nil }
        guard first == "{" else {
            let second = self.next()
            guard let high = Self.hexadecimalDigit(first), let low = second.flatMap(Self.hexadecimalDigit) else {
                return nil
            }
            return high * 16 + low
        }
        var value: UInt32?
        while let scalar = self.next() {
            if scalar == "}" { return value }
            guard let digit = Self.hexadecimalDigit(scalar) else { return nil }
            let sum = (value ?? 0) * 16 + digit
            guard sum <= ScalarSet.maximum else { return nil }
            value = sum
        }
        return nil
    }

    private static func octalDigit(_ scalar: Unicode.Scalar) -> UInt32? {
        ("0"..."7").contains(scalar) ? scalar.value - 0x30 : nil
    }

    private static func hexadecimalDigit(_ scalar: Unicode.Scalar) -> UInt32? {
        switch scalar {
        case "0"..."9": scalar.value - 0x30
        case "A"..."F": scalar.value - 0x41 + 10
        case "a"..."f": scalar.value - 0x61 + 10
        default: nil
        }
    }
}
