package import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Writes one line an event to standard error, as logfmt (`level= ts= caller= message=`) or JSON.
package struct LineLogHandler: LogHandler {
    package enum Format: String, Sendable, CaseIterable { case logfmt, json }

    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    private let format: Format
    private let caller: String
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter label: who logs; the line's `caller`.
    package init(label: String, format: Format, level: Logger.Level) {
        self.init(label: label, format: format, level: level, write: StandardError.write)
    }

    /// - Parameter write: takes each line, line feed included.
    init(label: String, format: Format, level: Logger.Level, write: @escaping @Sendable ([UInt8]) -> Void) {
        self.caller = label
        self.format = format
        self.logLevel = level
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var fields: [(String, String)] = [
            ("level", event.level == .warning ? "warn" : event.level.rawValue),
            ("ts", Self.timestamp()),
            ("caller", self.caller),
            ("message", event.message.description),
        ]
        let merged = self.metadata.merging(event.metadata ?? [:]) { $1 }
        fields += merged.sorted { $0.key < $1.key }.map { ($0.key, $0.value.description) }
        var line: [UInt8] = []
        switch self.format {
        case .logfmt:
            for (key, value) in fields {
                if !line.isEmpty { line.append(UInt8(ascii: " ")) }
                line += Array(key.utf8)
                line.append(UInt8(ascii: "="))
                if Self.isPlain(value) { line += Array(value.utf8) } else { Self.appendQuoted(value, to: &line) }
            }
        case .json:
            for (key, value) in fields {
                line.append(line.isEmpty ? UInt8(ascii: "{") : UInt8(ascii: ","))
                Self.appendQuoted(key, to: &line)
                line.append(UInt8(ascii: ":"))
                Self.appendQuoted(value, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        }
        line.append(UInt8(ascii: "\n"))
        self.write(line)
    }

    /// Whether a logfmt value needs no quotes: printable ASCII that cannot be taken for the end of the value.
    private static func isPlain(_ value: String) -> Bool {
        !value.isEmpty && value.utf8.allSatisfy { (0x21..<0x7F).contains($0) && ![0x22, 0x3D, 0x5C].contains($0) }
    }

    /// A JSON string; logfmt uses the same quoting. Whatever some viewer could take for a control character or the end of
    /// a line is escaped, so that nobody's text can look like a line of ours.
    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += Array(#"\""#.utf8)
            case "\\": line += Array(#"\\"#.utf8)
            case "\n": line += Array(#"\n"#.utf8)
            case "\t": line += Array(#"\t"#.utf8)
            case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let high = UInt8(truncatingIfNeeded: scalar.value >> 8)
                line += Array(#"\u"#.utf8) + Array(hexadecimal([high, UInt8(truncatingIfNeeded: scalar.value)]).utf8)
            default: line += Array(String(scalar).utf8)
            }
        }
        line.append(UInt8(ascii: "\""))
    }

    /// Now, in UTC, as RFC 3339 with milliseconds.
    private static func timestamp() -> String {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        var parts = unsafe tm()
        var seconds = now.tv_sec
        unsafe gmtime_r(&seconds, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = unsafe [(Int(parts.tm_year) + 1900, 4), (Int(parts.tm_mon) + 1, 2), (Int(parts.tm_mday), 2)]
        let time = unsafe [(Int(parts.tm_hour), 2), (Int(parts.tm_min), 2), (Int(parts.tm_sec), 2)]
        let dateText = date.map { padded($0.0, $0.1) }.joined(separator: "-")
        let timeText = time.map { padded($0.0, $0.1) }.joined(separator: ":")
        return "\(dateText)T\(timeText).\(padded(now.tv_nsec / 1_000_000, 3))Z"
    }
}
