package import Common
package import HTTPTypes
package import TenantConfiguration

/// Decides on the request head whose request it is and whether it may go on: resolve, prove, admit, in this order.
///
/// One per configuration; immutable but for gates, cache and budget, which a reload hands on.
package final class AccessControl: Sendable {
    private let resolver: TenantResolver
    private let tenants: [String: ConfiguredTenant]
    /// A hash of every tenant that has passwords, for checks that only spend time.
    private let decoyHashes: [Secret]
    private let verifier: PasswordVerifier
    private let withoutTenant: TenantMetrics
    private let clock: AccessClock
    /// The budget for bodies, shared by all tenants.
    package let bytesInFlight: BytesInFlight

    /// - Parameters:
    ///   - configuration: checked already; what needs OpenSSL or libcrypt is checked here.
    ///   - previous: what is replaced by this one. Rate limits, running requests, remembered passwords and reserved
    ///     bytes go over to this one.
    /// - Throws: every CA file that cannot be read, every hash that libcrypt does not know, a header that is none, a
    ///   default tenant that does not exist. `previous` is unchanged then.
    package convenience init(
        configuration: GatewayConfiguration,
        metrics: MetricRegistry,
        clock: AccessClock = .system,
        previous: AccessControl? = nil
    ) throws(ConfigurationProblems) {
        try self.init(
            configuration: configuration,
            metrics: metrics,
            clock: clock,
            previous: previous,
            verifier: previous?.verifier ?? PasswordVerifier(registry: metrics, clock: clock)
        )
    }

    init(
        configuration: GatewayConfiguration,
        metrics: MetricRegistry,
        clock: AccessClock,
        previous: AccessControl?,
        verifier: PasswordVerifier
    ) throws(ConfigurationProblems) {
        var check = AccessConfigurationCheck(configuration)
        self.resolver = check.makeResolver()
        check.checkPasswordHashes()
        guard check.problems.isEmpty else { throw ConfigurationProblems(check.problems) }

        self.clock = clock
        self.verifier = verifier
        verifier.limitFailures(perSecond: configuration.server.limits.failedPasswordsPerSecond)
        self.withoutTenant = TenantMetrics(withoutTenant: metrics)
        self.decoyHashes = configuration.tenants.compactMap(\.authentication.basic.first?.passwordHash)
        let limitBytes = configuration.server.limits.maxBytesInFlight
        self.bytesInFlight =
            previous?.bytesInFlight ?? BytesInFlight(limitBytes: limitBytes, metrics: metrics, chance: clock.chance)
        self.bytesInFlight.reconfigure(limitBytes: limitBytes)
        let share = LimitShare(replicas: configuration.server.replicas)
        var tenants: [String: ConfiguredTenant] = [:]
        for settings in configuration.tenants {
            let gate: TenantGate
            if let kept = previous?.tenants[settings.id]?.gate {
                kept.reconfigure(share.of(settings.limits))
                gate = kept
            } else {
                gate = TenantGate(
                    tenant: settings.id,
                    limits: share.of(settings.limits),
                    clock: clock,
                    metrics: Deferred { TenantMetrics(tenant: settings.id, registry: metrics) }
                )
            }
            tenants[settings.id] = ConfiguredTenant(settings, gate: gate)
        }
        self.tenants = tenants
    }

    /// Makes the metrics of all tenants, which are otherwise made with a tenant's first request.
    package func showMetrics() {
        for tenant in self.tenants.values { _ = tenant.gate.metrics }
    }

    /// The ids of all tenants, in no order.
    package var tenantIDs: [String] { Array(self.tenants.keys) }

    /// Takes the path of a request apart. Never fails: whether the route exists is the first question, and the same for
    /// all tenants.
    package func target(of head: HTTPRequest) -> RequestTarget {
        self.resolver.target(of: head)
    }

    /// Finds the tenant that header, path and client certificate name. Proves nothing.
    ///
    /// - Throws: 400 if no tenant, an invalid one, or two headers came; 403 if the sources disagree; 401 if the client
    ///   certificate has expired since the handshake.
    package func resolve(
        _ target: RequestTarget,
        head: HTTPRequest,
        peer: Peer
    ) throws(AccessRefusal) -> TenantCandidate {
        do throws(AccessRefusal) {
            if peer.isTrustLost { throw .certificateUntrusted }
            let resolution = try self.resolver.resolve(
                target,
                head.headerFields,
                identity: peer.identity,
                unixSeconds: self.clock.unixSeconds()
            )
            return TenantCandidate(
                claimedID: resolution.tenant,
                isProvenByCertificate: resolution.isProvenByCertificate,
                tenant: self.tenants[resolution.tenant],
                source: PeerSource.name(of: peer.address)
            )
        } catch {
            self.withoutTenant.countRefusal(error.reason)
            throw error
        }
    }

    /// Checks that the caller may act for the tenant.
    ///
    /// `Authorization` is looked at only if the certificate does not suffice. An unknown tenant costs the time of a
    /// wrong password.
    ///
    /// - Throws: 401; 503 if too many password checks wait, too many passwords from the peer's address were wrong, or the
    ///   task was cancelled.
    package func prove(_ candidate: TenantCandidate, head: HTTPRequest) async throws(AccessRefusal) -> ProvenTenant {
        let certificate = candidate.isProvenByCertificate
        if let tenant = candidate.tenant,
            tenant.credentials.areProven(certificate: certificate)
        {
            return ProvenTenant(tenant: tenant)
        }
        do {
            return try await self.proveByCredentials(candidate, head.headerFields)
        } catch {
            (candidate.tenant?.gate.metrics ?? self.withoutTenant).countRefusal(error.reason)
            throw error
        }
    }

    private func proveByCredentials(
        _ candidate: TenantCandidate,
        _ fields: HTTPFields
    ) async throws(AccessRefusal) -> ProvenTenant {
        var isBasicProven = false
        var isBearerProven = false
        var callerKeys: CallerKeys?
        switch AuthorizationCredentials(fields) {
        case .absent:
            throw .unauthorized(.noCredentials)
        case .malformed:
            throw .unauthorized(.malformedCredentials)
        case .basic(let username, let password):
            callerKeys = candidate.tenant?.credentials.callerKeys(username: username, password: password)
            if callerKeys == nil {
                // Also for keys that the tenant does not take, so that they cost what an unknown tenant costs.
                isBasicProven = try await self.checkPassword(candidate, username: username, password: password)
            }
        case .bearer(let token):
            // Also for unknown tenants, so that they cost the same.
            let digest = sha256(token)
            isBearerProven = candidate.tenant?.credentials.accepts(tokenDigest: digest) ?? false
        }
        guard let tenant = candidate.tenant,
            tenant.credentials.areProven(
                certificate: candidate.isProvenByCertificate,
                basic: isBasicProven,
                bearer: isBearerProven,
                callerKeys: callerKeys != nil
            )
        else { throw .unauthorized(.wrongCredentials) }
        return ProvenTenant(tenant: tenant, callerKeys: callerKeys)
    }

    private func checkPassword(
        _ candidate: TenantCandidate,
        username: [UInt8],
        password: [UInt8]
    ) async throws(AccessRefusal) -> Bool {
        var hashes = candidate.tenant?.credentials.hashes(of: username) ?? []
        let isDecoy = hashes.isEmpty
        if isDecoy, let hash = candidate.tenant?.credentials.decoyHash ?? self.decoyHash(for: candidate.claimedID) {
            hashes = [hash]
        }
        do {
            return try await self.verifier.verify(
                tenant: candidate.claimedID,
                source: candidate.source,
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

    /// The hash that a check for a tenant without passwords, or without existence, spends its time on.
    ///
    /// Each id always gets the same one of the configured tenants' hashes, so that an unknown tenant costs as much as
    /// some known one, and how much tells nothing. Swift seeds its hashes at random for each process.
    private func decoyHash(for tenant: String) -> Secret? {
        guard !self.decoyHashes.isEmpty else { return nil }
        return self.decoyHashes[Int(UInt(bitPattern: tenant.hashValue) % UInt(self.decoyHashes.count))]
    }

    /// Holds a proven request to its tenant's request rate and concurrency.
    ///
    /// - Parameter remaining: what is left of the request's deadline; it never waits longer.
    /// - Returns: the place among the concurrent requests; keep it until the answer is complete.
    /// - Throws: over the rate by more than `max_wait`: `throttle_status`, for reads 429; too many at once: 503. All
    ///   with `Retry-After`.
    package func admit(
        _ tenant: ProvenTenant,
        _ kind: RequestKind,
        within remaining: Duration
    ) async throws(AccessRefusal) -> Admission {
        try await tenant.tenant.gate.admit(kind, within: remaining)
    }

    /// Holds an admitted write to its tenant's sample rate. A request of more samples than the burst passes when the
    /// bucket is full.
    ///
    /// - Throws: as `admit`.
    package func admitSamples(
        _ count: Int,
        _ tenant: ProvenTenant,
        within remaining: Duration
    ) async throws(AccessRefusal) {
        try await tenant.tenant.gate.admitSamples(count, within: remaining)
    }

    /// Holds an admitted write to its tenant's rate of decoded bytes, before they are decoded.
    ///
    /// - Throws: as `admit`.
    package func admitDecodedBytes(
        _ count: Int,
        _ tenant: ProvenTenant,
        within remaining: Duration
    ) async throws(AccessRefusal) {
        try await tenant.tenant.gate.admitDecodedBytes(count, within: remaining)
    }

    /// Reserves memory for a body from `bytesInFlight`, and counts a refusal for the tenant.
    ///
    /// - Throws: as `BytesInFlight.reserve`.
    package func reserveBytes(_ byteCount: Int, _ tenant: ProvenTenant) throws(AccessRefusal) -> BytesLease {
        try self.bytesInFlight.reserve(byteCount, for: tenant.id, metrics: tenant.tenant.gate.metrics)
    }
}
