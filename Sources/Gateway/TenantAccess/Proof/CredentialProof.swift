import Common
import HTTPTypes
import TenantConfiguration

/// Looks at what the `Authorization` field of a request shows: the same for tenants and for the admin console.
struct CredentialProof: Sendable {
    /// What was shown and is right.
    struct Shown {
        var isBasicProven = false
        var isBearerProven = false
        /// Right as far as the gateway can tell.
        var callerKeys: CallerKeys?
    }

    private let verifier: PasswordVerifier
    /// Hashes of every tenant that has passwords, for checks that only spend time.
    private let decoys: [[Secret]]
    private let clock: AccessClock

    init(verifier: PasswordVerifier, decoys: [[Secret]], clock: AccessClock) {
        self.verifier = verifier
        self.decoys = decoys
        self.clock = clock
    }

    /// - Parameters:
    ///   - name: whom the caller claims to act for; passwords are remembered for it alone.
    ///   - credentials: what is asked of the caller; absent, nothing is right and everything costs what it would else.
    ///   - source: where the request comes from, as `PeerSource` tells it.
    /// - Throws: 401 if nothing that can be read was shown; 503 as `AccessControl.prove`.
    func check(
        _ fields: HTTPFields,
        for name: String,
        _ credentials: TenantCredentials?,
        source: String
    ) async throws(AccessRefusal) -> Shown {
        var shown = Shown()
        switch AuthorizationCredentials(fields) {
        case .absent:
            throw .unauthorized(.noCredentials)
        case .malformed:
            throw .unauthorized(.malformedCredentials)
        case .basic(let username, let password):
            shown.callerKeys = credentials?.callerKeys(username: username, password: password)
            // Also for keys that the tenant does not take, so that they cost what an unknown tenant costs.
            guard shown.callerKeys == nil else { return shown }
            shown.isBasicProven = try await self.checkPassword(
                password,
                of: username,
                for: name,
                credentials,
                source: source
            )
        case .bearer(let token):
            // Also for unknown tenants, so that they cost the same.
            let digest = sha256(token)
            shown.isBearerProven = credentials?.accepts(tokenDigest: digest) ?? false
        }
        return shown
    }

    private func checkPassword(
        _ password: [UInt8],
        of username: [UInt8],
        for name: String,
        _ credentials: TenantCredentials?,
        source: String
    ) async throws(AccessRefusal) -> Bool {
        var hashes = credentials?.hashes(of: username) ?? []
        let isDecoy = hashes.isEmpty
        if isDecoy { hashes = credentials?.decoyHashes ?? [] }
        if hashes.isEmpty { hashes = self.decoys(for: name) }
        do {
            return try await self.verifier.verify(
                tenant: name,
                source: source,
                username: username,
                password: password,
                hashes: hashes,
                isDecoy: isDecoy
            )
        } catch {
            switch error {
            case .queueFull: throw .passwordQueueFull
            case .tooManyFailures(let wait):
                throw .passwordFailures(
                    retryAfterSeconds: AccessRefusal.retryAfterSeconds(nanoseconds: wait, chance: self.clock.chance())
                )
            case .cancelled: throw .cancelled
            }
        }
    }

    /// The hashes that a check for a tenant without passwords, or without existence, spends its time on.
    ///
    /// Each id always gets those of the same one of the configured tenants, so that an unknown tenant costs as much as
    /// some known one, and how much tells nothing. Swift seeds its hashes at random for each process.
    private func decoys(for tenant: String) -> [Secret] {
        guard !self.decoys.isEmpty else { return [] }
        return self.decoys[Int(UInt(bitPattern: tenant.hashValue) % UInt(self.decoys.count))]
    }
}
