import CCrypt
import Common
import Glibc

/// bcrypt password hashes, checked by libxcrypt.
enum PasswordHash {
    /// The highest bcrypt cost that is accepted: 2^15 rounds are some seconds a check.
    static let maximumCost = 15

    /// What is wrong with a configured hash; `nil` if it can be used. The text does not repeat the hash.
    ///
    /// Only bcrypt: other methods of crypt(3) have no bound on what one check costs, or take no time at all.
    static func problem(with hash: String) -> String? {
        guard !hash.utf8.contains(0) else { return "the hash contains a NUL byte" }
        let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0].isEmpty, ["2a", "2b", "2y"].contains(parts[1]) else {
            return "not a bcrypt hash: these start with $2a$, $2b$ or $2y$"
        }
        guard hash.utf8.count == 60 else { return "a bcrypt hash has 60 characters, found \(hash.utf8.count)" }
        // libxcrypt takes a setting with a wrong cost or salt for a good one, and then matches nothing.
        let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
        guard parts[2].utf8.count == 2, parts[2].utf8.allSatisfy(isDigit), let cost = Int(parts[2]), cost >= 4 else {
            return "the bcrypt cost is not a number of two digits from 04 on"
        }
        guard cost <= Self.maximumCost else {
            return "the bcrypt cost is above \(Self.maximumCost): one check would take seconds of CPU"
        }
        guard parts[3].utf8.count == 53, parts[3].utf8.allSatisfy(Self.isSaltByte) else {
            return "a bcrypt hash ends in 53 letters, digits, dots and slashes"
        }
        let status = unsafe hash.withCString { unsafe crypt_checksalt($0) }
        guard status != CRYPT_SALT_INVALID, status != CRYPT_SALT_METHOD_DISABLED else {
            return "not a bcrypt hash that the system's libxcrypt takes"
        }
        return nil
    }

    private static func isSaltByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: ".")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    /// Hashes the password with the hash's own salt and cost, and compares. Takes tens of milliseconds of CPU: never
    /// called on an event loop.
    ///
    /// - Parameter password: without NUL bytes; at most 511 bytes.
    static func matches(password: [UInt8], hash: String) -> Bool {
        let size = ccrypt_work_area_size()
        let workArea = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        _ = unsafe workArea.initializeMemory(as: UInt8.self, repeating: 0, count: size)
        defer {
            // It holds the password, and what could stand in for it.
            unsafe explicit_bzero(workArea, size)
            unsafe workArea.deallocate()
        }
        var phrase = password.map { CChar(bitPattern: $0) }
        phrase.append(0)
        defer { unsafe explicit_bzero(&phrase, phrase.count) }
        let computed: [UInt8]? = unsafe hash.withCString { setting in
            guard let result = unsafe crypt_rn(phrase, setting, workArea, Int32(size)) else { return nil }
            return unsafe Array(UnsafeRawBufferPointer(start: result, count: strlen(result)))
        }
        // Failure tokens start with a star; no bcrypt hash does.
        guard let computed, computed.first != UInt8(ascii: "*") else { return false }
        return constantTimeEqual(computed, Array(hash.utf8))
    }
}
