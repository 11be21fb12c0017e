import NIOCore

extension TLSHandler {
    /// The course of one TLS connection.
    struct StateMachine: Sendable {
        private enum State: Sendable {
            /// Becomes handshaking or closed.
            case idle
            /// Becomes established, failed or closed.
            case handshaking(deadline: NIODeadline)
            /// Becomes failed or closed.
            case established
            /// An alert was sent; what the peer still sends is thrown away until then. Becomes closed.
            case failed(until: NIODeadline)
            case closed
        }
        private var state: State = .idle

        var isHandshaking: Bool {
            if case .handshaking = self.state { true } else { false }
        }
        var isEstablished: Bool {
            if case .established = self.state { true } else { false }
        }
        var isDiscarding: Bool {
            if case .failed = self.state { true } else { false }
        }

        enum OnStart: Equatable { case handshake, ignore }
        mutating func started(deadline: NIODeadline) -> OnStart {
            guard case .idle = self.state else { return .ignore }
            self.state = .handshaking(deadline: deadline)
            return .handshake
        }

        enum OnCompletion: Equatable { case announce, ignore }
        mutating func handshakeCompleted() -> OnCompletion {
            guard case .handshaking = self.state else { return .ignore }
            self.state = .established
            return .announce
        }

        enum OnFailure: Equatable { case report, tell, ignore }
        /// OpenSSL has given up, and made an alert: `report` a handshake, `tell` the handlers of an established connection.
        mutating func failed(until: NIODeadline) -> OnFailure {
            switch self.state {
            case .handshaking:
                self.state = .failed(until: until)
                return .report
            case .established:
                self.state = .failed(until: until)
                return .tell
            case .idle, .failed, .closed:
                return .ignore
            }
        }

        enum OnTimer: Equatable { case timedOut, close, rearm(NIODeadline), ignore }
        mutating func timerFired(now: NIODeadline) -> OnTimer {
            switch self.state {
            case .handshaking(let deadline):
                guard now >= deadline else { return .rearm(deadline) }
                self.state = .closed
                return .timedOut
            case .failed(let until):
                guard now >= until else { return .rearm(until) }
                self.state = .closed
                return .close
            case .idle, .established, .closed:
                // The timer raced the last handshake bytes, or the end: benign.
                return .ignore
            }
        }

        enum OnInputClosed: Equatable { case abandon, forward, close, ignore }
        mutating func inputClosed() -> OnInputClosed {
            switch self.state {
            case .idle, .handshaking:
                self.state = .closed
                return .abandon
            case .established:
                return .forward
            case .failed:
                self.state = .closed
                return .close
            case .closed:
                return .ignore
            }
        }

        enum OnEnd: Equatable { case abandon, ignore }
        /// The channel is closing, by whoever's wish.
        mutating func ended() -> OnEnd {
            switch self.state {
            case .handshaking:
                self.state = .closed
                return .abandon
            case .idle, .established, .failed, .closed:
                self.state = .closed
                return .ignore
            }
        }
    }
}
