import Foundation
import Glibc
import Testing

@testable import Common

@Suite("A secret", .serialized)
// One after the other: a search through memory copies what another one looks for.
struct SecretTests {
    @Test("shows nothing of itself in any text form, alone or inside something else")
    func textForms() {
        struct Holder {
            var name = "name"
            var key = Secret("HUSH-HUSH")
            var optional: Secret? = Secret("HUSH-HUSH")
            var list = [Secret("HUSH-HUSH")]
            var byName = ["a": Secret("HUSH-HUSH")]
        }
        let secret = Secret("HUSH-HUSH")
        var dumped = ""
        dump(secret, to: &dumped)
        dump(Holder(), to: &dumped)
        dump(SecretMemory(Array("HUSH-HUSH".utf8)), to: &dumped)
        for text in [
            "\(secret)", String(describing: secret), String(reflecting: secret), "\(Holder())",
            String(reflecting: Holder()), "\(Mirror(reflecting: secret).children.map { $0 })", dumped,
        ] {
            #expect(!text.contains("HUSH"))
            // Nor as a list of bytes.
            #expect(!text.contains("72, 85"))
        }
        #expect("\(secret)" == "<secret>" && String(reflecting: [secret]) == "[<secret>]")
    }

    @Test("is what was put in, whatever the bytes are", arguments: ["", "a", "é\u{0}\u{7F}", "0123456789abcdef0123"])
    func value(text: String) {
        let secret = Secret(text)
        #expect(secret.revealed == text)
        #expect(secret.isEmpty == text.isEmpty)
        #expect(unsafe secret.withUnsafeBytes { unsafe Array($0) } == Array(text.utf8))
        #expect(secret == Secret(bytes: Array(text.utf8)[...]))
    }

    @Test("equals what holds the same, and is found among others by it")
    func equality() {
        let words = ["", "a", "b", "ab", "aba", "abb"]
        for (index, left) in words.enumerated() {
            for (other, right) in words.enumerated() { #expect((Secret(left) == Secret(right)) == (index == other)) }
        }
        let numbers = Dictionary(uniqueKeysWithValues: words.enumerated().map { (Secret($1), $0) })
        #expect(numbers[Secret("ab")] == 3 && numbers[Secret("ba")] == nil)
    }

    /// The first byte is none that memory is full of.
    private static func disguised() -> [UInt8] { [0x42] + (0..<63).map { _ in UInt8.random(in: .min ... .max) } }

    @Test("is nowhere in the process' memory once it is let go of; another copy keeps it")
    func overwritten() throws {
        // The bytes that are looked for lie nowhere but in the secret: here they are kept in disguise.
        let disguised = Self.disguised()
        func count() throws -> Int { try OwnMemory.count(of: disguised, mask: 0xA5) }
        var first: Secret? = Secret(bytes: disguised.lazy.map { $0 ^ 0xA5 })
        var second = first
        #expect(try count() == 1)
        first = nil
        #expect(try count() == 1)
        #expect(second != nil)
        second = nil
        #expect(try count() == 0)
    }

    @Test("bytes that are overwritten are nowhere in the process' memory")
    func overwrittenArray() throws {
        let disguised = Self.disguised()
        var bytes = [UInt8](repeating: 0, count: disguised.count)
        for index in bytes.indices { bytes[index] = disguised[index] ^ 0x5A }
        #expect(try OwnMemory.count(of: disguised, mask: 0x5A) == 1)
        bytes.overwrite()
        #expect(bytes.isEmpty)
        #expect(try OwnMemory.count(of: disguised, mask: 0x5A) == 0)
        bytes.overwrite()
        #expect(bytes.isEmpty)
    }
}

/// The memory of this process, searched through.
private enum OwnMemory {
    private static let chunkBytes = 1 << 20

    /// How often some bytes lie in memory that can be written, without what the search itself needs.
    ///
    /// - Parameter mask: what each byte of `disguised` was combined with by exclusive or.
    static func count(of disguised: [UInt8], mask: UInt8) throws -> Int {
        let length = disguised.count
        let needle = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 1)
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: Self.chunkBytes, alignment: 4096)
        let descriptor = unsafe open("/proc/self/mem", O_RDONLY)
        defer {
            unsafe explicit_bzero(needle, length)
            unsafe explicit_bzero(chunk, Self.chunkBytes)
            unsafe needle.deallocate()
            unsafe chunk.deallocate()
            close(descriptor)
        }
        try #require(descriptor >= 0)
        for index in disguised.indices {
            unsafe needle.storeBytes(of: disguised[index] ^ mask, toByteOffset: index, as: UInt8.self)
        }
        let own = unsafe [(needle, length), (chunk, Self.chunkBytes)].map { start, count in
            UInt(bitPattern: start)..<UInt(bitPattern: start) + UInt(count)
        }
        var found = 0
        for region in try Self.writableRegions() {
            var address = region.lowerBound
            while address < region.upperBound {
                let wanted = min(Self.chunkBytes, Int(region.upperBound - address))
                let count = unsafe pread(descriptor, chunk, wanted, off_t(address))
                guard count >= length else { break }
                for hit in unsafe Self.hits(of: needle, length, in: chunk, count)
                where !own.contains(where: { $0.contains(address + UInt(hit)) }) { found += 1 }
                unsafe explicit_bzero(chunk, count)
                // What lies across the border of two chunks begins in the first.
                address += UInt(address + UInt(count) < region.upperBound ? count - length + 1 : count)
            }
        }
        return found
    }

    private static func hits(
        of needle: UnsafeRawPointer,
        _ length: Int,
        in bytes: UnsafeRawPointer,
        _ count: Int
    ) -> [Int] {
        let first = Int32(unsafe needle.load(as: UInt8.self))
        var hits: [Int] = []
        var start = 0
        while start + length <= count, let hit = unsafe memchr(bytes + start, first, count - start - length + 1) {
            let offset = unsafe UnsafeRawPointer(hit) - bytes
            if unsafe memcmp(hit, needle, length) == 0 { hits.append(offset) }
            start = offset + 1
        }
        return hits
    }

    private static func writableRegions() throws -> [Range<UInt>] {
        try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return fields[1].hasPrefix("rw") && ends.count == 2 ? ends[0]..<ends[1] : nil
        }
    }
}
