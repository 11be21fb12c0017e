import Common
import RequestSigning
import Synchronization
import TenantConfiguration
import TimestreamLocal
import TimestreamModel

/// The key pairs that the embedded local engine knows: each tenant's own, good for its table alone.
///
/// A tenant without configured credentials gets a pair made at random; it lives as long as the process.
struct LocalKeyring {
    private(set) var keys: [String: AccessKey] = [:]
    private var made: [String: AccessKey] = [:]

    /// - Parameter previous: pairs that were made before are kept.
    init(tenants: [TenantSettings], previous: LocalKeyring? = nil) {
        for tenant in tenants {
            if case .generated = tenant.credentials, let kept = previous?.made[tenant.id] {
                self.made[tenant.id] = kept
            } else if let key = Self.key(of: tenant) {
                self.keys[tenant.id] = key
                if case .generated = tenant.credentials { self.made[tenant.id] = key }
            }
        }
        self.keys.merge(self.made) { key, _ in key }
    }

    /// What the engine is told: one entry a key, with every table it is good for.
    func engineKeys(of tenants: [TenantSettings]) -> [LocalEngineKey] {
        var tables: [AccessKey: [TableName]] = [:]
        for tenant in tenants {
            guard let key = self.keys[tenant.id] else { continue }
            tables[key, default: []].append(TableName(database: tenant.database, table: tenant.table))
        }
        return tables.map { LocalEngineKey(key: $0.key, tables: $0.value) }
    }

    /// Nil if each caller brings its own.
    private static func key(of tenant: TenantSettings) -> AccessKey? {
        switch tenant.credentials {
        case .keyPair(let accessKeyID, let secretAccessKey, let sessionToken):
            AccessKey(accessKeyID: accessKeyID, secretAccessKey: secretAccessKey, sessionToken: sessionToken)
        // The configuration lets a local engine have no other kind.
        case .generated, .profile, .found, .role:
            AccessKey(accessKeyID: "LOCAL" + Self.random(15).uppercased(), secretAccessKey: Secret(Self.random(40)))
        case .caller: nil
        }
    }

    private static func random(_ count: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
        return String((0..<count).map { _ in letters[Int.random(in: 0..<letters.count, using: &generator)] })
    }
}
