import Common
import TenantConfiguration

/// What proves one tenant, in the form in which it is compared.
struct TenantCredentials: Sendable {
    private struct User: Sendable {
        var name: [UInt8]
        var hash: Secret
    }
    let isOpen: Bool
    private let requiresAll: Bool
    private let takesCertificate: Bool
    private let users: [User]
    private let tokenDigests: [[UInt8]]
    private let awsKeys: AuthenticationSettings.AWSKeys?

    init(_ settings: AuthenticationSettings) {
        self.isOpen = settings.isOpen
        self.requiresAll = settings.requiresAll
        self.takesCertificate = settings.clientCertificate != nil
        self.users = settings.basic.map { User(name: Array($0.username.utf8), hash: $0.passwordHash) }
        self.tokenDigests = settings.bearerTokenDigests
        self.awsKeys = settings.awsKeys
    }

    /// The hashes a user's password may match: several while a password is being replaced.
    func hashes(of username: [UInt8]) -> [Secret] {
        self.users.filter { $0.name == username }.map(\.hash)
    }

    /// Hashes whose cost is that of a wrong password here, for user names that do not exist: all of one user's, since a
    /// password that is being replaced costs twice. Empty without passwords.
    var decoyHashes: [Secret] { self.users.first.map { self.hashes(of: $0.name) } ?? [] }

    /// Whether a token's digest is one of the tenant's; always compares with every one of them.
    func accepts(tokenDigest: [UInt8]) -> Bool {
        var isFound = false
        for digest in self.tokenDigests where constantTimeEqual(digest, tokenDigest) { isFound = true }
        return isFound
    }

    /// Whether the caller's own AWS keys sign the calls, so that no request can do without them.
    var needsCallerKeys: Bool { self.awsKeys != nil }

    /// The keys that basic authentication shows, if the tenant takes these. Whether they are right only AWS knows.
    func callerKeys(username: [UInt8], password: [UInt8]) -> CallerKeys? {
        guard let awsKeys, let keys = CallerKeys(username: username, password: password) else { return nil }
        switch awsKeys {
        case .any: return keys
        case .accessKeyIDs(let ids): return ids.contains(keys.accessKeyID) ? keys : nil
        }
    }

    /// Whether what was shown is enough: any one kind of proof, or every kind listed with `require: all`.
    ///
    /// - Parameter callerKeys: whether the caller showed AWS keys that the tenant takes; a tenant that needs them is never
    ///   proven without.
    func areProven(certificate: Bool, basic: Bool = false, bearer: Bool = false, callerKeys: Bool = false) -> Bool {
        if self.needsCallerKeys {
            return callerKeys && (certificate || !self.takesCertificate || !self.requiresAll)
        }
        if self.isOpen { return true }
        var demanded: [Bool] = []
        if self.takesCertificate { demanded.append(certificate) }
        if !self.users.isEmpty { demanded.append(basic) }
        if !self.tokenDigests.isEmpty { demanded.append(bearer) }
        guard !demanded.isEmpty else { return false }
        return self.requiresAll ? demanded.allSatisfy(\.self) : demanded.contains(true)
    }
}
