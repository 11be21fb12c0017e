import Common

/// A deterministic automaton made while it runs, from the places the threads of a program come to.
///
/// Its states are kept until they take too much room, then it starts afresh; if that happens so often that making
/// them does not pay, the threads are run directly. Either way the time is linear in the value.
struct Automaton {
    private struct State {
        var waiting: Range<Int>
        var previous: ThreadSimulator.Neighbour
        var isAccepting: Bool
    }

    /// Entries in `transitions`, and in `waiting`: a megabyte each.
    static let defaultLimit = 1 << 18
    private static let unknown: Int32 = -1
    private static let dead: Int32 = 0
    private static let initial: Int32 = 1

    private let alphabet: Alphabet?
    private let limit: Int
    private var simulator: ThreadSimulator
    private var states: [State] = []
    /// A row for each state, a column for each class.
    private var transitions: [Int32] = []
    /// The threads of all states, one after the other.
    private var waiting: [Int32] = []
    private var known: [[Int32]: Int32] = [:]

    /// Since the states were last thrown away: transitions made, and bytes read before the current value.
    private var made = 0
    private var bytesRead = 0
    private(set) var isThrashing = false

    /// - Parameter limit: with 0 the threads are always run directly.
    init(_ program: Program, limit: Int = Self.defaultLimit) {
        self.limit = limit
        self.simulator = ThreadSimulator(program)
        self.alphabet = limit > 0 ? Alphabet(program) : nil
        self.reset()
    }

    /// Instructions visited so far.
    var steps: Int { self.simulator.steps }

    mutating func matches(_ bytes: Span<UInt8>) -> Bool {
        guard let alphabet = self.alphabet, !self.isThrashing else { return self.simulate(bytes) }
        var state = Self.initial
        var position = 0
        while position < bytes.count {
            let column = alphabet.index(of: decodeScalar(bytes, &position))
            var next = self.transitions[Int(state) * alphabet.count + column]
            if next == Self.unknown {
                next = self.transition(from: state, column: column, alphabet, position)
            }
            if next == Self.dead {
                self.bytesRead += position
                return false
            }
            state = next
        }
        self.bytesRead += position
        return self.states[Int(state)].isAccepting
    }

    private mutating func simulate(_ bytes: Span<UInt8>) -> Bool {
        self.simulator.start()
        var position = 0
        while position < bytes.count, !self.simulator.waiting.isEmpty {
            self.simulator.advance(decodeScalar(bytes, &position))
        }
        return position == bytes.count && self.simulator.isAccepting()
    }

    private mutating func transition(from state: Int32, column: Int, _ alphabet: Alphabet, _ position: Int) -> Int32 {
        let row = Int(state)
        self.simulator.resume(self.waiting[self.states[row].waiting], previous: self.states[row].previous)
        self.simulator.advance(alphabet.representatives[column])
        self.made += 1
        let isFull =
            self.transitions.count + alphabet.count > self.limit
            || self.waiting.count + self.simulator.waiting.count > self.limit
        if isFull {
            let place = (waiting: self.simulator.waiting, previous: self.simulator.previous)
            self.isThrashing = self.bytesRead + position < 8 * self.made
            self.bytesRead = -position
            self.reset()
            self.simulator.resume(place.waiting[...], previous: place.previous)
            return self.stateOfSimulator()
        }
        let next = self.stateOfSimulator()
        self.transitions[row * alphabet.count + column] = next
        return next
    }

    /// The state for where the threads are, made if it is new.
    private mutating func stateOfSimulator() -> Int32 {
        self.simulator.sortWaiting()
        let key = self.simulator.waiting + [self.simulator.previous.rawValue]
        if let state = self.known[key] { return state }
        let state = self.simulator.waiting.isEmpty ? Self.dead : Int32(self.states.count)
        self.known[key] = state
        if state != Self.dead {
            self.append()
        }
        return state
    }

    private mutating func append() {
        let start = self.waiting.count
        self.waiting += self.simulator.waiting
        self.states.append(
            State(
                waiting: start..<self.waiting.count,
                previous: self.simulator.previous,
                isAccepting: self.simulator.isAccepting()
            )
        )
        self.transitions += repeatElement(Self.unknown, count: self.alphabet?.count ?? 0)
    }

    /// Leaves the dead state, which has no threads, and the initial one.
    private mutating func reset() {
        self.states = [State(waiting: 0..<0, previous: .other, isAccepting: false)]
        self.transitions = Array(repeating: Self.dead, count: self.alphabet?.count ?? 0)
        self.waiting = []
        self.known = [:]
        self.made = 0
        self.simulator.start()
        // Made even if it has no threads: `initial` must be there.
        self.simulator.sortWaiting()
        self.known[self.simulator.waiting + [self.simulator.previous.rawValue]] = Self.initial
        self.append()
    }
}

/// An automaton that may be run from any thread, one value at a time.
final class SharedAutomaton: Sendable {
    private let automaton: Locked<Automaton>
    /// Checked first: most values of a label fail here, without the lock.
    private let prefix: [UInt8]

    init(_ program: Program, prefix: [UInt8]) {
        self.automaton = Locked(Automaton(program))
        self.prefix = prefix
    }

    func matches(_ bytes: Span<UInt8>) -> Bool {
        guard starts(bytes, with: self.prefix) else { return false }
        return self.automaton.withLock { $0.matches(bytes) }
    }
}
