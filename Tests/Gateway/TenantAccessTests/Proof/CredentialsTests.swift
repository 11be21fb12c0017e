import Common
import HTTPTypes
import Testing

@testable import TenantAccess
@testable import TenantConfiguration

@Suite("What an Authorization field holds")
struct AuthorizationCredentialsTests {
    private func parse(_ values: String...) -> AuthorizationCredentials {
        var fields: HTTPFields = [:]
        for value in values { fields.append(HTTPField(name: .authorization, value: value)) }
        return AuthorizationCredentials(fields)
    }

    @Test("basic: the user name ends at the first colon; both are bytes")
    func basicPairs() {
        func pair(_ username: String, _ password: String) -> AuthorizationCredentials {
            .basic(username: Array(username.utf8), password: Array(password.utf8))
        }
        #expect(self.parse(basic("search", "s3cret")) == pair("search", "s3cret"))
        #expect(self.parse(basic("", "")) == pair("", ""))
        #expect(self.parse(basic("u", "with:colons:")) == pair("u", "with:colons:"))
        #expect(self.parse(basic("ü🦊", "pä ss")) == pair("ü🦊", "pä ss"))
        #expect(self.parse("basic   \(base64(Array("a:b".utf8)))") == pair("a", "b"))
        #expect(self.parse("BASIC \(base64(Array("a:b".utf8)))") == pair("a", "b"))
        #expect(
            self.parse("Basic \(base64([0x75, 0x3A, 0xFF, 0xFE]))")
                == .basic(username: [0x75], password: [0xFF, 0xFE])
        )
    }

    @Test("bearer tokens are those of RFC 6750")
    func bearer() {
        #expect(self.parse("Bearer abc.DEF-1_2~3+4/5==") == .bearer(token: Array("abc.DEF-1_2~3+4/5==".utf8)))
        #expect(self.parse("bearer x") == .bearer(token: [UInt8(ascii: "x")]))
    }

    @Test("no field is absent")
    func absent() {
        #expect(self.parse() == .absent)
    }

    @Test(
        "anything else is malformed",
        arguments: [
            "", "Basic", "Basic ", "Bearer", "Bearer ", "Bearer a b", "Bearer a\"b", "Bearer ä", "Digest a=b",
            "AWS4-HMAC-SHA256 Credential=x", "Basic YTpi=", "Basic YTp", "Basic YTpi\u{A0}",
            "Basic !!!!",
            "Basic YQ==", "Basic YTo\n", "YTpi", "Basic  ", "\u{212A}asic YTpi", "Basic YT-_",
        ]
    )
    func malformed(value: String) {
        #expect(self.parse(value) == .malformed)
    }

    @Test("several fields are malformed, even equal ones")
    func repeated() {
        #expect(self.parse(basic("a", "b"), basic("a", "b")) == .malformed)
        #expect(self.parse("", basic("a", "b")) == .malformed)
    }

    @Test("control characters are refused: a NUL would end the password early", arguments: [0, 1, 9, 10, 13, 31, 127])
    func controls(byte: UInt8) {
        #expect(self.parse("Basic \(base64(Array("u:pass".utf8) + [byte] + [0x78]))") == .malformed)
        #expect(self.parse("Basic \(base64([byte] + Array("u:pass".utf8)))") == .malformed)
    }

    @Test("a password of 511 bytes is the longest")
    func length() {
        let longest = String(repeating: "p", count: 511)
        #expect(self.parse(basic("u", longest)) != .malformed)
        #expect(self.parse(basic("u", longest + "p")) == .malformed)
    }
}

@Suite("Strict base64")
struct Base64Tests {
    @Test("reads back what an encoder wrote, for every length and byte")
    func roundTrip() {
        var generator = SystemRandomNumberGenerator()
        for length in 0..<80 {
            let bytes = (0..<length).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
            #expect(Base64.decode(base64(bytes).utf8) == bytes)
        }
        #expect(Base64.decode("Zm9vYmFy".utf8) == Array("foobar".utf8))
        #expect(Base64.decode("+/+/".utf8) == [0xFB, 0xFF, 0xBF])
    }

    @Test(
        "nothing that an encoder would not write",
        arguments: [
            "A", "AA", "AAA", "A===", "====", "==", "=", "AA=A", "AAA=AAAA", "AB==", "AAB=", "A A=", "AAAA\n", "AA-_",
            "AAAA=",
            "AA==AA==", "AAAA====", "\u{FF21}AAA",
        ]
    )
    func strict(text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }
}

@Suite("bcrypt hashes")
struct PasswordHashTests {
    @Test(
        "a password matches its own hash and no other, by published test vectors",
        arguments: [("abc", hashOfABC), ("a", hashOfA), ("", hashOfNothing)]
    )
    func vectors(password: String, hash: Secret) {
        for other in [hashOfABC, hashOfA, hashOfNothing] {
            #expect(PasswordHash.matches(password: Array(password.utf8), hash: other.revealed) == (other == hash))
        }
        #expect(!PasswordHash.matches(password: Array("\(password)x".utf8), hash: hash.revealed))
    }

    @Test(
        "a damaged hash matches nothing",
        arguments: ["", "*0", "*1", "x", "$2a$06$", "$2a$99$If6bvum7DFjUnE9p2uDeDu0"]
    )
    func damaged(hash: String) {
        #expect(!PasswordHash.matches(password: Array("abc".utf8), hash: hash))
        #expect(!PasswordHash.matches(password: Array(hash.utf8), hash: hash))
    }

    @Test("the variants 2a, 2b and 2y are good", arguments: ["2a", "2b", "2y"])
    func variants(variant: String) {
        let hash = "$\(variant)$" + hashOfABC.revealed.dropFirst(4)
        #expect(PasswordHash.problem(with: hash) == nil)
        #expect(PasswordHash.matches(password: Array("abc".utf8), hash: hash))
    }

    @Test(
        "what is not bcrypt, or would take too long, is told without the hash",
        arguments: [
            "", "abc", "plain-password", "*", "$1$salt$qJH7.N4xYta3aEG/dfqo/0", "$6$rounds=999999999$salt$x",
            "$5$salt$x", "$y$j9T$abc$def", "$2x$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
            "$2a$16$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
            "$2a$31$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
            "$2a$03$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
            "$2a$-6$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
            "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0",
            "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0ii",
            "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0\u{0}",
            "x$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h",
        ]
    )
    func problems(hash: String) throws {
        let problem = try #require(PasswordHash.problem(with: hash))
        if hash.count > 3 { #expect(!problem.contains(hash)) }
    }
}

@Suite("What proves a tenant")
struct TenantCredentialsTests {
    @Test(
        "any kind that is listed suffices; with require: all every listed kind is needed",
        arguments: [
            // certificate, basic, bearer; any; all
            (false, false, false, false, false), (true, false, false, true, false), (false, true, false, true, false),
            (false, false, true, true, false), (true, true, false, true, false), (true, false, true, true, false),
            (false, true, true, true, false), (true, true, true, true, true),
        ]
    )
    func combinations(certificate: Bool, basic: Bool, bearer: Bool, any: Bool, all: Bool) {
        for requiresAll in [false, true] {
            let credentials = TenantCredentials(
                makeAuthentication(
                    certificate: makeCertificate(),
                    basic: [("u", hashOfA)],
                    tokens: ["t"],
                    requiresAll: requiresAll
                )
            )
            let isProven = credentials.areProven(certificate: certificate, basic: basic, bearer: bearer)
            #expect(isProven == (requiresAll ? all : any))
        }
    }

    @Test("a kind that is not listed proves nothing, and a tenant that lists nothing is proven by nothing")
    func unlisted() {
        let onlyBasic = TenantCredentials(makeAuthentication(basic: [("u", hashOfA)]))
        #expect(!onlyBasic.areProven(certificate: true, bearer: true))
        for requiresAll in [false, true] {
            let nothing = TenantCredentials(makeAuthentication(requiresAll: requiresAll))
            #expect(!nothing.areProven(certificate: true, basic: true, bearer: true))
        }
        #expect(TenantCredentials(makeAuthentication(isOpen: true)).areProven(certificate: false))
    }

    @Test("where the caller's keys sign the calls nothing else replaces them, and require: all asks for more")
    func callerKeys() {
        for (requiresAll, certificate, keys, isProven) in [
            (false, false, false, false), (false, true, false, false), (false, false, true, true),
            (false, true, true, true), (true, false, true, false), (true, true, false, false), (true, true, true, true),
        ] {
            let credentials = TenantCredentials(
                makeAuthentication(certificate: makeCertificate(), awsKeys: .any, requiresAll: requiresAll)
            )
            #expect(credentials.areProven(certificate: certificate, callerKeys: keys) == isProven)
            #expect(!credentials.areProven(certificate: true, basic: true, bearer: true))
        }
        let alone = TenantCredentials(makeAuthentication(awsKeys: .any, requiresAll: true))
        #expect(alone.areProven(certificate: false, callerKeys: true))
    }

    @Test("keys are taken if they are listed, or if any are; and only if they can be keys at all")
    func takenKeys() {
        func keys(_ awsKeys: AuthenticationSettings.AWSKeys?, _ id: String, _ secret: String) -> CallerKeys? {
            TenantCredentials(makeAuthentication(awsKeys: awsKeys))
                .callerKeys(username: Array(id.utf8), password: Array(secret.utf8))
        }
        #expect(keys(.any, "AKIA", "s/+=")?.accessKeyID == "AKIA")
        #expect(keys(.any, "AKIA", "s/+=")?.secretAccessKey.revealed == "s/+=")
        #expect(keys(.accessKeyIDs(["AKIA", "ASIA"]), "ASIA", "s") != nil)
        #expect(keys(.accessKeyIDs(["AKIA"]), "AKIB", "s") == nil)
        #expect(keys(nil, "AKIA", "s") == nil)
        let malformed = [
            ("", "s"), ("AKIA", ""), ("AK/IA", "s"), ("AK IA", "s"), ("AK,A", "s"), ("caf\u{E9}", "s"), ("AKIA", "s s"),
            ("AKIA", "\u{E9}"), (String(repeating: "A", count: 129), "s"),
        ]
        for (id, secret) in malformed { #expect(keys(.any, id, secret) == nil) }
    }

    @Test("tokens are compared by digest, user names by bytes, and a name may have several hashes")
    func lookups() {
        let credentials = TenantCredentials(
            makeAuthentication(
                basic: [("caf\u{E9}", hashOfA), ("caf\u{E9}", hashOfABC), ("other", hashOfNothing)],
                tokens: ["one", "two"]
            )
        )
        #expect(credentials.hashes(of: Array("caf\u{E9}".utf8)) == [hashOfA, hashOfABC])
        #expect(credentials.hashes(of: Array("cafe\u{301}".utf8)) == [])
        #expect(credentials.decoyHashes == [hashOfA, hashOfABC])
        #expect(credentials.accepts(tokenDigest: sha256(Array("two".utf8))))
        #expect(!credentials.accepts(tokenDigest: sha256(Array("three".utf8))))
        #expect(!credentials.accepts(tokenDigest: []))
    }
}
