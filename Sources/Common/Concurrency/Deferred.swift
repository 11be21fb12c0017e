/// A value that is made once, by whoever asks for it first.
///
/// For what many could need and few do: most tenants of a large configuration send nothing for hours. Making it must
/// not wait, nor ask for the same value.
package final class Deferred<Value: Sendable>: Sendable {
    private enum State {
        case wanting(@Sendable () -> Value)
        case made(Value)
    }
    private let state: Locked<State>

    package init(_ make: @escaping @Sendable () -> Value) {
        self.state = Locked(.wanting(make))
    }

    package var value: Value {
        self.state.withLock { state in
            switch state {
            case .made(let value): return value
            case .wanting(let make):
                let value = make()
                // Lets go of all that was needed for making it.
                state = .made(value)
                return value
            }
        }
    }

    /// The value, if somebody has asked for it.
    package var made: Value? {
        self.state.withLock { state in
            guard case .made(let value) = state else { return nil }
            return value
        }
    }
}
