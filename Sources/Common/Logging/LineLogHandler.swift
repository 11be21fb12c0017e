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

    /// - Parameter label: who logs; the line's `caller`.
    package init(label: String, format: Format, level: Logger.Level) {
        self.caller = label
        self.format = format
        self.logLevel = level
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
                let isPlain = value.utf8.allSatisfy { $0 > 0x20 && ![0x22, 0x3D, 0x5C, 0x7F].contains($0) }
                if isPlain && !value.isEmpty { line += Array(value.utf8) } else { Self.appendQuoted(value, to: &line) }
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
        // One write a line, so that lines of several threads do not mix.
        var rest = line[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    /// A JSON string; logfmt uses the same quoting.
    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): line += Array("\\\"".utf8)
            case UInt8(ascii: "\\"): line += Array("\\\\".utf8)
            case UInt8(ascii: "\n"): line += Array("\\n".utf8)
            case UInt8(ascii: "\t"): line += Array("\\t".utf8)
            case 0..<0x20, 0x7F: line += Array("\\u00\(hexadecimal([byte]))".utf8)
            default: line.append(byte)
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
