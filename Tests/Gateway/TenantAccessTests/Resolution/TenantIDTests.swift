import Testing

@testable import TenantAccess

@Suite("What can be a tenant id")
struct TenantIDTests {
    @Test(
        "1 to 64 of A-Z a-z 0-9 _ . -",
        arguments: ["a", "Z9", "_", "-", "...", ".a", "a.", "A.b-c_D", "....", String(repeating: "x", count: 64)]
    )
    func valid(id: String) {
        #expect(TenantID.isValid(id.utf8))
        #expect(TenantID.decodingPathSegment(id.utf8) == id)
    }

    @Test(
        "everything else is not, `.` and `..` included",
        arguments: [
            "", ".", "..", String(repeating: "x", count: 65), "a b", "a/b", "a\\b", "a:b", "a%62", "é", "e\u{301}",
            "a\n",
            "\u{0}", "a\u{0}", "a,b", "＿", "ａ", "а", "*", "a@b", "\u{212A}",
        ]
    )
    func invalid(id: String) {
        #expect(!TenantID.isValid(id.utf8))
    }

    @Test("exactly the bytes of the rule are allowed")
    func everyByte() {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-".utf8)
        for byte in UInt8.min ... .max {
            #expect(TenantID.isValid([byte]) == allowed.contains(byte))
            #expect(TenantID.isValid([0x61, byte]) == (allowed.contains(byte) || byte == UInt8(ascii: ".")))
        }
    }

    @Test(
        "percent-encoding in a path is undone once",
        arguments: [
            ("%61", "a"), ("a%2Db", "a-b"), ("a%2db", "a-b"), ("%2e%2E%2e", "..."), ("%5F", "_"),
            (String(repeating: "%78", count: 64), String(repeating: "x", count: 64)),
        ]
    )
    func decoding(segment: String, id: String) {
        #expect(TenantID.decodingPathSegment(segment.utf8) == id)
    }

    @Test(
        "a broken escape, or one that spells no tenant id, is none",
        arguments: [
            "%", "%6", "%6g", "%g6", "a%", "%2F", "a%2Fb", "%25", "%2561", "%00", "%2e", "%2E%2e", "%C3%A9", "%20",
            "% 61", "%+6", "%-1", String(repeating: "%78", count: 65), String(repeating: "x", count: 193), "",
        ]
    )
    func notDecoded(segment: String) {
        #expect(TenantID.decodingPathSegment(segment.utf8) == nil)
    }
}
