import COpenSSL
import Common

/// The keys that session tickets are sealed with: random, in this process alone, and short-lived.
///
/// A key seals for half an hour and opens for an hour. So whoever takes the process' memory reads no session that is older,
/// and a ticket is good for an hour at most. One that the previous key opens is replaced by a new one.
///
/// - Source: RFC 5077, sections 4 and 5.5; RFC 8446, section 4.6.1 (a ticket's life) and appendix C.4.
final class TicketKeys: Sendable {
    static let sealingTime: Duration = .seconds(1800)
    static let openingTime: Duration = .seconds(3600)

    private struct State {
        var current: TicketKey?
        var previous: TicketKey?
    }
    private let state = Locked(State())
    private let now: @Sendable () -> ContinuousClock.Instant

    /// - Parameter now: goes on while the machine sleeps.
    init(now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.now = now
    }

    /// The key for a new ticket; `nil` when OpenSSL has no random bytes.
    func sealing() -> TicketKey? {
        let now = self.now()
        return self.state.withLock { state in
            Self.age(&state, now)
            if state.current == nil { state.current = TicketKey(madeAt: now) }
            return state.current
        }
    }

    /// The key of this name, and whether it still seals; `nil` when there is none, or none any more.
    func opening(_ name: [UInt8]) -> (key: TicketKey, isCurrent: Bool)? {
        let now = self.now()
        return self.state.withLock { state in
            Self.age(&state, now)
            if let key = state.current, key.name == name { return (key, true) }
            if let key = state.previous, key.name == name { return (key, false) }
            return nil
        }
    }

    /// Forgets the keys that are past their time. Each use does it too.
    func dropOld() {
        let now = self.now()
        self.state.withLock { Self.age(&$0, now) }
    }

    /// Forgets all keys.
    func clear() {
        self.state.withLock { $0 = State() }
    }

    private static func age(_ state: inout State, _ now: ContinuousClock.Instant) {
        // The one before is past its own time by then: it was made that much earlier.
        if let key = state.current, now - key.madeAt >= self.sealingTime {
            state.previous = key
            state.current = nil
        }
        if let key = state.previous, now - key.madeAt >= self.openingTime { state.previous = nil }
    }

    /// Called by OpenSSL when a ticket is to be sealed or opened.
    static let callback:
        @convention(c) (
            OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?,
            Int32
        ) -> Int32 = { ssl, name, iv, cipher, mac, isSealing in
            let (failed, notOpened, done, doneAndRenew): (Int32, Int32, Int32, Int32) = (-1, 0, 1, 2)
            guard let ssl = unsafe ssl, let name = unsafe name, let iv = unsafe iv,
                let keys = unsafe TLSServerContext.of(ssl)?.ticketKeys
            else { return failed }
            guard isSealing == 1 else {
                let wanted = unsafe Array(UnsafeBufferPointer(start: name, count: TicketKey.nameBytes))
                guard let (key, isCurrent) = keys.opening(wanted) else { return notOpened }
                guard unsafe key.ready(cipher, mac, iv: iv, isSealing: false) else { return failed }
                return isCurrent ? done : doneAndRenew
            }
            guard let key = keys.sealing(), unsafe RAND_bytes(iv, TicketKey.ivBytes) == 1,
                unsafe key.ready(cipher, mac, iv: iv, isSealing: true)
            else { return failed }
            unsafe name.update(from: key.name, count: TicketKey.nameBytes)
            return done
        }
}

/// One key: a name that stands in the tickets, and the secrets, which are wiped with it.
final class TicketKey: Sendable {
    static let nameBytes = 16
    static let ivBytes: Int32 = 16
    /// AES-256, and HMAC with SHA-256.
    private static let secretBytes = 32

    let name: [UInt8]
    let madeAt: ContinuousClock.Instant
    /// The cipher's key, then the code's.
    private let secrets: Secret

    /// `nil` when OpenSSL has no random bytes.
    init?(madeAt: ContinuousClock.Instant) {
        var name = [UInt8](repeating: 0, count: Self.nameBytes)
        var secrets = [UInt8](repeating: 0, count: 2 * Self.secretBytes)
        defer { secrets.overwrite() }
        guard unsafe RAND_bytes(&name, Int32(name.count)) == 1,
            unsafe RAND_priv_bytes(&secrets, Int32(secrets.count)) == 1
        else { return nil }
        self.name = name
        self.madeAt = madeAt
        self.secrets = Secret(bytes: secrets)
    }

    fileprivate func ready(
        _ cipher: OpaquePointer?,
        _ mac: OpaquePointer?,
        iv: UnsafeMutablePointer<UInt8>,
        isSealing: Bool
    ) -> Bool {
        unsafe self.secrets.withUnsafeBytes { secrets in
            guard let start = unsafe secrets.bindMemory(to: UInt8.self).baseAddress else { return false }
            return unsafe shim_ticket_init(cipher, mac, start, start + Self.secretBytes, iv, isSealing ? 1 : 0) == 1
        }
    }
}
