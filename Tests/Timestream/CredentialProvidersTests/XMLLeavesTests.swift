import Testing

@testable import CredentialProviders

@Suite("The texts of an XML answer")
struct XMLLeavesTests {
    private func leaves(_ text: String) throws -> XMLLeaves { try XMLLeaves(Array(text.utf8)) }

    @Test("declarations, comments, name spaces, attributes and empty elements are passed over")
    func tolerates() throws {
        let leaves = try self.leaves(
            """
            \u{FEFF}<?xml version="1.0"?>
            <!-- <a>no</a> --><n:A xmlns:n='x>y' b = "<&'"><n:B/><n:C
              d="e">text</n:C ><!-- -- --></n:A>

            """
        )
        #expect(leaves["A/C"] == "text")
        #expect(leaves["C"] == "text")
        #expect(leaves["B"] == "")
        #expect(leaves["A"] == nil)
    }

    @Test("entities and character data are decoded, once")
    func decodes() throws {
        let leaves = try self.leaves("<a>&lt;&gt;&amp;lt;&quot;&apos;&#65;&#x1F600;<![CDATA[<b>&amp;]]>é</a>")
        #expect(leaves["a"] == "<>&lt;\"'A😀<b>&amp;é")
    }

    @Test("of elements of one name, the first counts")
    func first() throws {
        #expect(try self.leaves("<a><b>1</b><b>2</b></a>")["b"] == "1")
        #expect(try self.leaves("<a><xb>1</xb><b>2</b></a>")["b"] == "2")
    }

    @Test(
        "what is not well-formed is refused",
        arguments: [
            "", "   ", "text", "<a>", "<a></b>", "</a>", "<a></a><b></b>", "<a></a>x", "<a b></a>", "<a b=c></a>",
            "<a b=\"c></a>", "<a>&nbsp;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#+65;</a>", "<a>&amp</a>",
            "<a>& b</a>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a><!-- </a>", "<a><![CDATA[</a>", "<a", "<",
            "<?xml", "< a></a>", "<a/", "<a b=\"1\"c=\"2\"/>",
        ]
    )
    func refuses(text: String) {
        #expect(throws: XMLError.self) { try self.leaves(text) }
    }

    @Test("depth, size and bytes that are not UTF-8 are bounds")
    func bounds() throws {
        let deep = String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17)
        #expect(throws: XMLError.self) { try self.leaves(deep) }
        #expect(throws: XMLError.self) { try self.leaves("<a>" + String(repeating: "x", count: 262_144) + "</a>") }
        #expect(throws: XMLError(offset: 3, expected: "UTF-8")) { try XMLLeaves([0x3C, 0x61, 0x3E, 0xFF]) }
    }

    @Test("no cut of a document is taken for the whole")
    func cuts() throws {
        let text = Array("<a x='1'><b>t&amp;</b><!-- c --><![CDATA[d]]></a>".utf8)
        _ = try XMLLeaves(text)
        for length in 0..<text.count { #expect(throws: XMLError.self) { try XMLLeaves(Array(text[..<length])) } }
    }
}

@Suite("Times of expiration")
struct TimeTextTests {
    @Test(
        "times as AWS and its tools write them",
        arguments: [
            ("2030-01-01T00:00:00Z", 1_893_456_000), ("2030-01-01T00:00:00.123456Z", 1_893_456_000),
            ("2030-01-01T02:00:00+02:00", 1_893_456_000), ("2029-12-31T18:30:00-0530", 1_893_456_000),
            ("1970-01-01 00:00:01Z", 1), ("2028-02-29T23:59:60Z", 1_835_481_600),
        ] as [(String, Int64)]
    )
    func reads(text: String, seconds: Int64) {
        #expect(TimeText.seconds(text) == seconds)
    }

    @Test(
        "anything else is none",
        arguments: [
            "", "soon", "2030-01-01", "2030-01-01T00:00:00", "2030-02-30T00:00:00Z", "2030-13-01T00:00:00Z",
            "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z", "2030-01-01T00:00:00Zx", "2030-01-01T00:00:00.Z",
            "2030-01-01T00:00:00+2", "+030-01-01T00:00:00Z", "2030-01-01T00:00:00+0200Z", "٢٠٣٠-01-01T00:00:00Z",
        ]
    )
    func refuses(text: String) {
        #expect(TimeText.seconds(text) == nil)
    }

    @Test("what is written is read back")
    func writes() {
        #expect(TimeText.text(1_893_456_000) == "2030-01-01T00:00:00Z")
        #expect(TimeText.text(951_782_399) == "2000-02-28T23:59:59Z")
    }
}
