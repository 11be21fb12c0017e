import Testing

@testable import Translator

@Suite("Hashing and comparing bytes in place")
struct RawSpanHashTests {
    @Test("equal bytes hash and compare alike wherever they stand; other bytes or lengths do not")
    func positions() {
        var generator = SystemRandomNumberGenerator()
        for count in 0..<40 {
            let text = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            for offset in 0..<9 {
                let padded = [UInt8](repeating: 0xAA, count: offset) + text + [0xAA, 0xAA, 0xAA]
                let range = offset..<offset + count
                let plain = text.span.bytes
                let moved = padded.span.bytes
                // Bound first: #expect cannot capture a span.
                let hash = moved.hash(range, seed: 5)
                let isSame = moved.hasSameBytes(range, as: 0..<count, of: plain)
                let isLongerSame = moved.hasSameBytes(offset..<offset + count + 1, as: 0..<count, of: plain)
                let plainHash = plain.hash(0..<count, seed: 5)
                let otherHash = plain.hash(0..<count, seed: 6)
                #expect(hash == plainHash)
                #expect(hash != otherHash)
                #expect(isSame && !isLongerSame)
            }
        }
    }

    @Test("every byte counts", arguments: 1..<40)
    func everyByte(count: Int) {
        let text = [UInt8](repeating: 7, count: count)
        let original = text.span.bytes
        for index in text.indices {
            var other = text
            other[index] ^= 0x80
            let changed = other.span.bytes
            let hashes = [changed.hash(0..<count, seed: 1), original.hash(0..<count, seed: 1)]
            let isSame = changed.hasSameBytes(0..<count, as: 0..<count, of: original)
            #expect(hashes[0] != hashes[1])
            #expect(!isSame)
        }
    }

    @Test("zeros at the end and the cut between two ranges change the hash")
    func lengths() {
        let zeros = [UInt8](repeating: 0, count: 32)
        let span = zeros.span.bytes
        var hashes: Set<UInt64> = []
        var cuts: Set<UInt64> = []
        for count in 0...32 {
            hashes.insert(span.hash(0..<count, seed: 3))
            cuts.insert(span.hash(count..<32, seed: span.hash(0..<count, seed: 3)))
        }
        #expect(hashes.count == 33)
        #expect(cuts.count == 33)
    }
}
