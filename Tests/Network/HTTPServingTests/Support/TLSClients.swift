import Common
import HTTPTypes
import TLSTransport
import TestSupport

@testable import HTTPServing

extension TestServer {
    /// A TLS context over a standard test PKI.
    static func context(
        _ pki: TestPKI,
        authentication: TLSClientAuthentication = .request,
        minimumVersion: TLSVersion = .tls12,
        additional: [String] = [],
        crl: String? = nil
    ) throws -> TLSServerContext {
        try TLSServerContext(
            TLSServerConfiguration(
                certificateChainPath: pki.certificate("server"),
                privateKeyPath: pki.key("server"),
                clientCAPath: authentication == .none ? nil : pki.certificate("ca"),
                additionalCAPaths: additional.map(pki.certificate),
                clientAuthentication: authentication,
                minimumVersion: minimumVersion,
                crlPath: crl.map(pki.path)
            )
        )
    }

    /// Answers with who the client is.
    static let whoAmI: @Sendable (IncomingRequest) async -> OutgoingResponse = { request in
        guard let identity = request.peer.identity else {
            return OutgoingResponse(status: .ok, body: Array("nobody".utf8))
        }
        let parts = [
            "cn=\(identity.commonName ?? "-")",
            "dns=\(identity.dnsNames.joined(separator: ","))",
            "uri=\(identity.uris.joined(separator: ","))",
            "email=\(identity.emails.joined(separator: ","))",
            "chain=\(identity.chainDigests.map { hexadecimal($0) }.joined(separator: ","))",
            "until=\(identity.notAfterSeconds)",
        ]
        return OutgoingResponse(status: .ok, body: Array(parts.joined(separator: " ").utf8))
    }

    /// `openssl s_client`, with one request on its standard input, to the end of the connection.
    func sClient(
        _ pki: TestPKI,
        certificate: String? = nil,
        chain: String? = nil,
        _ more: [String] = []
    ) async throws -> ProgramResult {
        var arguments = ["s_client", "-connect", self.address, "-CAfile", pki.certificate("ca"), "-ign_eof"]
        if let certificate {
            arguments += ["-cert", pki.certificate(certificate), "-key", pki.key(certificate)]
        }
        if let chain { arguments += ["-cert_chain", pki.certificate(chain)] }
        return try await run(
            "openssl",
            arguments + more,
            input: "GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            timeout: 10
        )
    }

    func curl(_ pki: TestPKI?, certificate: String? = nil, _ more: [String], path: String = "/") async throws
        -> ProgramResult
    {
        let url = "\(pki == nil ? "http" : "https")://localhost:\(self.address.split(separator: ":").last ?? "")\(path)"
        var arguments = ["-sS", "--max-time", "20"]
        if let pki { arguments += ["--cacert", pki.certificate("ca")] }
        if let pki, let certificate {
            arguments += ["--cert", pki.certificate(certificate), "--key", pki.key(certificate)]
        }
        return try await run("curl", arguments + more + [url], timeout: 30)
    }

    func handshakes(_ result: TLSHandshakeResult) -> Int {
        self.metric("gateway_tls_handshakes_total{listener=\"test\",result=\"\(result.rawValue)\"}") ?? -1
    }
}
