import NIOCore
import NIOHTTP2

/// The bounds of an HTTP/2 connection.
enum HTTP2Limits {
    static let concurrentStreams = 128
    /// Every window's size until it is changed (RFC 9113, section 6.9.2).
    static let defaultWindow = 65_535
    /// What a stream may send before anybody has decided about it. Clients assume 65,535 until they have seen our settings.
    static let streamWindow = 32 * 1024
    /// What a stream may have under way once its body is wanted: enough for most bodies in one go.
    static let wantedStreamWindow = 1024 * 1024
    /// All streams may fill their first windows, and those whose bodies are wanted still move on.
    static let connectionWindow = concurrentStreams * streamWindow + wantedStreamWindow
    /// Streams a client may cancel beyond those it lets us answer.
    static let cancelledStreams = 200

    static var connection: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: self.concurrentStreams),
            HTTP2Setting(parameter: .initialWindowSize, value: self.streamWindow),
            HTTP2Setting(parameter: .maxHeaderListSize, value: HTTPLimits.headerBytes),
        ]
        return configuration
    }

    static var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        // libcurl before 8 resets every stream whose answer it has read; the default of 200 in 30 seconds would end honest
        // connections. `CancellationBudget` counts the resets that hurt: those of requests that were not answered.
        // 2,000 a second; each connection has room for the times of one window, 8 bytes each, from its start.
        configuration.streamResetFrameRateLimit.maximumCount = 400
        configuration.streamResetFrameRateLimit.windowLength = .milliseconds(200)
        return configuration
    }
}

/// Bounds the requests that a client starts and takes back: each costs us work, and the client nothing ("rapid reset",
/// CVE-2023-44487). Answered requests earn back what cancelled ones spend.
struct CancellationBudget: Sendable {
    private let limit: Int
    private var credit: Int

    init(limit: Int) {
        self.limit = limit
        self.credit = limit
    }

    mutating func requestAnswered() {
        self.credit = min(self.credit + 1, self.limit)
    }

    /// - Returns: whether the client has more.
    mutating func requestCancelled() -> Bool {
        self.credit -= 1
        return self.credit >= 0
    }
}

/// Notes when the HTTP/2 handler ends the connection or a stream for a fault: their errors look alike otherwise.
final class HTTP2FrameObserver: NIOHTTP2FrameDelegate {
    private(set) var hasFailed = false
    private var hasReset = false

    func wroteFrame(_ frame: HTTP2Frame) {
        switch frame.payload {
        case .goAway(_, let code, _) where code != .noError: self.hasFailed = true
        case .rstStream(.protocolError), .rstStream(.flowControlError), .rstStream(.streamClosed): self.hasReset = true
        default: ()
        }
    }

    /// Whether a stream was reset for what its peer sent, since this was last asked.
    func takeReset() -> Bool {
        defer { self.hasReset = false }
        return self.hasReset
    }
}

@available(*, unavailable)
extension HTTP2FrameObserver: Sendable {}
