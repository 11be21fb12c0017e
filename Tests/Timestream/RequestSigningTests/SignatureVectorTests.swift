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
