import Synchronization

/// A place among a tenant's concurrent requests, held until it is released or forgotten.
package final class Admission: Sendable {
    package let kind: RequestKind
    private let gate: TenantGate
    private let isReleased = Atomic<Bool>(false)

    init(_ kind: RequestKind, gate: TenantGate) {
        self.kind = kind
        self.gate = gate
    }

    deinit {
        self.release()
    }

    /// Gives the place back; a second call does nothing.
    package func release() {
        guard !self.isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
        self.gate.leave(self.kind)
    }
}
