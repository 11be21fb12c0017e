package import TLSTransport

/// How long a listener waits for its peers.
package struct HTTPTimeouts: Sendable, Equatable {
    /// From the accepted connection to the end of the TLS handshake.
    package var handshake: Duration
    /// From the first byte of a request, or on a new connection from its start, to the end of the request's head.
    package var header: Duration
    /// From `collect` to the end of the body; also the longest stand-still while an answer is sent, streamed or not.
    package var body: Duration
    /// Between two requests of a connection.
    package var idle: Duration

    package init(
        handshake: Duration = .seconds(10),
        header: Duration = .seconds(10),
        body: Duration = .seconds(20),
        idle: Duration = .seconds(360)
    ) {
        self.handshake = handshake
        self.header = header
        self.body = body
        self.idle = idle
    }
}

/// One listener: where it listens, and what it bounds.
package struct HTTPListenerConfiguration: Sendable {
    /// The `listener` label of metrics and log lines.
    package var name: String
    package var host: String
    /// 0: any free port; `HTTPListener.localAddress` tells which.
    package var port: Int
    /// Absent: plain HTTP.
    package var tls: TLSContextSource?
    /// Connections open at once; further ones are closed as soon as they are accepted. No network has the last quarter.
    package var maxConnections: Int
    /// TLS handshakes that may begin each second; further connections wait shortly, then are closed.
    package var handshakesPerSecond: Int
    /// TLS handshakes under way at once; further connections wait as well.
    package var concurrentHandshakes: Int
    package var timeouts: HTTPTimeouts

    package init(
        name: String,
        host: String,
        port: Int,
        tls: TLSServerContext? = nil,
        maxConnections: Int = 4096,
        handshakesPerSecond: Int = 500,
        concurrentHandshakes: Int = 128,
        timeouts: HTTPTimeouts = HTTPTimeouts()
    ) {
        self.name = name
        self.host = host
        self.port = port
        self.tls = tls.map { TLSContextSource($0) }
        self.maxConnections = maxConnections
        self.handshakesPerSecond = handshakesPerSecond
        self.concurrentHandshakes = concurrentHandshakes
        self.timeouts = timeouts
    }
}

/// Bounds that nobody has needed to configure yet.
enum HTTPLimits {
    /// Names and values of all header fields, with the request target; nginx' default is 8 KiB a field, Go's 1 MiB.
    static let headerBytes = 32 * 1024
    static let headerFields = 128
    /// Bytes handed to the HTTP/1 decoder at once: bounds what can be decoded before anybody asked for it.
    static let inputSlice = 16 * 1024
    /// Undecoded bytes held for a peer that has ended its side while nobody reads.
    static let heldInput = 256 * 1024
    /// Requests decoded ahead of the one that is being answered.
    static let pipelinedRequests = 64
    /// Answer bytes handed to the channel at once.
    static let answerSlice = 64 * 1024
    /// After an answer that closes: how much of the peer's bytes is thrown away, and for how long, so that the peer reads
    /// the answer before it meets a reset.
    static let lingerBytes = 16 * 1024 * 1024
    static let linger: Duration = .seconds(2)
    /// A peer that has ended its side may still wait for its answer, or be gone: after this long it counts as gone.
    static let halfClosedGrace: Duration = .milliseconds(500)
}
