/// `server.tls`: certificates, whose clients are believed, and which versions and algorithms are taken.
enum TLSSection {
    /// All that OpenSSL has and that give forward secrecy and authenticated encryption.
    static let newerSuites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
    static let olderSuites = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
    ]
    static let groups = ["X25519", "P-256", "P-384", "P-521"]

    static func settings(_ reader: inout MappingReader, _ clientAuthenticationPlace: inout Place) -> TLSSettings {
        let files = Self.certificateFiles(&reader, "server.tls")
        let clientCA = reader.field("client_ca")
        let clientAuthentication = reader.field("client_auth")
        if let clientAuthentication { clientAuthenticationPlace = clientAuthentication.place }
        let further = reader.field("certificates")?.list(
            of: "certificates",
            example: "[{certificate: PATH, private_key: PATH}]"
        )
        return TLSSettings(
            certificatePath: files.certificatePath,
            privateKeyPath: files.privateKeyPath,
            clientCAPath: clientCA.map { $0.pemFile(.certificates)?.path ?? "" },
            clientAuthentication: clientAuthentication?.choice(TLSSettings.ClientAuthentication.self)
                ?? (clientCA == nil ? .none : .request),
            minimumVersion: reader.choice("min_version", default: .tls12),
            certificateRevocationListPath: reader.field("crl")?.pemFile(.revocationList)?.path,
            furtherCertificates: (further ?? []).map { item in
                var entry = item.mapping()
                let files = Self.certificateFiles(&entry, item.place.path)
                entry.finish()
                return files
            },
            cipherSuites: Self.cipherSuites(&reader),
            groups: Self.words(&reader, "groups", Self.groups),
            sessionTickets: reader.field("session_tickets")?.boolean() ?? true
        )
    }

    /// Paths are empty where they are wrong: nothing is made of a file with problems.
    private static func certificateFiles(_ reader: inout MappingReader, _ path: String) -> TLSSettings.CertificateFiles
    {
        let certificate = reader.required("certificate", remedy: "add certificate: the PEM file of the server's chain")
        let privateKey = reader.required(
            "private_key",
            remedy: "add private_key: the PEM file of the certificate's key"
        )
        let certificateFile = certificate?.pemFile(.certificates)
        let privateKeyFile = privateKey?.pemFile(.privateKey)
        if let certificate, case .certificates(let certificates) = certificateFile?.content {
            if certificates.hasExpired {
                certificate.context.warn(
                    certificate.place,
                    "the server's certificate has expired: clients will refuse it",
                    remedy: "renew it"
                )
            }
            if case .privateKey(let key) = privateKeyFile?.content, !certificates.belongs(to: key) {
                privateKey?.report(
                    "the key does not belong to the first certificate of \(path).certificate",
                    remedy: "give the key it was made with, and put the server's own certificate first in its file"
                )
            }
        }
        return TLSSettings.CertificateFiles(
            certificatePath: certificateFile?.path ?? "",
            privateKeyPath: privateKeyFile?.path ?? ""
        )
    }

    private static func cipherSuites(_ reader: inout MappingReader) -> [String] {
        let field = reader.field("cipher_suites")
        let suites = (field?.list(of: "cipher suites", example: "[TLS_AES_128_GCM_SHA256]") ?? []).compactMap {
            $0.word(of: Self.newerSuites + Self.olderSuites)
        }
        if !suites.isEmpty, !suites.contains(where: Self.newerSuites.contains) {
            field?.report(
                "no suite of TLS 1.3 is listed, which is always on",
                remedy: "add one of \(Self.newerSuites.joined(separator: ", "))"
            )
        }
        return suites
    }

    private static func words(_ reader: inout MappingReader, _ key: String, _ known: [String]) -> [String] {
        (reader.field(key)?.list(of: key, example: "[\(known[0])]") ?? []).compactMap { $0.word(of: known) }
    }
}
