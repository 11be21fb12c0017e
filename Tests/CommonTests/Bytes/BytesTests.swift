import Synchronization
import Testing

@testable import Common

@Suite("Bytes as text and bytes that never change")
struct BytesTests {
    @Test(
        "hexadecimal digits are lower case, two a byte",
        arguments: [
            ([], ""), ([0], "00"), ([0x0F, 0xF0], "0ff0"), ([0xDE, 0xAD, 0xBE, 0xEF], "deadbeef"), ([255], "ff"),
        ] as [([UInt8], String)]
    )
    func digits(bytes: [UInt8], expected: String) {
        #expect(hexadecimal(bytes) == expected)
    }

    @Test("every byte reads back from its digits")
    func everyByte() {
        for byte in UInt8.min ... .max { #expect(UInt8(hexadecimal([byte]), radix: 16) == byte) }
    }

    @Test("constant-time comparison tells equal from different at every place")
    func constantTime() {
        let bytes = Array(UInt8(0)..<64)
        #expect(constantTimeEqual(bytes, bytes))
        #expect(constantTimeEqual([], []))
        #expect(!constantTimeEqual(bytes, Array(bytes.dropLast())))
        #expect(!constantTimeEqual([], [0]))
        for index in bytes.indices {
            for bit in 0..<8 {
                var other = bytes
                other[index] ^= 1 << UInt8(bit)
                #expect(!constantTimeEqual(bytes, other))
            }
        }
        // Two differences that would cancel each other in a sum.
        #expect(!constantTimeEqual([1, 2], [2, 1]))
    }

    @Test(
        "SHA-256 of the published examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ]
    )
    func digests(text: String, expected: String) {
        #expect(hexadecimal(sha256(Array(text.utf8))) == expected)
    }

    @Test("frozen bytes are a copy, at one address, of any length", arguments: [0, 1, 15, 16, 17, 100_000])
    func frozen(count: Int) {
        var source = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let frozen = FrozenBytes(source)
        let expected = source
        for index in source.indices { source[index] = 0 }
        #expect(frozen.count == count)
        #expect(frozen.array == expected)
        let addresses = (0..<2).map { _ in frozen.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } }
        #expect(addresses[0] == addresses[1])
    }

    @Test("frozen bytes can be read by several tasks at once, and an error of the reader comes through")
    func sharing() async {
        let frozen = FrozenBytes(Array(repeating: 7, count: 1000))
        let sums = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<4 { group.addTask { frozen.withUnsafeBytes { $0.reduce(0) { $0 + Int($1) } } } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(sums == [7000, 7000, 7000, 7000])
        #expect(throws: CancellationError.self) {
            try frozen.withUnsafeBytes { _ throws(CancellationError) in throw CancellationError() }
        }
    }
}
