/// Where AWS' SDKs look when nothing is said: environment, web identity, shared files, container, instance; the first
/// that is there counts, even if it fails.
///
/// Source: AWS SDKs and Tools reference guide, "Standardized credential providers", chain order.
package struct DefaultChainProvider: CredentialProvider {
    private let providers: [any CredentialProvider]

    package init(in surroundings: CredentialSurroundings) {
        self.providers = [
            EnvironmentProvider(in: surroundings),
            WebIdentityProvider(in: surroundings),
            SharedFilesProvider(profile: nil, in: surroundings),
            ContainerProvider(in: surroundings),
            InstanceProvider(in: surroundings),
        ]
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        var reasons: [String] = []
        for provider in self.providers {
            do {
                return try await provider.fetch(deadline: deadline)
            } catch {
                reasons.append(error.message)
                guard error.code == .notConfigured else {
                    // The last one is asked unbidden: what was not there before it may be what is missing.
                    guard reasons.count == self.providers.count, error.code != .cancelled else { throw error }
                    throw CredentialError(error.code, "no credentials found: \(reasons.joined(separator: "; "))")
                }
            }
        }
        throw CredentialError(.notConfigured, "no credentials found: \(reasons.joined(separator: "; "))")
    }
}
