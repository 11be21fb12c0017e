import Common
import NIOCore

/// One request body, from the first bytes that came along with the head to the answer of `collect`.
struct BodyMachine: ~Copyable {
    private enum State: ~Copyable {
        /// Nobody has asked yet; holds what arrived with the head. Becomes any other state.
        case held(chunks: [ByteBuffer], byteCount: Int, isComplete: Bool)
        /// Asked for, and not complete. Becomes over.
        case collecting(bytes: [UInt8], limitBytes: Int)
        /// Ended before anybody asked; `collect` is told. Becomes over.
        case failed(IncomingBodyError)
        /// Delivered, failed or given up: what still comes is thrown away. Final.
        case over
    }
    private var state: State
    private let declaredLength: Int?

    private init(_ state: consuming State, _ declaredLength: Int?) {
        self.state = state
        self.declaredLength = declaredLength
    }

    init(declaredLength: Int?) {
        self.init(.held(chunks: [], byteCount: 0, isComplete: false), declaredLength)
    }

    enum OnCollect: Equatable {
        case deliver([UInt8])
        case fail(IncomingBodyError)
        /// The rest must be read from the peer.
        case wait
    }
    mutating func collect(limitBytes: Int) -> OnCollect {
        let declared = self.declaredLength
        switch consume self.state {
        case .held(let chunks, let byteCount, let isComplete):
            if let declared, declared > limitBytes {
                self = .init(.over, declared)
                return .fail(.tooLarge(limitBytes: limitBytes, declared: declared))
            }
            guard byteCount <= limitBytes else {
                self = .init(.over, declared)
                return .fail(.tooLarge(limitBytes: limitBytes, declared: declared))
            }
            var bytes: [UInt8] = []
            // At most the limit, which the caller has accounted for; pages that are never filled cost nothing.
            bytes.reserveCapacity(max(declared ?? 0, byteCount))
            for chunk in chunks { bytes.append(contentsOf: chunk.readableBytesView) }
            if isComplete {
                self = .init(.over, declared)
                return .deliver(bytes)
            }
            self = .init(.collecting(bytes: bytes, limitBytes: limitBytes), declared)
            return .wait
        case .collecting:
            preconditionFailure("a request body is collected at most once")
        case .failed(let error):
            self = .init(.over, declared)
            return .fail(error)
        case .over:
            // The request was answered, and a task that outlived the answer still asks.
            self = .init(.over, declared)
            return .fail(.disconnected)
        }
    }

    enum OnReceive: Equatable {
        case hold
        /// The caller of `collect` is still waiting for more.
        case wantMore
        case discard
        case fail(IncomingBodyError)
    }
    mutating func receive(_ buffer: ByteBuffer) -> OnReceive {
        let declared = self.declaredLength
        switch consume self.state {
        case .held(var chunks, let byteCount, let isComplete):
            chunks.append(buffer)
            self = .init(
                .held(chunks: chunks, byteCount: byteCount + buffer.readableBytes, isComplete: isComplete),
                declared
            )
            return .hold
        case .collecting(var bytes, let limitBytes):
            guard bytes.count + buffer.readableBytes <= limitBytes else {
                self = .init(.over, declared)
                return .fail(.tooLarge(limitBytes: limitBytes, declared: declared))
            }
            bytes.append(contentsOf: buffer.readableBytesView)
            self = .init(.collecting(bytes: bytes, limitBytes: limitBytes), declared)
            return .wantMore
        case .failed(let error):
            self = .init(.failed(error), declared)
            return .discard
        case .over:
            self = .init(.over, declared)
            return .discard
        }
    }

    enum OnEnd: Equatable { case nothing, deliver([UInt8]), fail(IncomingBodyError) }
    /// The last byte has arrived.
    mutating func end() -> OnEnd {
        let declared = self.declaredLength
        switch consume self.state {
        case .held(let chunks, let byteCount, _):
            self = .init(.held(chunks: chunks, byteCount: byteCount, isComplete: true), declared)
            return .nothing
        case .collecting(let bytes, _):
            self = .init(.over, declared)
            return .deliver(bytes)
        case .failed(let error):
            self = .init(.failed(error), declared)
            return .nothing
        case .over:
            self = .init(.over, declared)
            return .nothing
        }
    }

    /// No more will come: the peer is gone, too slow, or the task was cancelled.
    mutating func fail(_ error: IncomingBodyError) -> OnEnd {
        let declared = self.declaredLength
        switch consume self.state {
        case .held:
            self = .init(.failed(error), declared)
            return .nothing
        case .collecting:
            self = .init(.over, declared)
            return .fail(error)
        case .failed(let earlier):
            self = .init(.failed(earlier), declared)
            return .nothing
        case .over:
            self = .init(.over, declared)
            return .nothing
        }
    }

    /// The request is answered: nobody needs the body any more.
    mutating func abandon() -> OnEnd {
        let declared = self.declaredLength
        switch consume self.state {
        case .collecting:
            self = .init(.over, declared)
            return .fail(.disconnected)
        case .held:
            self = .init(.over, declared)
            return .nothing
        case .failed:
            self = .init(.over, declared)
            return .nothing
        case .over:
            self = .init(.over, declared)
            return .nothing
        }
    }
}
