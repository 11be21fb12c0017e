import COpenSSL
import Common

/// What is read from one certificate of a peer.
enum CertificateFacts {
    /// A name in it could be read as two different names: an embedded NUL, or bytes outside ASCII where ASCII is due.
    struct AmbiguousName: Error {}

    /// The members of one of OpenSSL's stacks, which still owns them.
    static func members(_ stack: OpaquePointer) -> [OpaquePointer] {
        let count = unsafe OPENSSL_sk_num(stack)
        return unsafe (0..<max(count, 0)).compactMap { index in
            unsafe OPENSSL_sk_value(stack, index).map { OpaquePointer($0) }
        }
    }

    /// SHA-256 of the DER form.
    static func digest(_ certificate: OpaquePointer) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &length) == 1 else { return [] }
        return Array(digest.prefix(Int(length)))
    }

    /// The end of its validity, in seconds since 1970-01-01 UTC; 0 if it cannot be read, so that it has passed.
    static func notAfterSeconds(_ certificate: OpaquePointer) -> Int64 {
        guard let time = unsafe X509_get0_notAfter(certificate) else { return 0 }
        return unsafe self.seconds(time)
    }

    static func seconds(_ time: UnsafePointer<ASN1_TIME>) -> Int64 {
        var days: Int32 = 0
        var seconds: Int32 = 0
        let epoch = unsafe ASN1_TIME_set(nil, 0)
        defer { unsafe ASN1_TIME_free(epoch) }
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return 0 }
        return Int64(days) * 86_400 + Int64(seconds)
    }

    /// The names that a tenant may be bound to.
    ///
    /// - Throws: `AmbiguousName`: such a certificate is refused as a whole, since another reader may see another name.
    /// - Source: RFC 5280, section 4.2.1.6.
    static func names(
        _ certificate: OpaquePointer
    ) throws(AmbiguousName) -> (commonName: String?, dnsNames: [String], uris: [String], emails: [String]) {
        var dnsNames: [String] = []
        var uris: [String] = []
        var emails: [String] = []
        let extensionData = unsafe X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil)
        if let extensionData = unsafe extensionData {
            let names = OpaquePointer(extensionData)
            defer { unsafe GENERAL_NAMES_free(names) }
            let members = unsafe self.members(names)
            for index in unsafe members.indices {
                let name = unsafe UnsafePointer<GENERAL_NAME>(members[index]).pointee
                switch unsafe name.type {
                case GEN_DNS: dnsNames.append(unsafe try self.ascii(name.d.dNSName))
                case GEN_URI: uris.append(unsafe try self.ascii(name.d.uniformResourceIdentifier))
                case GEN_EMAIL: emails.append(unsafe try self.ascii(name.d.rfc822Name))
                default: ()
                }
            }
        }
        return (unsafe try self.commonName(certificate), dnsNames, uris, emails)
    }

    /// The subject's common name, if there is exactly one.
    private static func commonName(_ certificate: OpaquePointer) throws(AmbiguousName) -> String? {
        guard let subject = unsafe X509_get_subject_name(certificate) else { return nil }
        let first = unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, -1)
        guard first >= 0, unsafe X509_NAME_get_index_by_NID(subject, NID_commonName, first) < 0 else { return nil }
        guard let entry = unsafe X509_NAME_get_entry(subject, first),
            let value = unsafe X509_NAME_ENTRY_get_data(entry)
        else { return nil }
        var text: UnsafeMutablePointer<UInt8>?
        let length = unsafe ASN1_STRING_to_UTF8(&text, value)
        guard length >= 0, let text = unsafe text else { throw AmbiguousName() }
        defer { unsafe shim_OPENSSL_free(text) }
        let bytes = unsafe UnsafeBufferPointer(start: text, count: Int(length))
        guard unsafe !bytes.contains(0), let name = unsafe String(validating: bytes, as: UTF8.self) else {
            throw AmbiguousName()
        }
        return name
    }

    private static func ascii(_ string: UnsafeMutablePointer<ASN1_STRING>?) throws(AmbiguousName) -> String {
        guard let string = unsafe string, let data = unsafe ASN1_STRING_get0_data(string) else { throw AmbiguousName() }
        let bytes = unsafe UnsafeBufferPointer(start: data, count: Int(ASN1_STRING_length(string)))
        guard unsafe bytes.allSatisfy({ $0 > 0x1F && $0 < 0x7F }) else { throw AmbiguousName() }
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}
