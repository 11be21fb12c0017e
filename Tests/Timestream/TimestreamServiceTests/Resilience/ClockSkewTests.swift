import Testing
import TimestreamModel

@testable import TimestreamService

@Suite("The clock's difference from AWS'")
struct ClockSkewTests {
    private func refused(_ name: String, _ message: String = "") -> TimestreamError {
        TimestreamError(.signature, name: name, message: message, status: 400)
    }

    @Test(
        "a refusal that speaks of the time is learned from when the clocks differ at all",
        arguments: [
            ("RequestTimeTooSkewed", ""), ("RequestExpired", ""), ("RequestInTheFuture", ""),
            (
                "InvalidSignatureException",
                "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (20150830T124600Z - 5 min.)"
            ),
            ("InvalidSignatureException", "Signature not yet current: 20150830T130000Z is still later than …"),
        ]
    )
    func learns(name: String, message: String) {
        var skew = ClockSkew()
        let error = self.refused(name, message)
        #expect(skew.learn(from: error, serverSeconds: 1_000, localSeconds: 1_000) == false)
        #expect(skew.learn(from: error, serverSeconds: 1_029, localSeconds: 1_000) == false)
        #expect(skew.learn(from: error, serverSeconds: 1_400, localSeconds: 1_000) == true)
        #expect(skew.offsetSeconds == 400)
        // The same again: the time was not it.
        #expect(skew.learn(from: error, serverSeconds: 1_401, localSeconds: 1_001) == false)
        // The clock was mended meanwhile.
        #expect(skew.learn(from: error, serverSeconds: 2_000, localSeconds: 2_001) == true)
        #expect(skew.offsetSeconds == -1)
    }

    @Test("another refused signature is taken for the clock's fault only when that is far off")
    func otherRefusals() {
        var skew = ClockSkew()
        let error = self.refused("SignatureDoesNotMatch", "check your secret")
        #expect(skew.learn(from: error, serverSeconds: 1_239, localSeconds: 1_000) == false)
        #expect(skew.learn(from: error, serverSeconds: 761, localSeconds: 1_000) == false)
        #expect(skew.learn(from: error, serverSeconds: 700, localSeconds: 1_000) == true)
        #expect(skew.offsetSeconds == -300)
    }

    @Test("other errors teach nothing, and absurd dates neither")
    func nothing() {
        var skew = ClockSkew()
        let throttled = TimestreamError(.throttling, message: "signature expired")
        #expect(skew.learn(from: throttled, serverSeconds: 9_999, localSeconds: 0) == false)
        let error = self.refused("RequestExpired")
        #expect(skew.learn(from: error, serverSeconds: .max, localSeconds: -1) == false)
        #expect(skew.learn(from: error, serverSeconds: .min, localSeconds: 1) == false)
        #expect(skew.offsetSeconds == 0)
    }
}
