import Common
import Glibc
import UpstreamHTTP

/// The role of the EC2 instance, from its metadata service (IMDSv2 only).
///
/// Source: EC2 user guide, "Use the Instance Metadata Service"; AWS SDKs and Tools reference guide, "IMDS credential
/// provider".
package struct InstanceProvider: CredentialProvider {
    /// Of one try: the service is on this host, or it is not there at all.
    private static let timeout: Duration = .seconds(1)
    private static let tries = 3
    private static let credentialsPath = "/latest/meta-data/iam/security-credentials/"
    /// How long expired credentials are taken to last on when the service has no others yet.
    private static let extensionSeconds: ClosedRange<Int64> = 720...1200

    private let surroundings: CredentialSurroundings
    private let now: @Sendable () -> Int64

    package init(in surroundings: CredentialSurroundings) {
        self.init(in: surroundings, now: { Int64(time(nil)) })
    }

    init(in surroundings: CredentialSurroundings, now: @escaping @Sendable () -> Int64) {
        self.surroundings = surroundings
        self.now = now
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        guard !self.surroundings.isSet("AWS_EC2_METADATA_DISABLED") else {
            throw CredentialError(
                .notConfigured,
                "the instance metadata service is disabled by AWS_EC2_METADATA_DISABLED"
            )
        }
        let endpoint = self.endpoint
        // The token may have been one of before a restart of the service, so it gets a second chance.
        for isLast in [false, true] {
            let token = try await self.token(endpoint, deadline)
            do throws(Stale) {
                return try await self.credentials(endpoint, token, deadline)
            } catch {
                guard error.isToken, !isLast else { throw error.error }
            }
        }
        throw CredentialError(.refused, "the instance metadata service refuses its own tokens")
    }

    private var endpoint: String {
        let named =
            self.surroundings.metadataEndpoint ?? self.surroundings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT")
        if var named {
            while named.hasSuffix("/") { named.removeLast() }
            return named
        }
        let mode = self.surroundings.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE")?.lowercased()
        return mode == "ipv6" ? "http://[fd00:ec2::254]" : "http://169.254.169.254"
    }

    // MARK: Requests

    private func token(_ endpoint: String, _ deadline: ContinuousClock.Instant) async throws(CredentialError) -> Secret
    {
        let request = UpstreamRequest(
            method: "PUT",
            url: endpoint + "/latest/api/token",
            headers: [("x-aws-ec2-metadata-token-ttl-seconds", "21600")],
            body: FrozenBytes([])
        )
        let response: UpstreamResponse
        do {
            response = try await self.send(request, deadline)
        } catch {
            guard error.code == .unreachable else { throw error }
            throw CredentialError(
                .unreachable,
                "\(error.message) (no token came: not an EC2 instance, or a container on one whose "
                    + "HttpPutResponseHopLimit is 1)"
            )
        }
        guard response.status == 200, !response.body.isEmpty,
            let token = String(validating: response.body, as: UTF8.self),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            throw CredentialError(
                response.status >= 500 ? .unreachable : .refused,
                "the instance metadata service answers HTTP \(response.status) to a request for a token"
            )
        }
        return Secret(token)
    }

    private struct Stale: Error {
        var error: CredentialError
        var isToken = false
    }

    private func credentials(
        _ endpoint: String,
        _ token: Secret,
        _ deadline: ContinuousClock.Instant
    ) async throws(Stale) -> Credentials {
        let roles = try await self.get(endpoint + Self.credentialsPath, token, deadline)
        // One line a role; an instance has one.
        let name = roles.split(whereSeparator: { $0 == 0x0A || $0 == 0x0D }).first
        guard let name, let role = String(validating: name, as: UTF8.self),
            role.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw Stale(error: CredentialError(.malformed, "the instance metadata service names no role")) }

        let what = "the instance metadata service's answer for the role \(oneLine(role, limitBytes: 80))"
        let body = try await self.get(endpoint + Self.credentialsPath + role, token, deadline)
        do throws(CredentialError) {
            let document = try CredentialDocument(body, from: what)
            if let code = document.code, code != "Success" {
                throw CredentialError(.refused, "\(what) is \(oneWord(code))")
            }
            var credentials = try document.credentials(.instance, isTemporary: true, from: what)
            credentials.outlivesExpiration = true
            let now = self.now()
            if let expiration = credentials.expiration, expiration <= now {
                credentials.expiration = now + Int64.random(in: Self.extensionSeconds)
            }
            return credentials
        } catch {
            throw Stale(error: error)
        }
    }

    private func get(
        _ url: String,
        _ token: Secret,
        _ deadline: ContinuousClock.Instant
    ) async throws(Stale) -> [UInt8] {
        let request = UpstreamRequest(
            method: "GET",
            url: url,
            headers: [("x-aws-ec2-metadata-token", token.revealed)],
            body: nil
        )
        let response: UpstreamResponse
        do {
            response = try await self.send(request, deadline)
        } catch {
            throw Stale(error: error)
        }
        switch response.status {
        case 200: return response.body
        case 401:
            let message = "the instance metadata service refuses its own token"
            throw Stale(error: CredentialError(.refused, message), isToken: true)
        case 404:
            throw Stale(error: CredentialError(.refused, "the instance has no role (HTTP 404 of its metadata service)"))
        default:
            let code: CredentialError.Code = response.status >= 500 ? .unreachable : .refused
            throw Stale(error: CredentialError(code, "the instance metadata service answers HTTP \(response.status)"))
        }
    }

    /// Sends a request, again after a server fault or silence.
    private func send(
        _ request: UpstreamRequest,
        _ deadline: ContinuousClock.Instant
    ) async throws(CredentialError) -> UpstreamResponse {
        var attempt = 1
        while true {
            var outcome: Result<UpstreamResponse, CredentialError>
            do {
                let limit = min(deadline, .now + Self.timeout * self.surroundings.timeoutFactor)
                outcome = .success(try await self.surroundings.metadata.send(request, deadline: limit))
            } catch {
                outcome = .failure(CredentialError(error, asking: "the instance metadata service"))
            }
            let isWorthRetrying =
                switch outcome {
                case .success(let response): response.status >= 500
                case .failure(let error): error.code == .unreachable
                }
            let pause: Duration = .milliseconds(Int.random(in: 25...100) << attempt)
            guard isWorthRetrying, attempt < Self.tries, ContinuousClock.now + pause < deadline else {
                return try outcome.get()
            }
            attempt += 1
            guard (try? await Task.sleep(for: pause)) != nil else {
                throw CredentialError(.cancelled, "cancelled while asking the instance metadata service")
            }
        }
    }
}
