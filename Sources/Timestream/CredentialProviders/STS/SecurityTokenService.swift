import Common
import Glibc
import RequestSigning
package import UpstreamHTTP

/// Asks AWS' Security Token Service for temporary credentials. One serves all tenants.
///
/// Source: AWS STS API reference, version 2011-06-15; the form and the XML are those of the query protocol.
package struct SecurityTokenService: Sendable {
    /// Of one try.
    private static let timeout: Duration = .seconds(5)
    private static let tries = 3

    private let upstream: UpstreamClient
    private let signer: RequestSigner
    private let endpoints: STSEndpoints

    /// - Parameters:
    ///   - endpoint: `scheme://host[:port]` of the service for all regions; `nil`: each region's own.
    ///   - environment: may name an endpoint, or ask for FIPS or dual-stack ones, as with AWS' own tools.
    package init(upstream: UpstreamClient, endpoint: String?, environment: [String: String]) {
        self.upstream = upstream
        self.signer = RequestSigner(service: "sts")
        self.endpoints = STSEndpoints(configured: endpoint, environment: environment)
    }

    /// Makes a call, again if the service is in trouble.
    ///
    /// - Parameters:
    ///   - key: what it is signed with; `nil` for calls that prove themselves otherwise.
    ///   - secret: stands in the parameters, and must not come back in an error.
    func credentials(
        _ action: String,
        _ parameters: [(name: String, value: String)],
        key: AccessKey?,
        hiding secret: Secret? = nil,
        region: String,
        origin: CredentialOrigin,
        deadline: ContinuousClock.Instant
    ) async throws(CredentialError) -> Credentials {
        let form = FormText.encode([("Action", action), ("Version", "2011-06-15")] + parameters)
        let body = FrozenBytes(Array(form.utf8))
        var attempt = 1
        while true {
            do throws(Failure) {
                return try await self.once(action, body, key, secret, region, origin, deadline)
            } catch {
                let pause: Duration = .milliseconds(Int.random(in: 50...200) << attempt)
                guard error.isWorthRetrying, attempt < Self.tries, ContinuousClock.now + pause < deadline else {
                    throw error.error
                }
                attempt += 1
                guard (try? await Task.sleep(for: pause)) != nil else {
                    throw CredentialError(.cancelled, "cancelled while asking STS")
                }
            }
        }
    }

    private struct Failure: Error {
        var error: CredentialError
        var isWorthRetrying = false
    }

    private func once(
        _ action: String,
        _ body: FrozenBytes,
        _ key: AccessKey?,
        _ secret: Secret?,
        _ region: String,
        _ origin: CredentialOrigin,
        _ deadline: ContinuousClock.Instant
    ) async throws(Failure) -> Credentials {
        let endpoint = self.endpoints.endpoint(region: region)
        var headers = [
            (name: "content-type", value: "application/x-www-form-urlencoded; charset=utf-8"),
            (name: "host", value: String(endpoint.drop { $0 != "/" }.dropFirst(2))),
        ]
        if let key {
            headers += self.signer.sign(
                SignableRequest(method: "POST", target: "/", headers: headers),
                body: body,
                key: key,
                region: region,
                at: Int64(time(nil))
            )
        }
        let response: UpstreamResponse
        do {
            response = try await self.upstream.send(
                UpstreamRequest(method: "POST", url: endpoint + "/", headers: headers, body: body),
                deadline: min(deadline, .now + Self.timeout)
            )
        } catch {
            throw Failure(
                error: CredentialError(error, asking: "STS"),
                isWorthRetrying: error.code != .cancelled && error.code != .tlsVerification
            )
        }
        guard response.status == 200 else { throw Self.failure(response, endpoint, hiding: secret) }
        do throws(CredentialError) {
            return try Self.credentials(response.body, "the answer of STS to \(action)", origin)
        } catch {
            throw Failure(error: error)
        }
    }

    static func credentials(
        _ body: [UInt8],
        _ what: String,
        _ origin: CredentialOrigin
    ) throws(CredentialError) -> Credentials {
        let leaves: XMLLeaves
        do {
            leaves = try XMLLeaves(body)
        } catch {
            throw CredentialError(.malformed, "\(what) has not \(error.expected) at byte \(error.offset)")
        }
        func leaf(_ name: String) throws(CredentialError) -> String {
            guard let text = leaves["Credentials/\(name)"] else {
                throw CredentialError(.malformed, "\(what) has no Credentials/\(name)")
            }
            return trimmingBlanks(text)
        }
        let key = AccessKey(
            accessKeyID: try leaf("AccessKeyId"),
            secretAccessKey: Secret(try leaf("SecretAccessKey")),
            sessionToken: Secret(try leaf("SessionToken"))
        )
        return Credentials(
            key: try key.checked(what),
            expiration: try instant(try leaf("Expiration"), in: what),
            origin: origin
        )
    }

    private static func failure(_ response: UpstreamResponse, _ endpoint: String, hiding secret: Secret?) -> Failure {
        let isServerFault = response.status >= 500 || response.status == 429
        guard let leaves = try? XMLLeaves(response.body), let code = leaves["Error/Code"] else {
            let message = "\(endpoint) answers HTTP \(response.status) without an error of STS"
            return Failure(
                error: CredentialError(isServerFault ? .unreachable : .malformed, message),
                isWorthRetrying: isServerFault
            )
        }
        // A token that is refused may be repeated in the words of the refusal.
        var words = leaves["Error/Message"] ?? ""
        if let secret { words = words.replacing(secret.revealed, with: "<secret>") }
        let text = oneLine("STS: \(code): \(words)", limitBytes: 600)
        // Source: STS API reference, AssumeRoleWithWebIdentity, "Errors": this one may be gone at the next try.
        let isTransient =
            isServerFault || ["Throttling", "RequestLimitExceeded", "IDPCommunicationError"].contains(code)
        return Failure(
            error: CredentialError(isTransient ? .unreachable : .refused, text),
            isWorthRetrying: isTransient
        )
    }
}

extension CredentialError {
    /// What a failed transfer means.
    init(_ error: UpstreamError, asking whom: String) {
        switch error.code {
        case .cancelled, .shutDown: self.init(.cancelled, "cancelled while asking \(whom)")
        case .invalidRequest: self.init(.misconfigured, "asking \(whom): \(error.message)")
        default: self.init(.unreachable, "asking \(whom): \(error.message)")
        }
    }
}

/// `application/x-www-form-urlencoded`, as AWS' clients write it.
enum FormText {
    static func encode(_ parameters: [(name: String, value: String)]) -> String {
        parameters.map { "\(Self.encode($0.name))=\(Self.encode($0.value))" }.joined(separator: "&")
    }

    private static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: " "):
                result += "+"
            default:
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
