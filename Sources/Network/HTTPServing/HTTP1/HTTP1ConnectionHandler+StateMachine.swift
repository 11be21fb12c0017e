extension HTTP1ConnectionHandler {
    /// The course of one HTTP/1 connection: which request it is at, and how it ends. Bytes, timers and tasks are the
    /// handler's.
    struct StateMachine: Sendable {
        enum Waiting: Sendable {
            /// Nothing was ever received.
            case first
            /// Nothing of the next request was received.
            case next
            /// A part of a head was received.
            case partial
        }
        struct Exchange: Sendable {
            var keepsAlive: Bool
            var isRequestComplete = false
            var isAnswering = false
        }
        private enum State: Sendable {
            /// Becomes exchanging, or flushing with a refusal, or closed.
            case waiting(Waiting)
            /// Becomes waiting, or flushing.
            case exchanging(Exchange)
            /// The last answer is on its way to the socket. Becomes lingering or closed.
            case flushing
            /// We have ended our side, and throw away what the peer still sends. Becomes closed.
            case lingering
            case closed
        }
        private var state: State = .waiting(.first)
        private var isDraining = false
        private var isInputClosed = false

        var isWaiting: Bool {
            if case .waiting = self.state { true } else { false }
        }
        var isClosed: Bool {
            if case .closed = self.state { true } else { false }
        }
        var isLingering: Bool {
            if case .lingering = self.state { true } else { false }
        }
        var isRequestComplete: Bool {
            if case .exchanging(let exchange) = self.state { exchange.isRequestComplete } else { true }
        }
        /// Whether a request is with the responder, and nothing of its answer was written.
        var isUnanswered: Bool {
            if case .exchanging(let exchange) = self.state { !exchange.isAnswering } else { false }
        }

        enum OnBytes: Equatable { case nothing, startHeaderTimer }
        /// Bytes were received that did not complete a head.
        mutating func partReceived() -> OnBytes {
            switch self.state {
            case .waiting(.first):
                // The time for a connection's first head runs from its start.
                self.state = .waiting(.partial)
                return .nothing
            case .waiting(.next):
                self.state = .waiting(.partial)
                return .startHeaderTimer
            case .waiting(.partial), .exchanging, .flushing, .lingering, .closed:
                return .nothing
            }
        }

        mutating func headReceived(keepsAlive: Bool) {
            guard case .waiting = self.state else {
                preconditionFailure("a head is taken only when the last is answered")
            }
            self.state = .exchanging(Exchange(keepsAlive: keepsAlive))
        }

        mutating func requestEnded() {
            guard case .exchanging(var exchange) = self.state else { return }
            exchange.isRequestComplete = true
            self.state = .exchanging(exchange)
        }

        enum OnAnswer: Equatable { case write(closes: Bool), ignore }
        /// The responder has answered.
        mutating func answer(closes: Bool) -> OnAnswer {
            // The connection may have ended, or have been answered with a refusal, before the task did.
            guard case .exchanging(var exchange) = self.state, !exchange.isAnswering else { return .ignore }
            exchange.isAnswering = true
            if closes || self.isDraining || self.isInputClosed || !exchange.isRequestComplete {
                exchange.keepsAlive = false
            }
            self.state = .exchanging(exchange)
            return .write(closes: !exchange.keepsAlive)
        }

        enum OnRefusal: Equatable { case write, close, ignore }
        /// The connection itself answers, for the last time.
        mutating func refuse() -> OnRefusal {
            switch self.state {
            case .waiting:
                self.state = .flushing
                return .write
            case .exchanging(let exchange) where exchange.isAnswering:
                self.state = .closed
                return .close
            case .exchanging:
                self.state = .flushing
                return .write
            case .flushing, .lingering, .closed:
                return .ignore
            }
        }

        enum OnWritten: Equatable { case next, flush, ignore }
        /// All of an answer was handed to the channel.
        mutating func answerWritten() -> OnWritten {
            switch self.state {
            case .exchanging(let exchange) where exchange.keepsAlive && !self.isDraining && !self.isInputClosed:
                self.state = .waiting(.next)
                return .next
            case .exchanging, .flushing:
                self.state = .flushing
                return .flush
            case .waiting, .lingering, .closed:
                return .ignore
            }
        }

        enum OnFlushed: Equatable { case linger, close, ignore }
        /// The last answer has reached the socket.
        mutating func lastAnswerFlushed() -> OnFlushed {
            guard case .flushing = self.state else { return .ignore }
            if self.isInputClosed {
                self.state = .closed
                return .close
            }
            self.state = .lingering
            return .linger
        }

        enum OnInputClosed: Equatable { case close, failBody, startGrace, ignore }
        /// The peer has ended its side; it may wait for an answer, or be gone.
        mutating func inputClosed() -> OnInputClosed {
            self.isInputClosed = true
            switch self.state {
            case .waiting, .lingering:
                self.state = .closed
                return .close
            case .exchanging(let exchange):
                if !exchange.isRequestComplete { return .failBody }
                return exchange.isAnswering ? .ignore : .startGrace
            case .flushing, .closed:
                return .ignore
            }
        }

        enum OnDrain: Equatable { case close, ignore }
        mutating func drain() -> OnDrain {
            self.isDraining = true
            switch self.state {
            case .waiting(.first), .waiting(.next):
                self.state = .closed
                return .close
            case .waiting(.partial), .exchanging, .flushing, .lingering, .closed:
                return .ignore
            }
        }

        enum OnTimer: Equatable { case close, refuseHead, failBody, cancelTask, stalled }
        mutating func timerFired() -> OnTimer {
            switch self.state {
            case .waiting(.partial):
                return .refuseHead
            case .exchanging(let exchange) where exchange.isAnswering:
                self.state = .closed
                return .stalled
            case .exchanging(let exchange) where !exchange.isRequestComplete:
                return .failBody
            case .exchanging:
                return .cancelTask
            case .flushing:
                self.state = .closed
                return .stalled
            case .waiting(.first), .waiting(.next), .lingering, .closed:
                self.state = .closed
                return .close
            }
        }

        mutating func close() {
            self.state = .closed
        }
    }
}
