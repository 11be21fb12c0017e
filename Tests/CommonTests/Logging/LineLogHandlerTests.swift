import Foundation
import Logging
import Testing

@testable import Common

/// Collects what a handler writes.
private final class LineSink: Sendable {
    private let lines = Locked<[[UInt8]]>([])

    func logger(_ format: LineLogHandler.Format, level: Logger.Level = .trace) -> Logger {
        Logger(label: "test") { label in
            LineLogHandler(label: label, format: format, level: level) { line in
                self.lines.withLock { $0.append(line) }
            }
        }
    }

    /// The lines, each without its line feed; a missing or an additional line feed is an issue.
    func texts() -> [String] {
        self.lines.withLock { $0 }.map { line in
            #expect(line.last == UInt8(ascii: "\n"))
            #expect(line.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a control character in a log line")
            return String(decoding: line.dropLast(), as: UTF8.self)
        }
    }
}

/// What a peer may send to make one line look like two, or like another.
private let hostileTexts = [
    "x\nlevel=error ts=now caller=gateway message=forged", "x\r\nlevel=error", "\u{1B}[2K\u{1B}[1A", "nul\u{0}byte",
    "next\u{85}line", "line\u{2028}separator", "paragraph\u{2029}separator", "bell\u{7}", "del\u{7F}", "c1\u{9B}31m",
    "\" level=error \"", "back\\slash", "\\\" level=error", "tab\tbed", "a=b", "", " ", "ü🦊", "e\u{301}",
]

@Suite("A log event is one line")
struct LineLogHandlerTests {
    @Test("logfmt starts with level, ts, caller and message, then the metadata in order of its keys")
    func logfmt() throws {
        let sink = LineSink()
        sink.logger(.logfmt).warning("two words", metadata: ["b": "2", "a": "one more"])
        let line = try #require(sink.texts().first)
        #expect(line.hasPrefix("level=warn ts="))
        #expect(line.hasSuffix(#" caller=test message="two words" a="one more" b=2"#))
        #expect(line.firstMatch(of: #/ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /#) != nil)
    }

    @Test("JSON has the same members", arguments: hostileTexts)
    func json(text: String) throws {
        let sink = LineSink()
        sink.logger(.json).error("\(text)", metadata: ["key": "\(text)"])
        let line = try #require(sink.texts().first)
        let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(object["level"] == "error" && object["caller"] == "test" && object["ts"] != nil)
        #expect(Array(try #require(object["message"]).utf8) == Array(text.utf8))
        #expect(Array(try #require(object["key"]).utf8) == Array(text.utf8))
    }

    @Test("no value in logfmt can add a field or a line", arguments: hostileTexts)
    func injection(text: String) throws {
        let sink = LineSink()
        sink.logger(.logfmt).info("event", metadata: ["peer": "\(text)", "z": "end"])
        #expect(sink.texts().count == 1)
        let line = try #require(sink.texts().first)
        for scalar in line.unicodeScalars {
            #expect(scalar.value != 0x85 && scalar.value != 0x2028 && scalar.value != 0x2029)
            #expect(!(0x80...0x9F).contains(scalar.value))
        }
        let value = try #require(line.components(separatedBy: " peer=").last?.dropLast(" z=end".count))
        let isQuoted = value.hasPrefix("\"")
        if isQuoted {
            // Quoted as JSON is: an independent parser reads back what was logged.
            let parsed = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
            #expect(Array(try #require(parsed as? String).utf8) == Array(text.utf8))
        } else {
            #expect(Array(value.utf8) == Array(text.utf8))
            #expect(!value.contains(" ") && !value.contains("=") && !value.contains("\""))
        }
    }

    @Test("metadata of the event wins over the logger's own, and nested values stay in their field")
    func metadata() throws {
        let sink = LineSink()
        var logger = sink.logger(.logfmt)
        logger[metadataKey: "a"] = "old"
        logger[metadataKey: "b"] = "kept"
        logger.info("event", metadata: ["a": "new", "list": ["x", "y\nz"]])
        let line = try #require(sink.texts().first)
        #expect(line.contains(" a=new b=kept list=\""))
    }

    @Test("a secret in metadata shows nothing")
    func secret() throws {
        let sink = LineSink()
        sink.logger(.logfmt).info("event", metadata: ["key": .stringConvertible(Secret("hunter2"))])
        #expect(sink.texts().first?.contains("hunter2") == false)
        #expect(sink.texts().first?.hasSuffix("key=<secret>") == true)
    }

    @Test("events below the level are not written")
    func level() {
        let sink = LineSink()
        sink.logger(.logfmt, level: .info).debug("unseen")
        #expect(sink.texts().isEmpty)
    }
}

@Suite("Words of others in one line")
struct OneLineTests {
    @Test("line ends and control characters become blanks", arguments: hostileTexts)
    func blanks(text: String) {
        let line = oneLine(text, limitBytes: 1000)
        #expect(line.unicodeScalars.count == text.unicodeScalars.count)
        for scalar in line.unicodeScalars {
            #expect(scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value))
            #expect(scalar.value != 0x2028 && scalar.value != 0x2029)
        }
    }

    @Test("never longer than the limit, and cut between characters' scalars", arguments: 0...40)
    func limit(limitBytes: Int) {
        for text in ["aaaaaaaaaaaaaaaaaaaa", "üüüüüüüüüü", "🦊🦊🦊🦊🦊", "", "a\nb", "e\u{301}e\u{301}e\u{301}"] {
            let line = oneLine(text, limitBytes: limitBytes)
            #expect(line.utf8.count <= limitBytes)
            #expect(!line.unicodeScalars.contains("\u{FFFD}"))
            if text.utf8.count <= limitBytes {
                #expect(line.utf8.count == text.utf8.count)
            } else if limitBytes >= 3 {
                #expect(line.hasSuffix("…"))
                #expect(line.utf8.count > limitBytes - 4, "cut more than it had to")
            }
        }
    }
}
