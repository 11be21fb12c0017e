/// An exporter's page in the text format, as one scrape of it comes to a sender: in the order of the page, with the
/// target's labels.
struct ExporterPage {
    let text: String
    let targetLabels: [(name: String, value: String)]

    /// One sample a series, all of one time.
    func scrape(atMilliseconds milliseconds: Int64) throws -> [Series] {
        try self.text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard line.first != UInt8(ascii: "#") else { return nil }
            var parser = LineParser(rest: line)
            let (labels, value) = try parser.parse()
            return Series(labels + self.targetLabels, [(milliseconds, value)])
        }
    }

    struct Malformed: Error {
        var line: String
    }

    /// `name{label="value",…} value`, with the escapes `\\`, `\"` and `\n`; no timestamps.
    private struct LineParser {
        let line: String
        var rest: Substring.UTF8View

        init(rest: Substring.UTF8View) {
            self.rest = rest
            self.line = String(Substring(rest))
        }

        mutating func parse() throws -> (labels: [(name: String, value: String)], value: Double) {
            var labels = [(name: "__name__", value: self.take { $0 != UInt8(ascii: "{") && $0 != UInt8(ascii: " ") })]
            if self.consume("{") {
                while !self.consume("}") {
                    let name = self.take { $0 != UInt8(ascii: "=") }
                    guard self.consume("=\"") else { throw Malformed(line: self.line) }
                    labels.append((name, try self.quoted()))
                    _ = self.consume(",")
                }
            }
            guard self.consume(" "), let value = Double(self.take { $0 != UInt8(ascii: " ") }), self.rest.isEmpty else {
                throw Malformed(line: self.line)
            }
            return (labels, value)
        }

        private mutating func quoted() throws -> String {
            var bytes: [UInt8] = []
            while let byte = self.rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = self.rest.popFirst() else { throw Malformed(line: self.line) }
                    bytes.append(escaped == UInt8(ascii: "n") ? UInt8(ascii: "\n") : escaped)
                default: bytes.append(byte)
                }
            }
            throw Malformed(line: self.line)
        }

        private mutating func take(while condition: (UInt8) -> Bool) -> String {
            let part = self.rest.prefix(while: condition)
            self.rest = self.rest[part.endIndex...]
            return String(Substring(part))
        }

        private mutating func consume(_ text: String) -> Bool {
            guard self.rest.starts(with: text.utf8) else { return false }
            self.rest = self.rest.dropFirst(text.utf8.count)
            return true
        }
    }
}
