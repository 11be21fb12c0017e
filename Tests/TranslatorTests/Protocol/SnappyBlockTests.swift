import TestSupport
import Testing

@testable import Translator

@Suite("Snappy blocks")
struct SnappyBlockTests {
    private func fault(_ block: [UInt8], limitBytes: Int = 1 << 20) -> ProtocolError? {
        do throws(ProtocolError) {
            _ = try SnappyBlock.decode(block, limitBytes: limitBytes)
            return nil
        } catch {
            return error
        }
    }

    @Test(
        "what is encoded is decoded, of every size",
        arguments: [0, 1, 59, 60, 61, 255, 256, 65_535, 65_536, 300_000]
    )
    func roundTrip(count: Int) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let noise = (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let text = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 100) }
        for bytes in [noise, text] {
            #expect(try SnappyBlock.decode(SnappyBlock.encode(bytes), limitBytes: count) == bytes)
        }
    }

    @Test("blocks made by hand: literals, and copies that overlap themselves")
    func elements() throws {
        #expect(try SnappyBlock.decode([0x00], limitBytes: 0).isEmpty)
        #expect(try SnappyBlock.decode([0x03, 0x08, 0x61, 0x62, 0x63], limitBytes: 3) == Array("abc".utf8))
        // "ab", then eight bytes from two back.
        #expect(
            try SnappyBlock.decode([0x0A, 0x04, 0x61, 0x62, 0x11, 0x02], limitBytes: 10) == Array("ababababab".utf8)
        )
    }

    @Test("a declared size over the limit is refused before it is decoded")
    func limit() {
        #expect(
            self.fault([0x80, 0x80, 0x80, 0x80, 0x0F], limitBytes: 100)
                == .decodedTooLarge(declared: 0xF000_0000, limitBytes: 100)
        )
        #expect(self.fault([0x04, 0x0C, 1, 2, 3, 4], limitBytes: 3) == .decodedTooLarge(declared: 4, limitBytes: 3))
        #expect(self.fault([0x04, 0x0C, 1, 2, 3, 4], limitBytes: 4) == nil)
    }

    @Test("empty, framed and corrupt bodies are told apart")
    func malformed() {
        #expect(self.fault([]) == .emptyBody)
        let framed: [UInt8] = [0xFF, 0x06, 0x00, 0x00, 0x73, 0x4E, 0x61, 0x50, 0x70, 0x59, 0x01]
        #expect(self.fault(framed) == .malformedSnappy(framed: true))
        let corrupt: [[UInt8]] = [
            [0xFF], [0x05, 0x00, 0x61], [0x02, 0x00, 0x61, 0x00, 0x62, 0x00, 0x63], [0x04, 0x11, 0x02],
            [0x05, 0x00, 0x61, 0x01, 0x00], [0x05, 0x00, 0x61, 0x01, 0x02], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        ]
        for block in corrupt { #expect(self.fault(block) == .malformedSnappy(framed: false), "\(block)") }
    }

    @Test("a block that is cut short is corrupt")
    func truncated() {
        let block = SnappyBlock.encode(Array("a remote write body, a remote write body, a remote write body".utf8))
        for count in 1..<block.count {
            #expect(self.fault(Array(block.prefix(count))) == .malformedSnappy(framed: false))
        }
    }
}
