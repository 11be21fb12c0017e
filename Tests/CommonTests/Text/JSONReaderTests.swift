import Common
import Foundation
import TestSupport
import Testing

@Suite("Reading JSON strictly")
struct JSONReaderTests {
    private func isAccepted(_ bytes: [UInt8]) -> Bool {
        do {
            var reader = try JSONReader(bytes)
            try reader.skip()
            try reader.finish()
            return true
        } catch {
            #expect((0...bytes.count).contains(error.offset))
            return false
        }
    }

    @Test(
        "what RFC 8259 allows is accepted",
        arguments: [
            "{}", "[]", " { } ", "[ ]\n", "\t{\"a\" : [ 1 , 2 ] }\r\n", "0", "-0", "-0.0e-0", "1E+2", "123.456e7",
            "true",
            "false", "null", "\"\"", #""\"\\\/\b\f\n\r\t\u00e9""#, #""\ud83d\ude00""#, "\"é☃😀\"", "[[],{},[{}]]",
        ]
    )
    func accepted(text: String) {
        #expect(self.isAccepted(Array(text.utf8)))
    }

    @Test(
        "everything else is refused",
        arguments: [
            "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{1:1}",
            "[1 2]",
            "01", "-", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "nul", "True", "\"", "\"\\\"",
            "'a'",
            "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", #""\ud83d""#, #""\ud83d\n""#, #""\ud83d\ud83d""#, #""\ude00""#,
            "\"a\nb\"",
            "\"\u{0}\"", "{} {}", "[]]", "1 1", "// c\n1", "{\"a\":1 \"b\":2}", "\u{FEFF}{}",
        ]
    )
    func refused(text: String) {
        #expect(!self.isAccepted(Array(text.utf8)))
    }

    @Test("bytes that are not UTF-8 are refused wherever they stand")
    func notUTF8() {
        for bytes in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x98]] as [[UInt8]] {
            #expect(!self.isAccepted([0x22] + bytes + [0x22]))
        }
    }

    @Test("depth is bounded, on objects and arrays, so that no document can exhaust the stack")
    func depth() {
        let most = JSONReader.maximumDepth
        func nested(_ open: String, _ close: String, _ count: Int) -> [UInt8] {
            Array((String(repeating: open, count: count) + String(repeating: close, count: count)).utf8)
        }
        #expect(self.isAccepted(nested("[", "]", most)))
        #expect(!self.isAccepted(nested("[", "]", most + 1)))
        #expect(!self.isAccepted(nested("[", "]", 1_000_000)))
        #expect(!self.isAccepted(Array(String(repeating: "{\"a\":", count: 1_000_000).utf8)))
        // Beside each other is not within each other.
        #expect(self.isAccepted(Array(("[" + String(repeating: "[{}],", count: 500) + "[]]").utf8)))
    }

    @Test("texts come unescaped, and whole numbers exactly or not at all")
    func values() throws {
        var text = try JSONReader(Array(#" "a\u00e9\ud83d\ude00\"\\\/\n" "#.utf8))
        #expect(try text.string() == "aé😀\"\\/\n")
        for (json, number) in [("9007199254740993", 9_007_199_254_740_993), ("-1", -1), ("0", 0)] {
            var reader = try JSONReader(Array(json.utf8))
            #expect(try reader.integer() == number)
        }
        for json in ["1.0", "1e3", "9223372036854775808"] {
            var reader = try JSONReader(Array(json.utf8))
            #expect(try reader.number() == nil)
            var strict = try JSONReader(Array(json.utf8))
            #expect(throws: JSONError(offset: 0, expected: "a whole number of 64 bits")) { try strict.integer() }
        }
    }

    @Test("whatever changes are made to a document, what we accept Foundation accepts too")
    func differential() throws {
        let original = Array(#"{"a":[1,-2.5e3,true,null,"x\u00e9\\ \ud83d\ude00é"],"b":{"c":"","d":[{},[]]}}"#.utf8)
        var generator = SeededGenerator(seed: 8)
        var acceptedCount = 0
        for _ in 0..<4000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...2, using: &generator) {
                let index = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: index)
                case 1: bytes[index] = original.randomElement(using: &generator) ?? 0
                default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: index)
                }
            }
            guard self.isAccepted(bytes) else { continue }
            acceptedCount += 1
            let theirs = try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(theirs != nil, "\(String(decoding: bytes, as: UTF8.self))")
        }
        #expect(acceptedCount > 100)
    }

    private static let names = MemberNames(["a", "b", "é"])

    /// The members that are there, with their texts.
    private func members(_ json: String) throws(JSONError) -> [Int: String] {
        var members: [Int: String] = [:]
        var reader = try JSONReader(Array(json.utf8))
        try reader.document(Self.names) { (reader, member) throws(JSONError) in
            members[member] = try reader.string()
        }
        return members
    }

    @Test("members come by their place in the list; others are passed over, null is absent, escapes in names count")
    func objects() throws {
        #expect(try self.members("{}") == [:])
        #expect(try self.members(#"{"b":"1","x":{"a":[1,{"b":null}]},"a":"2","A":3,"x":4}"#) == [1: "1", 0: "2"])
        #expect(try self.members(#"{ "a" : null , "\u0062" : "1", "\u00e9":"2" }"#) == [1: "1", 2: "2"])
    }

    @Test("a member that is asked for comes once, and is of its kind")
    func refusedObjects() {
        #expect(throws: JSONError(offset: 14, expected: "the member 'a' only once")) {
            try self.members(#"{"a":"1", "a":"2"}"#)
        }
        for json in [
            #"{"a":"1","a":"2"}"#, #"{"a":null,"a":"2"}"#, #"{"a":"1","\u0061":"2"}"#, #"{"a":1}"#, #"{"a":"1"} {}"#,
            #"["a"]"#,
            "null", #"{"a":"1""#, #"{"x":}"#, #"{"x":nul}"#, #"{"a":"1",}"#,
        ] {
            #expect(throws: JSONError.self, "\(json)") { try self.members(json) }
        }
    }

    @Test("raw values are given as they stand, checked, and reading goes on behind them")
    func raw() throws {
        var reader = try JSONReader(Array(#"[ {"k" : "\u0041\n"} , [1,2] ,"x"]"#.utf8))
        var values: [String] = []
        try reader.array { (reader) throws(JSONError) in
            values.append(String(decoding: try reader.raw(), as: UTF8.self))
        }
        try reader.finish()
        #expect(values == [#"{"k" : "\u0041\n"}"#, "[1,2]", #""x""#])
        var broken = try JSONReader(Array(#"[{"k":]"#.utf8))
        #expect(throws: JSONError.self) { try broken.array { (reader) throws(JSONError) in _ = try reader.raw() } }
    }

    @Test("texts are unescaped where they stand, and stay there while others are read")
    func inPlace() throws {
        var reader = try JSONReader(Array(#"["a\u0062","\ud83d\ude00\\","","plain"]"#.utf8))
        var texts: [JSONReader.Text] = []
        try reader.array { (reader) throws(JSONError) in texts.append(try reader.text()) }
        #expect(texts.map { reader.string($0) } == ["ab", "😀\\", "", "plain"])
    }
}
