import Common
import Testing

@testable import RequestSigning

/// The examples that AWS published with Signature Version 4: the test suite's key, service and moment, and the
/// developer guide's IAM request.
@Suite("Published AWS signature examples")
struct SignatureVectorTests {
    private let key = AccessKey(
        accessKeyID: "AKIDEXAMPLE",
        secretAccessKey: Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    )
    private let moment: Int64 = 1_440_938_160  // 20150830T123600Z

    @Test(
        "requests of the test suite are signed as published",
        arguments: [
            ("GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
            (
                "GET", "/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
            ),
            ("GET", "/./", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("GET", "/example/..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("GET", "//", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("GET", "/example/../..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            ("GET", "//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
            ("GET", "/./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
            ("GET", "/example space/", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
            ("GET", "/\u{1234}", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
            (
                "GET", "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"
            ),
            ("GET", "/?Param1=value1", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
            ("GET", "/?\u{1234}=bar", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
            (
                "GET",
                "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
                    + "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
                "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"
            ),
            ("POST", "/?Param1=value1", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        ]
    )
    func testSuite(method: String, target: String, signature: String) {
        let request = SignableRequest(method: method, target: target, headers: [("Host", "example.amazonaws.com")])
        let added = RequestSigner(service: "service").sign(
            request,
            body: nil,
            key: self.key,
            region: "us-east-1",
            at: self.moment
        )
        #expect(added.map(\.name) == ["x-amz-date", "authorization"])
        #expect(added.first?.value == "20150830T123600Z")
        #expect(
            added.last?.value
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, Signature=\(signature)"
        )
    }

    @Test(
        "requests of the test suite with headers of their own, or a body, are signed as published",
        arguments: [
            ("POST", ["value1"], nil, "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
            ("POST", ["VALUE1"], nil, "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
            (
                "GET", ["value2", "value2", "value1"], nil,
                "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"
            ),
            (
                "GET", ["value4", "value1", "value3", "value2"], nil,
                "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"
            ),
            ("POST", [], "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ] as [(String, [String], String?, String)]
    )
    func testSuiteHeaders(method: String, values: [String], body: String?, signature: String) {
        var headers = [(name: "Host", value: "example.amazonaws.com")] + values.map { ("My-Header1", $0) }
        if body != nil { headers.append(("Content-Type", "application/x-www-form-urlencoded")) }
        let added = RequestSigner(service: "service").sign(
            SignableRequest(method: method, target: "/", headers: headers),
            body: body.map { FrozenBytes(Array($0.utf8)) },
            key: self.key,
            region: "us-east-1",
            at: self.moment
        )
        #expect(added.last?.value.hasSuffix("Signature=\(signature)") == true)
    }

    @Test("the IAM request of the developer guide is signed as published")
    func developerGuide() {
        let request = SignableRequest(
            method: "GET",
            target: "/?Action=ListUsers&Version=2010-05-08",
            headers: [
                ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"), ("Host", "iam.amazonaws.com"),
            ]
        )
        let added = RequestSigner(service: "iam").sign(
            request,
            body: FrozenBytes([]),
            key: self.key,
            region: "us-east-1",
            at: self.moment
        )
        let signature = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        #expect(added.last?.value.hasSuffix("Signature=\(signature)") == true)
    }

    @Test("HMAC agrees with RFC 4231, also for keys longer than a block")
    func hmac() {
        let context = SHA256Context()
        let short = HMACKey(Array("Jefe".utf8), using: context)
        #expect(
            hexadecimal(short.authenticate(Array("what do ya want for nothing?".utf8), using: context))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        )
        let long = HMACKey([UInt8](repeating: 0xAA, count: 131), using: context)
        let message = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        #expect(
            hexadecimal(long.authenticate(message, using: context))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        )
    }

    @Test("derived keys are kept, and their number is bounded")
    func boundedCache() {
        let cache = SigningKeyCache(service: "timestream")
        let context = SHA256Context()
        for number in 0..<3000 {
            let key = AccessKey(accessKeyID: "AKID\(number)", secretAccessKey: Secret("s"))
            let first = cache.key(for: key, day: "20150830", region: "r", using: context)
            let again = cache.key(for: key, day: "20150830", region: "r", using: context)
            #expect(first.hmac === again.hmac)
        }
        #expect((1...1024).contains(cache.count))
    }
}

@Suite("Times of SigV4")
struct SigningTimeTests {
    @Test(
        "a moment is written and read back",
        arguments: [
            (0, "19700101T000000Z"), (1_440_938_160, "20150830T123600Z"), (951_782_399, "20000228T235959Z"),
            (951_868_799, "20000229T235959Z"), (4_102_444_799, "20991231T235959Z"), (-1, "19691231T235959Z"),
        ] as [(Int64, String)]
    )
    func roundTrip(seconds: Int64, text: String) {
        #expect(SigningTime(seconds: seconds).text == text)
        #expect(SigningTime(text: text)?.seconds == seconds)
    }

    @Test(
        "what is not a time of this form is refused",
        arguments: [
            "", "20150830T123600", "20150830 123600Z", "20150230T000000Z", "20151301T000000Z", "20150830T240000Z",
            "20150830T126000Z", "2015083xT123600Z", "20150830T123600z", "+0150830T123600Z", "20150830T123600ZZ",
        ]
    )
    func refused(text: String) {
        #expect(SigningTime(text: text) == nil)
    }

    @Test("an HTTP date is read, and a wrong one is not")
    func httpDate() {
        #expect(SigningTime(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT")?.seconds == 784_111_777)
        #expect(SigningTime(httpDate: "Sun, 06 Nov 1994 08:49:37 -0000")?.seconds == 784_111_777)
        #expect(SigningTime(httpDate: "Sun, 06 Nov 1994 08:49:37 +0200") == nil)
        for wrong in ["Sun, 06 Nov 1994 08:49:37", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT"] {
            #expect(SigningTime(httpDate: wrong) == nil)
        }
    }
}
