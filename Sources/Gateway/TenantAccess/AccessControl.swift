package import Common
package import HTTPTypes
package import TenantConfiguration

/// Decides on the request head whose request it is and whether it may go on: resolve, prove, admit, in this order.
///
/// One per configuration; immutable but for gates, cache and budget, which a reload hands on.
package final class AccessControl: Sendable {
    private let resolver: TenantResolver
    private let tenants: [String: ConfiguredTenant]
    /// Absent: no operator can be proven.
    private let operators: OperatorAccess?
    private let proof: CredentialProof
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
        // In the order of the file, so that a reload gives an unknown tenant the same ones.
        let decoys = configuration.tenants.compactMap { tenants[$0.id]?.credentials.decoyHashes }
        let proof = CredentialProof(verifier: verifier, decoys: decoys.filter { !$0.isEmpty }, clock: clock)
        self.proof = proof
        self.operators = configuration.server.admin.authentication.map { settings in
            OperatorAccess(settings, proof: proof, metrics: metrics)
        }
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
        let shown = try await self.proof.check(
            fields,
            for: candidate.claimedID,
            candidate.tenant?.credentials,
            source: candidate.source
        )
        guard let tenant = candidate.tenant,
            tenant.credentials.areProven(
                certificate: candidate.isProvenByCertificate,
                basic: shown.isBasicProven,
                bearer: shown.isBearerProven,
                callerKeys: shown.callerKeys != nil
            )
        else { throw .unauthorized(.wrongCredentials) }
        return ProvenTenant(tenant: tenant, callerKeys: shown.callerKeys)
    }

    /// Whether anything proves an operator: `server.admin.auth` is there.
    package var admitsOperators: Bool { self.operators != nil }

    /// Checks that the caller may see the operators' pages.
    ///
    /// Proof costs, is remembered and is slowed as that of tenants, and wrong passwords of a peer's address count together
    /// with those it sent for tenants.
    ///
    /// - Throws: 401, also where nothing is configured that could prove it; 503 as `prove`.
    package func proveOperator(_ head: HTTPRequest, peer: Peer) async throws(AccessRefusal) {
        guard let operators else { throw .operatorUnauthorized(.wrongCredentials) }
        try await operators.prove(head.headerFields, source: PeerSource.name(of: peer.address))
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
