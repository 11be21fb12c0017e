import Common

/// What a signature is good for: one day, one region, one service.
struct CredentialScope: Equatable {
    static let algorithm = "AWS4-HMAC-SHA256"
    static let terminator = "aws4_request"

    let day: String
    let region: String
    let service: String
    /// The whole scope, as it stands in the header and in what is signed.
    let text: String

    init(day: String, region: String, service: String) {
        self.day = day
        self.region = region
        self.service = service
        self.text = "\(day)/\(region)/\(service)/\(Self.terminator)"
    }

    /// The signature of a canonical request: 32 bytes.
    ///
    /// Source: AWS Signature Version 4, "Create a string to sign" and "Calculate the signature".
    func signature(
        of request: CanonicalRequest,
        time: SigningTime,
        key: SigningKey,
        using context: SHA256Context
    ) -> [UInt8] {
        context.restart()
        context.update(request.text)
        let digest = hexadecimal(context.finish())
        let text = "\(Self.algorithm)\n\(time.text)\n\(self.text)\n\(digest)"
        return key.hmac.authenticate(Array(text.utf8), using: context)
    }
}
