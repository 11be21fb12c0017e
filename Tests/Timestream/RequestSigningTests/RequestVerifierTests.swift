import Common
import Testing

@testable import RequestSigning

@Suite("Refusing signatures")
struct RequestVerifierTests {
    private static let key = AccessKey(accessKeyID: "AKIDEXAMPLE", secretAccessKey: Secret("verysecret"))
    private static let temporary = AccessKey(
        accessKeyID: "ASIAEXAMPLE",
        secretAccessKey: Secret("alsosecret"),
        sessionToken: Secret("token")
    )
    private static let now: Int64 = 1_700_000_000
    private static let body = Array(#"{"QueryString":"SELECT 1"}"#.utf8)

    /// A request signed by us; `host` last but for the signature's own headers.
    private func signed(
        by key: AccessKey = Self.key,
        service: String = "timestream",
        at seconds: Int64 = Self.now
    ) -> SignableRequest {
        var request = SignableRequest(
            method: "POST",
            target: "/",
            headers: [
                ("Content-Type", "application/x-amz-json-1.0"), ("X-Amz-Target", "Timestream_20181101.Query"),
                ("Host", "localhost"),
            ]
        )
        request.headers += RequestSigner(service: service).sign(
            request,
            body: FrozenBytes(Self.body),
            key: key,
            region: "eu-west-1",
            at: seconds
        )
        return request
    }

    private func code(_ request: SignableRequest, body: [UInt8] = Self.body) -> SignatureError.Code? {
        do {
            let keys = [Self.key, Self.temporary]
            _ = try RequestVerifier.verify(
                request,
                body: body,
                service: "timestream",
                keys: { id in keys.first { $0.accessKeyID == id } },
                nowSeconds: Self.now
            )
            return nil
        } catch {
            #expect(!error.message.isEmpty)
            #expect(!error.message.contains("secret"))
            return error.code
        }
    }

    @Test("an unchanged request is accepted, with a permanent and with a temporary key")
    func accepted() {
        #expect(self.code(self.signed()) == nil)
        #expect(self.code(self.signed(by: Self.temporary)) == nil)
    }

    @Test("without a signature of this scheme it is missing")
    func missing() {
        var request = self.signed()
        request.headers.removeAll { $0.name == "authorization" }
        #expect(self.code(request) == .missing)
        #expect(RequestVerifier.accessKeyID(of: request) == nil)
        request.headers.append(("Authorization", "Basic dXNlcjpwYXNz"))
        #expect(self.code(request) == .missing)
    }

    @Test("any change to what is signed is a mismatch")
    func mismatch() {
        var target = self.signed()
        target.headers[1].value = "Timestream_20181101.DeleteTable"
        #expect(self.code(target) == .mismatch)
        var host = self.signed()
        host.headers[2].value = "elsewhere"
        #expect(self.code(host) == .mismatch)
        var path = self.signed()
        path.target = "/other"
        #expect(self.code(path) == .mismatch)
        var query = self.signed()
        query.target = "/?a"
        #expect(self.code(query) == .mismatch)
        var method = self.signed()
        method.method = "PUT"
        #expect(self.code(method) == .mismatch)
        var repeated = self.signed()
        repeated.headers.append(("Host", "localhost"))
        #expect(self.code(repeated) == .mismatch)
        #expect(self.code(self.signed(), body: Self.body + [0x20]) == .mismatch)
        let other = AccessKey(accessKeyID: Self.key.accessKeyID, secretAccessKey: Secret("guessed"))
        #expect(self.code(self.signed(by: other)) == .mismatch)
    }

    @Test("letter case, order and blanks that HTTP allows do not matter")
    func immaterial() {
        var request = self.signed()
        request.headers.reverse()
        request.headers = request.headers.map { ($0.name.uppercased(), "  \($0.value)\t") }
        request.headers.append(("User-Agent", "not signed"))
        // The signature itself is read as it stands; a server has trimmed it before.
        for index in request.headers.indices where request.headers[index].name.hasPrefix("AUTH") {
            request.headers[index].value = String(request.headers[index].value.dropFirst(2).dropLast())
        }
        for index in request.headers.indices where request.headers[index].name == "X-AMZ-DATE" {
            request.headers[index].value = SigningTime(seconds: Self.now).text
        }
        #expect(self.code(request) == nil)
    }

    @Test("five minutes are allowed either way, a second more is not", arguments: [-1, 1] as [Int64])
    func skew(sign: Int64) {
        #expect(self.code(self.signed(at: Self.now + sign * 300)) == nil)
        #expect(self.code(self.signed(at: Self.now + sign * 301)) == .skewed(serverTimeSeconds: Self.now))
    }

    @Test("another service, an unknown key and a wrong token have their own codes")
    func ownCodes() {
        #expect(self.code(self.signed(service: "s3")) == .wrongService)
        let stranger = AccessKey(accessKeyID: "AKIDOTHER", secretAccessKey: Secret("x"))
        #expect(self.code(self.signed(by: stranger)) == .unknownKey)
        #expect(RequestVerifier.accessKeyID(of: self.signed(by: stranger)) == "AKIDOTHER")

        var temporary = Self.temporary
        temporary.sessionToken = nil
        #expect(self.code(self.signed(by: temporary)) == .token)
        temporary.sessionToken = Secret("another")
        #expect(self.code(self.signed(by: temporary)) == .token)
        var permanent = Self.key
        permanent.sessionToken = Secret("superfluous")
        #expect(self.code(self.signed(by: permanent)) == .token)
    }

    @Test("a signature must cover the host and every x-amz- header")
    func coverage() {
        var added = self.signed()
        added.headers.append(("X-Amz-Extra", "smuggled"))
        #expect(self.code(added) == .malformed)
        var removed = self.signed()
        removed.headers.removeAll { $0.name == "Content-Type" }
        #expect(self.code(removed) == .malformed)
        var twice = self.signed()
        twice.headers.append(("x-amz-date", SigningTime(seconds: Self.now).text))
        #expect(self.code(twice) == .malformed)
        var hostless = SignableRequest(method: "POST", target: "/", headers: [])
        hostless.headers += RequestSigner(service: "timestream").sign(
            hostless,
            body: FrozenBytes(Self.body),
            key: Self.key,
            region: "eu-west-1",
            at: Self.now
        )
        hostless.headers.append(("Host", "localhost"))
        #expect(self.code(hostless) == .malformed)
    }

    @Test(
        "a header that is not by the rules is malformed",
        arguments: [
            ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 Credential, "),
            ("Credential=", "credential="),
            ("Credential=", "Credential=A/20231114/eu-west-1/timestream/aws4_request, Credential="),
            ("SignedHeaders=", "SignedHeaders=a, SignedHeaders="),
            ("/aws4_request", "/aws4"),
            ("/timestream/", "//"),
            ("AKIDEXAMPLE/20231114", "20231114"),
            ("20231114", "2023111"),
            ("20231114", "20231115"),
            ("content-type;host", "host;content-type"),
            ("content-type;host", "Content-Type;host"),
            ("content-type;host", "content-type;content-type;host"),
            ("content-type;host", ";host"),
            ("Signature=", "Signature=0"),
            ("Signature=", "Signatur="),
            (", Signature=", ", Signature=zz, Other="),
            ("content-type;host", "content-type;host;x-not-there"),
        ]
    )
    func malformed(replaced: String, with replacement: String) throws {
        var request = self.signed()
        let index = try #require(request.headers.firstIndex { $0.name == "authorization" })
        let range = try #require(request.headers[index].value.firstRange(of: replaced))
        request.headers[index].value.replaceSubrange(range, with: replacement)
        #expect(self.code(request) == .malformed)
    }

    @Test("a header cut at any byte is refused, whatever the place")
    func truncated() throws {
        let request = self.signed()
        let index = try #require(request.headers.firstIndex { $0.name == "authorization" })
        let whole = request.headers[index].value
        for count in 0..<whole.count {
            var cut = request
            cut.headers[index].value = String(whole.prefix(count))
            let code = try #require(self.code(cut))
            #expect(code == .missing || code == .malformed)
        }
        var doubled = request
        doubled.headers.append(request.headers[index])
        #expect(self.code(doubled) == .malformed)
    }

    @Test("without x-amz-date the Date header counts, in either form")
    func dateHeader() throws {
        for text in [SigningTime(seconds: Self.now).text, "Tue, 14 Nov 2023 22:13:20 GMT"] {
            let context = SHA256Context()
            context.update(Self.body)
            let headers = [(name: "host", value: "localhost"), (name: "date", value: text)]
            let canonical = CanonicalRequest(
                method: "POST",
                target: "/",
                headers: headers,
                bodyDigest: context.finish()
            )
            let time = SigningTime(seconds: Self.now)
            let scope = CredentialScope(day: time.day, region: "r", service: "timestream")
            let key = SigningKey(
                secret: Self.key.secretAccessKey,
                day: time.day,
                region: "r",
                service: "timestream",
                using: context
            )
            let signature = hexadecimal(scope.signature(of: canonical, time: time, key: key, using: context))
            let value =
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\(scope.text),SignedHeaders=date;host,Signature=\(signature)"
            var request = SignableRequest(method: "POST", target: "/", headers: headers)
            request.headers.append(("Authorization", value))
            #expect(self.code(request) == nil)
            request.headers[1].value = "yesterday"
            #expect(self.code(request) == .malformed)
        }
    }

    @Test("one signer serves many threads")
    func concurrent() async {
        let signer = RequestSigner(service: "timestream")
        let request = SignableRequest(method: "POST", target: "/", headers: [("host", "h")])
        let body = FrozenBytes([UInt8](repeating: 7, count: 3000))
        let results = await withTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<200).map { number in
                        let region = "region-\(number % 3)"
                        return signer.sign(request, body: body, key: Self.key, region: region, at: Self.now)[1].value
                    }
                }
            }
            return await group.reduce(into: [[String]]()) { $0.append($1) }
        }
        #expect(Set(results).count == 1)
        #expect(Set(results[0]).count == 3)
    }
}
