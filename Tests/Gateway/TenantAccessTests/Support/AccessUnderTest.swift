import Common
import HTTPTypes

@testable import TenantAccess
@testable import TenantConfiguration

/// Access control on a clock that stands still, with bcrypt's answers from a table.
final class AccessUnderTest: Sendable {
    let clock = TestClock()
    let registry = MetricRegistry()
    private let current: Locked<AccessControl>
    private let comparisons: CheckLog

    /// The hashes that passwords were checked against, decoys included.
    final class CheckLog: Sendable {
        private let hashes = Locked<[String]>([])
        var all: [String] { self.hashes.withLock { $0 } }

        func compare(_ password: [UInt8], _ hash: String) -> Bool {
            self.hashes.withLock { $0.append(hash) }
            let passwords = [hashOfABC.revealed: "abc", hashOfA.revealed: "a", hashOfNothing.revealed: ""]
            return passwords[hash].map { Array($0.utf8) } == password
        }
    }

    var access: AccessControl { self.current.withLock { $0 } }
    var checkedHashes: [String] { self.comparisons.all }

    init(_ configuration: GatewayConfiguration, bounds: PasswordQueueBounds = PasswordQueueBounds()) throws {
        let comparisons = CheckLog()
        self.comparisons = comparisons
        self.current = Locked(
            try AccessControl(
                configuration: configuration,
                metrics: self.registry,
                clock: self.clock.accessClock,
                previous: nil,
                verifier: PasswordVerifier(
                    registry: self.registry,
                    clock: self.clock.accessClock,
                    bounds: bounds,
                    compare: { comparisons.compare($0, $1) }
                )
            )
        )
    }

    func reload(_ configuration: GatewayConfiguration) throws {
        let next = try AccessControl(
            configuration: configuration,
            metrics: self.registry,
            clock: self.clock.accessClock,
            previous: self.access
        )
        self.current.withLock { $0 = next }
    }

    func prove(_ head: HTTPRequest, _ peer: Peer = makePeer()) async throws(AccessRefusal) -> ProvenTenant {
        let access = self.access
        let candidate = try access.resolve(access.target(of: head), head: head, peer: peer)
        return try await access.prove(candidate, head: head)
    }

    /// The proven tenant's id, or the refusal.
    func decide(_ head: HTTPRequest, _ peer: Peer = makePeer()) async -> Result<String, AccessRefusal> {
        do throws(AccessRefusal) {
            return .success(try await self.prove(head, peer).id)
        } catch {
            return .failure(error)
        }
    }

    func decide(_ tenant: String, _ authorization: String?) async -> Result<String, AccessRefusal> {
        await self.decide(makeHead(tenants: [tenant], authorization: authorization))
    }

    /// All refusals counted, as "tenant/reason".
    var refusals: [String: Int] {
        var result: [String: Int] = [:]
        for line in self.registry.exposition().split(separator: "\n") where line.hasPrefix("gateway_requests_refused") {
            let parts = line.split(separator: " ")
            let values = parts[0].split(separator: "\"", omittingEmptySubsequences: false)
            guard let count = Int(parts[1]), count != 0, values.count > 3 else { continue }
            result["\(values[1])/\(values[3])"] = count
        }
        return result
    }
}
