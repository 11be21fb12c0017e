extension SyntaxTree {
    /// How every match begins.
    private struct Beginning {
        var bytes: [UInt8] = []
        /// Whether the match is these bytes and no more.
        var isWhole = true

        mutating func append(_ next: Self) {
            self.bytes += next.bytes
            self.isWhole = next.isWhole
        }

        /// Keeps at most `count` bytes, and no part of a character.
        mutating func cut(to count: Int) {
            var count = count
            while count > 0, count < self.bytes.count, self.bytes[count] & 0xC0 == 0x80 {
                count -= 1
            }
            self.bytes.removeSubrange(count...)
            self.isWhole = false
        }
    }

    /// Longer prefixes are cut: no label value that could be stored is longer.
    private static let prefixLimit = 4096

    /// The characters that every match starts with, as UTF-8.
    ///
    /// Whole characters only: the bytes that the characters of a class share would not be text by themselves.
    func literalPrefix() -> [UInt8] {
        var known: [Beginning] = []
        known.reserveCapacity(self.nodes.count)
        for node in self.nodes {
            var beginning = Beginning()
            switch node {
            case .empty, .assertion:
                break
            case .nothing, .set, .literal(ScalarSet.replacement):
                beginning.isWhole = false
            case .literal(let scalar):
                appendUTF8(scalar, to: &beginning.bytes)
            case .sequence(let children):
                for child in children where beginning.isWhole {
                    beginning.append(known[child])
                }
                children.forEach { known[$0].bytes = [] }
            case .alternatives(let children):
                beginning = Self.common(children.map { known[$0] })
                children.forEach { known[$0].bytes = [] }
            case .repeated(let child, let minimum, let maximum):
                for _ in 0..<minimum where beginning.isWhole {
                    beginning.append(known[child])
                }
                beginning.isWhole = beginning.isWhole && minimum == maximum
                known[child].bytes = []
            case .group(let child):
                beginning = known[child]
            }
            if beginning.bytes.count > Self.prefixLimit {
                beginning.cut(to: Self.prefixLimit)
            }
            known.append(beginning)
        }
        return known.last?.bytes ?? []
    }

    private static func common(_ beginnings: [Beginning]) -> Beginning {
        guard var result = beginnings.first else { return Beginning() }
        for other in beginnings.dropFirst() {
            let shared = zip(result.bytes, other.bytes).prefix { $0 == $1 }.count
            if shared < max(result.bytes.count, other.bytes.count) {
                result.cut(to: shared)
            }
            result.isWhole = result.isWhole && other.isWhole
        }
        return result
    }
}
