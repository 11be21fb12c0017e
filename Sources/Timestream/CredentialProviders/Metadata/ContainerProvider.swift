import UpstreamHTTP

/// The container's own role: tasks of ECS, and EKS Pod Identity.
///
/// Source: AWS SDKs and Tools reference guide, "Container credential provider".
package struct ContainerProvider: CredentialProvider {
    private static let timeout: Duration = .seconds(2)
    private static let tries = 3

    private let surroundings: CredentialSurroundings

    package init(in surroundings: CredentialSurroundings) {
        self.surroundings = surroundings
    }

    package func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        let url = try self.url()
        var headers = [(name: "accept", value: "application/json")]
        if let token = try await self.authorization() { headers.append(("authorization", token)) }
        let request = UpstreamRequest(method: "GET", url: url, headers: headers, body: nil)
        var attempt = 1
        while true {
            let failure: CredentialError
            do {
                let limit = min(deadline, .now + Self.timeout * self.surroundings.timeoutFactor)
                let response = try await self.surroundings.metadata.send(request, deadline: limit)
                if response.status == 200 {
                    let what = "the answer of the container's endpoint"
                    return try CredentialDocument(response.body, from: what)
                        .credentials(.container, isTemporary: true, from: what)
                }
                failure = Self.failure(response)
            } catch let error as UpstreamError {
                failure = CredentialError(error, asking: "the container's endpoint")
            } catch let error as CredentialError {
                throw error
            } catch {
                failure = CredentialError(.cancelled, "cancelled while asking the container's endpoint")
            }
            let pause: Duration = .milliseconds(Int.random(in: 50...200) << attempt)
            guard failure.code == .unreachable, attempt < Self.tries, ContinuousClock.now + pause < deadline else {
                throw failure
            }
            attempt += 1
            guard (try? await Task.sleep(for: pause)) != nil else {
                throw CredentialError(.cancelled, "cancelled while asking the container's endpoint")
            }
        }
    }

    private static func failure(_ response: UpstreamResponse) -> CredentialError {
        let document = try? CredentialDocument(response.body, from: "")
        // A code is a word of the agent's; its message may hold anything.
        let code = document?.code.map { " (\(oneWord($0)))" } ?? ""
        return CredentialError(
            response.status >= 500 || response.status == 429 ? .unreachable : .refused,
            "the container's endpoint answers HTTP \(response.status)\(code)"
        )
    }

    private func url() throws(CredentialError) -> String {
        if let relative = self.surroundings.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard relative.hasPrefix("/") else {
                throw CredentialError(
                    .misconfigured,
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI does not start with a slash"
                )
            }
            return self.surroundings.containerEndpoint + relative
        }
        guard let url = self.surroundings.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") else {
            throw CredentialError(.notConfigured, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set")
        }
        guard Self.mayBeAsked(url) else {
            throw CredentialError(
                .misconfigured,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or name a loopback address, 169.254.170.2, "
                    + "169.254.170.23 or [fd00:ec2::23]"
            )
        }
        return url
    }

    /// Without TLS the token may go to this host and to the link's own addresses only.
    static func mayBeAsked(_ url: String) -> Bool {
        let lowercased = url.lowercased()
        if lowercased.hasPrefix("https://") { return true }
        guard lowercased.hasPrefix("http://") else { return false }
        let authority = lowercased.dropFirst("http://".count).prefix { !"/?#".contains($0) }
        // A user in front of the host only serves to mislead.
        guard !authority.contains("@"), !authority.contains("\\") else { return false }
        let host: Substring
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return false }
            let behind = authority[authority.index(after: end)...]
            guard behind.isEmpty || behind.hasPrefix(":") else { return false }
            host = authority[authority.index(after: authority.startIndex)..<end]
        } else {
            host = authority.prefix { $0 != ":" }
        }
        if ["localhost", "::1", "169.254.170.2", "169.254.170.23", "fd00:ec2::23"].contains(String(host)) {
            return true
        }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    private func authorization() async throws(CredentialError) -> String? {
        if let path = self.surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            return try await SmallFile.token(path, "the container's authorization token file")
        }
        guard let token = self.surroundings.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN") else { return nil }
        guard token.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            throw CredentialError(.misconfigured, "AWS_CONTAINER_AUTHORIZATION_TOKEN cannot stand in an HTTP header")
        }
        return token
    }
}

/// The letters and digits a text starts with, at most 60 of them.
func oneWord(_ text: String) -> String {
    String(text.prefix(60).prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") })
}
