import TestSupport
import Testing

@testable import QueryExplaining

private func matcher(_ name: String, _ operation: Selector.Operation, _ value: String) -> Selector.Matcher {
    Selector.Matcher(name: Array(name.utf8), operation: operation, value: Array(value.utf8))
}

private func metric(_ name: String) -> Selector.Matcher { matcher("__name__", .equal, name) }

@Suite("Selectors of PromQL")
struct SelectorTests {
    @Test(
        "are read as Prometheus reads them",
        arguments: [
            ("up", [metric("up")]),
            (" job:up:sum_5m\n", [metric("job:up:sum_5m")]),
            ("up{}", [metric("up")]),
            ("{}", []),
            ("_:a9 { }", [metric("_:a9")]),
            (
                #"up{job="a",zone!="b",x=~"c|d",y!~"e"}"#,
                [
                    metric("up"), matcher("job", .equal, "a"), matcher("zone", .notEqual, "b"),
                    matcher("x", .matches, "c|d"), matcher("y", .doesNotMatch, "e"),
                ]
            ),
            ("up { job = 'a' , }", [metric("up"), matcher("job", .equal, "a")]),
            (
                "up{job=\"a\" # why\n, # }\n zone='b'}",
                [
                    metric("up"), matcher("job", .equal, "a"), matcher("zone", .equal, "b"),
                ]
            ),
            (#"{job="a",job!="b"}"#, [matcher("job", .equal, "a"), matcher("job", .notEqual, "b")]),
            (
                #"{__name__=~"a|b",__name__!="a"}"#,
                [
                    matcher("__name__", .matches, "a|b"), matcher("__name__", .notEqual, "a"),
                ]
            ),
            // Prometheus 3: names in quotes.
            (#"{"http.requests"}"#, [metric("http.requests")]),
            (
                #"{"http.requests","url.path"=~"/a.*", job='x'}"#,
                [
                    metric("http.requests"), matcher("url.path", .matches, "/a.*"), matcher("job", .equal, "x"),
                ]
            ),
            (
                #"{job="x", 'in the middle', zone="y"}"#,
                [
                    matcher("job", .equal, "x"), metric("in the middle"), matcher("zone", .equal, "y"),
                ]
            ),
            ("{`a \"b\" \\n`=`c\nd`}", [matcher("a \"b\" \\n", .equal, "c\nd")]),
            (#"{"__name__"="up"}"#, [metric("up")]),
            // Keywords of other places are names here.
            (
                #"sum{by="a",on='b',bool="c",offset="d"}"#,
                [
                    metric("sum"), matcher("by", .equal, "a"), matcher("on", .equal, "b"), matcher("bool", .equal, "c"),
                    matcher("offset", .equal, "d"),
                ]
            ),
            // Escapes are Go's.
            (
                #"{a="\a\b\f\n\r\t\v\\\"",b='\'"'}"#,
                [
                    matcher("a", .equal, "\u{7}\u{8}\u{C}\n\r\t\u{B}\\\""), matcher("b", .equal, "'\""),
                ]
            ),
            (#"{a="\101\x41\u00e9\U0001F98A"}"#, [matcher("a", .equal, "AA\u{e9}\u{1F98A}")]),
            ("{a=\"\u{e9}\u{1F98A}\u{0}\"}", [matcher("a", .equal, "\u{e9}\u{1F98A}\u{0}")]),
        ] as [(String, [Selector.Matcher])]
    )
    func good(text: String, expected: [Selector.Matcher]) throws {
        #expect(try Selector(text).matchers == expected)
    }

    @Test("an escape can spell bytes that are no UTF-8")
    func bytes() throws {
        #expect(try Selector(#"{a="\xff\377"}"#).matchers[0].value == [0xFF, 0xFF])
    }

    @Test(
        "and are refused with the place",
        arguments: [
            ("", 1, "expected a metric name or {"),
            ("   ", 4, "found the end"),
            ("9up", 1, #"found "9""#),
            ("{", 2, "found the end"),
            ("up{job", 7, "expected =, !=, =~ or !~"),
            ("up{job=", 8, "expected a value in quotes"),
            ("up{job=a}", 8, #"found "a""#),
            (#"up{job="a""#, 11, "expected , or }"),
            (#"up{job="a}"#, 8, "no closing quote"),
            (#"up{job=="a"}"#, 8, "expected a value in quotes"),
            (#"up{job~"a"}"#, 7, "expected ="),
            (#"up{job!"a"}"#, 7, "expected ="),
            (#"up{job="a" zone="b"}"#, 12, #"found "z""#),
            (#"up{,}"#, 4, "expected a label name"),
            (#"up{job="a",,}"#, 12, "expected a label name"),
            (#"{a:b="c"}"#, 3, "expected ="),
            (#"{9="c"}"#, 2, "expected a label name"),
            (#"{foo}"#, 5, "expected ="),
            (#"{"foo" bar}"#, 8, "expected ="),
            (#"{""="x"}"#, 2, "empty"),
            (#"up{"other"}"#, 4, "twice"),
            (#"up{__name__=~"other"}"#, 4, "twice"),
            (#"{"a","b"}"#, 6, "twice"),
            (#"{"a",__name__="b"}"#, 6, "twice"),
            ("up[5m]", 3, "--from"),
            (#"up{job="a"}[5m]"#, 12, "--from"),
            ("rate(up[5m])", 5, "functions"),
            ("up offset 5m", 4, "expected the end"),
            ("up @ 5", 4, "expected the end"),
            ("up + up", 4, "expected the end"),
            (#"up{a="b"}}"#, 10, "expected the end"),
            ("{a=\"x\ny\"}", 6, "ends at the end of its line"),
            (#"{a="\q"}"#, 5, "unknown escape"),
            (#"{a="\'"}"#, 5, "unknown escape"),
            (#"{a="\d+"}"#, 5, "backquotes"),
            (#"{a="\x4"}"#, 5, "2 digits"),
            (#"{a="\u12"}"#, 5, "4 digits"),
            (#"{a="\18"}"#, 5, "3 digits"),
            (#"{a="\777"}"#, 5, "377"),
            (#"{a="\ud800"}"#, 5, "no such character"),
            (#"{a="\Uffffffff"}"#, 5, "no such character"),
            (#"{a="\"#, 5, "not complete"),
            // Columns count characters, not bytes.
            ("{a=\"\u{e9}\u{1F98A}\",b}", 10, "expected ="),
            ("{\u{e9}=\"a\"}", 2, "found \"\u{e9}\""),
        ] as [(String, Int, String)]
    )
    func bad(text: String, column: Int, words: String) {
        do throws(SelectorError) {
            let selector = try Selector(text)
            Issue.record("it is read as \(selector)")
        } catch {
            #expect(error.column == column, "\(error)")
            #expect(error.message.contains(words), "\(error)")
            #expect(error.description.hasPrefix("column \(column): "))
        }
    }

    @Test(
        "are written as short as they can be read",
        arguments: [
            ("up{}", "up"), ("{}", "{}"), (#"{__name__="up"}"#, "up"), (#"{"http.requests"}"#, #"{"http.requests"}"#),
            (#"{job='a',"up"}"#, #"{job="a",__name__="up"}"#), (#"{'url.path'=`a"\`}"#, #"{"url.path"="a\"\\"}"#),
            ("{a=\"\\x00\\n\\t\\x7f\u{e9}\"}", "{a=\"\\x00\\n\\t\\x7f\u{e9}\"}"),
            (#"{a="\xff\u00e9"}"#, #"{a="\xff\xc3\xa9"}"#),
        ]
    )
    func printing(text: String, expected: String) throws {
        #expect(try Selector(text).description == expected)
    }

    @Test("printed and read back they are the same", arguments: 1...40 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "a", "Z", "_", ":", "9", ".", " ", "\"", "'", "`", "\\", "\n", "\t", "{", "}", ",", "=", "~", "#", "%",
            "\u{0}", "\u{7F}", "\u{e9}", "\u{301}", "\u{1F98A}", "\u{FEFF}",
        ]
        func text() -> String {
            (0..<Int.random(in: 0...5, using: &generator)).map { _ in pieces.randomElement(using: &generator) ?? "" }
                .joined()
        }
        for _ in 0..<100 {
            var parts: [String] = []
            var expected: [Selector.Matcher] = []
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                var value = Array(text().utf8)
                if Int.random(in: 0..<8, using: &generator) == 0 {
                    value.append(UInt8.random(in: .min ... .max, using: &generator))
                }
                let operation = Selector.Operation.allCases.randomElement(using: &generator) ?? .equal
                let names = ["job", "__name__", "a.b", text()]
                var name = names.randomElement(using: &generator) ?? ""
                if name.isEmpty || name == "__name__" && expected.contains(where: { $0.name == Array("__name__".utf8) })
                {
                    name = "x"
                }
                let one = Selector.Matcher(name: Array(name.utf8), operation: operation, value: value)
                expected.append(one)
                parts.append(one.description)
            }
            // Written here by matchers, then by the selector itself.
            let selector = try Selector("{" + parts.joined(separator: ", ") + "}")
            #expect(selector.matchers == expected)
            #expect(try Selector(selector.description) == selector, "\(selector)")
        }
    }

    @Test("no text stops the process", arguments: 1...20 as ClosedRange<UInt64>)
    func anything(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let pieces = [
            "up", "{", "}", "\"", "'", "`", "\\", "\\x", "4", "=", "~", "!", ",", "[", "#", "\n", " ", "é", "\u{0}",
        ]
        var read = 0
        for _ in 0..<2_000 {
            let text = (0..<Int.random(in: 0...12, using: &generator))
                .map { _ in pieces.randomElement(using: &generator) ?? "" }.joined()
            do throws(SelectorError) {
                let selector = try Selector(text)
                read += 1
                #expect((try? Selector(selector.description)) == selector)
            } catch {
                #expect((1...text.unicodeScalars.count + 1).contains(error.column))
            }
        }
        #expect(read > 0)
    }
}
