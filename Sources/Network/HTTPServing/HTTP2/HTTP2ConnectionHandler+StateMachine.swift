extension HTTP2ConnectionHandler {
    /// The course of one HTTP/2 connection: how it begins, drains and ends. Streams, timers and frames are the handler's.
    struct StateMachine: Sendable {
        private enum State: Sendable {
            /// Nothing was received. Becomes open, closing or closed.
            case awaitingPreface
            /// Becomes draining, closing or closed.
            case open
            /// The peer was told to open no more streams. Becomes closing or closed.
            case draining(knowsLastStream: Bool)
            /// We have ended our side. Becomes closed.
            case closing
            case closed
        }
        private var state: State = .awaitingPreface

        /// Whether frames still mean anything.
        var isServing: Bool {
            switch self.state {
            case .awaitingPreface, .open, .draining: true
            case .closing, .closed: false
            }
        }
        var isClosing: Bool {
            if case .closing = self.state { true } else { false }
        }

        enum OnFrame: Equatable { case startIdleTimer, nothing }
        mutating func frameReceived() -> OnFrame {
            guard case .awaitingPreface = self.state else { return .nothing }
            self.state = .open
            return .startIdleTimer
        }

        enum OnEmpty: Equatable { case startIdleTimer, endWithLastStream, end, nothing }
        /// The last open stream has closed.
        mutating func streamsEmptied() -> OnEmpty {
            switch self.state {
            case .awaitingPreface, .open:
                return .startIdleTimer
            case .draining(let knowsLastStream):
                self.state = .closing
                return knowsLastStream ? .end : .endWithLastStream
            case .closing, .closed:
                return .nothing
            }
        }

        enum OnDrain: Equatable { case announce, endWithLastStream, ignore }
        mutating func drain(hasStreams: Bool) -> OnDrain {
            switch self.state {
            case .awaitingPreface, .open:
                guard hasStreams else {
                    self.state = .closing
                    return .endWithLastStream
                }
                self.state = .draining(knowsLastStream: false)
                return .announce
            case .draining, .closing, .closed:
                return .ignore
            }
        }

        enum OnPing: Equatable { case sendLastStream, ignore }
        /// The peer has seen the first GOAWAY: streams it opened before it are all known.
        mutating func drainPingAcknowledged() -> OnPing {
            guard case .draining(knowsLastStream: false) = self.state else { return .ignore }
            self.state = .draining(knowsLastStream: true)
            return .sendLastStream
        }

        enum OnFailure: Equatable { case end, ignore }
        /// GOAWAY with an error was sent, or the budget for cancelled streams is spent.
        mutating func failed() -> OnFailure {
            guard self.isServing else { return .ignore }
            self.state = .closing
            return .end
        }

        enum OnTimer: Equatable { case close, endWithLastStream, ignore }
        mutating func timerFired(hasStreams: Bool) -> OnTimer {
            switch self.state {
            case .awaitingPreface, .closing, .closed:
                self.state = .closed
                return .close
            case .open:
                // A stream that was opened while the timer fired is not idle.
                guard !hasStreams else { return .ignore }
                self.state = .closing
                return .endWithLastStream
            case .draining:
                return .ignore
            }
        }

        mutating func close() {
            self.state = .closed
        }
    }
}
