import Common
package import Logging

/// Keeps what is logged, as text.
package final class LogCapture: LogHandler, Sendable {
    private let storage = Locked<[String]>([])
    package var lines: [String] { self.storage.withLock { $0 } }

    package init() {}

    package func log(event: LogEvent) {
        let metadata = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let line = "\(event.level) \(event.message) \(metadata.joined(separator: " "))"
        self.storage.withLock { $0.append(line) }
    }

    // A shared object, so these stay as they are.
    package var logLevel: Logger.Level {
        get { .trace }
        set { _ = newValue }
    }
    package var metadata: Logger.Metadata {
        get { [:] }
        set { _ = newValue }
    }
    package subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set { _ = newValue }
    }
}
