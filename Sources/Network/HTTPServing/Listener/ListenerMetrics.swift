import Common
import TLSTransport

/// What a listener counts, made once at its start.
struct ListenerMetrics: Sendable {
    enum ConnectionRefusal: String, CaseIterable, Sendable {
        case maxConnections = "max_connections"
        case maxConnectionsOfAddress = "max_connections_of_address"
        case handshakeRate = "handshake_rate"
        case handshakesUnderWay = "handshakes_under_way"
    }
    enum HTTPVersion: String, CaseIterable, Sendable {
        case http1 = "1"
        case http2 = "2"
    }

    let connections: MetricGauge
    let accepted: MetricCounter
    private let refused: [ConnectionRefusal: MetricCounter]
    private let requests: [HTTPVersion: MetricCounter]
    private let peerFaults: [PeerFault: MetricCounter]
    private let handshakes: [TLSHandshakeResult: MetricCounter]
    private let handshakeDuration: MetricHistogram?
    private let handshakesUnderWay: MetricGauge?
    private let handshakesWaiting: MetricGauge?

    /// - Parameter isEncrypted: whether there are handshakes to count.
    init(_ registry: MetricRegistry, listener: String, isEncrypted: Bool) {
        let label = ("listener", listener)
        self.connections = registry.gauge(
            "gateway_listener_connections",
            help: "Connections open now.",
            labels: [label]
        )
        self.accepted = registry.counter(
            "gateway_listener_connections_accepted_total",
            help: "Connections accepted.",
            labels: [label]
        )
        var refused: [ConnectionRefusal: MetricCounter] = [:]
        for reason in ConnectionRefusal.allCases {
            refused[reason] = registry.counter(
                "gateway_listener_connections_refused_total",
                help: "Connections closed as soon as they were accepted.",
                labels: [label, ("reason", reason.rawValue)]
            )
        }
        self.refused = refused
        var requests: [HTTPVersion: MetricCounter] = [:]
        for version in HTTPVersion.allCases {
            requests[version] = registry.counter(
                "gateway_listener_requests_total",
                help: "Request heads handed on, by major HTTP version.",
                labels: [label, ("version", version.rawValue)]
            )
        }
        self.requests = requests
        var peerFaults: [PeerFault: MetricCounter] = [:]
        for fault in PeerFault.allCases {
            peerFaults[fault] = registry.counter(
                "gateway_listener_peer_faults_total",
                help: "Connections or streams ended because of what the peer sent, or did not send.",
                labels: [label, ("reason", fault.rawValue)]
            )
        }
        self.peerFaults = peerFaults
        var handshakes: [TLSHandshakeResult: MetricCounter] = [:]
        for result in isEncrypted ? TLSHandshakeResult.allCases : [] {
            handshakes[result] = registry.counter(
                "gateway_tls_handshakes_total",
                help: "TLS handshakes, by how they ended.",
                labels: [label, ("result", result.rawValue)]
            )
        }
        self.handshakes = handshakes
        self.handshakeDuration =
            isEncrypted
            ? registry.histogram(
                "gateway_tls_handshake_duration_seconds",
                help: "From the accepted connection to the end of its TLS handshake, however it ended.",
                labels: [label]
            )
            : nil
        func gauge(_ name: String, _ help: String) -> MetricGauge? {
            isEncrypted ? registry.gauge(name, help: help, labels: [label]) : nil
        }
        self.handshakesUnderWay = gauge("gateway_tls_handshakes_under_way", "TLS handshakes that have begun.")
        self.handshakesWaiting = gauge("gateway_tls_handshakes_waiting", "Connections that wait for their handshake.")
    }

    func setHandshakes(underWay: Int, waiting: Int) {
        self.handshakesUnderWay?.set(underWay)
        self.handshakesWaiting?.set(waiting)
    }

    func handshake(_ result: TLSHandshakeResult, _ duration: Duration) {
        self.handshakes[result]?.increment()
        self.handshakeDuration?.observe(duration)
    }

    func refuse(_ reason: ConnectionRefusal) {
        self.refused[reason]?.increment()
    }

    func request(_ version: HTTPVersion) {
        self.requests[version]?.increment()
    }

    func count(_ fault: PeerFault) {
        self.peerFaults[fault]?.increment()
    }
}

/// Why a connection or stream was ended by us and not by its peer's wish.
enum PeerFault: String, CaseIterable, Sendable {
    /// Not HTTP, or HTTP whose end two parties could see differently.
    case malformed
    case headersTooLarge = "headers_too_large"
    case headersTimedOut = "headers_timed_out"
    case bodyTimedOut = "body_timed_out"
    /// The peer stopped reading its answer.
    case answerTimedOut = "answer_timed_out"
    /// More cancelled HTTP/2 streams, or control frames, than honest clients send.
    case flood
}
