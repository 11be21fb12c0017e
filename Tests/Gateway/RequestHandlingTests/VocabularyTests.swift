import Common
import HTTPTypes
import Logging
import Testing
import TimestreamModel

@testable import RequestHandling

@Suite("The line of an answer")
struct AnswerLineTests {
    @Test(
        "ends in tenant and request id, and fits into 1,024 bytes with its line feed",
        arguments: [0, 1, 900, 1_000, 5_000]
    )
    func length(count: Int) {
        for letter in ["a", "é", "🦊", "\n", "\u{2028}"] {
            for tenant in [nil, String(repeating: "t", count: 64)] {
                let message = String(repeating: letter, count: count)
                let line = AnswerLine.make(message, tenant: tenant, requestID: "0123456789abcdef")
                #expect(line.utf8.count <= 1023)
                #expect(line.hasSuffix("\(tenant.map { " tenant=\($0)" } ?? "") request=0123456789abcdef"))
                #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x2028 })
                // Each scalar becomes a blank or stays.
                let isLong = count * (letter.first?.isNewline == true ? 1 : letter.utf8.count) > 1_000
                if isLong { #expect(line.utf8.count > 1015, "cut more than it had to") }
            }
        }
    }

    @Test("request ids are 16 hexadecimal digits, and differ")
    func requestIDs() {
        let ids = Set((0..<1000).map { _ in RequestID.make() })
        #expect(ids.count == 1000)
        #expect(ids.allSatisfy { id in id.utf8.count == 16 && id.allSatisfy { $0.isHexDigit && !$0.isUppercase } })
    }
}

@Suite("The log of the store's faults")
struct FaultLogTests {
    @Test("each kind at most once in ten seconds, with the number of those left out")
    func suppression() {
        let log = FaultLog()
        let lines = LogLines()
        let start = ContinuousClock.now
        func note(_ code: TimestreamError.Code, after seconds: Double, isCallers: Bool = false) {
            let error = TimestreamError(code, message: "words\nof the service")
            log.note(
                StoreFailure(error, isCallers: isCallers),
                in: .init(tenant: "a", id: "r", logger: lines.logger, now: start + .seconds(seconds))
            )
        }
        for second in stride(from: 0, through: 9.5, by: 0.5) { note(.throttling, after: second) }
        note(.accessDenied, after: 9.5)
        note(.accessDenied, after: 9.6, isCallers: true)
        note(.cancelled, after: 9.7)
        note(.throttling, after: 10)
        note(.throttling, after: 15)
        note(.throttling, after: 20.5)
        let seen = lines.all.map { "\($0.metadata["error.code"] ?? "") \($0.metadata["suppressed"] ?? "") \($0.level)" }
        #expect(
            seen == [
                "throttling 0 warning", "access_denied 0 error", "access_denied 0 warning", "throttling 19 warning",
                "throttling 1 warning",
            ]
        )
        #expect(lines.all.allSatisfy { $0.metadata["error.message"]?.contains("\n") == false })
    }
}

@Suite("What the log tells an operator to mend")
struct MendingTests {
    private func line(_ code: TimestreamError.Code, _ message: String) throws -> LogLines.Line {
        let lines = LogLines()
        FaultLog().note(
            StoreFailure(TimestreamError(code, message: message, status: 403), isCallers: false),
            in: .init(tenant: "a", id: "r", logger: lines.logger)
        )
        return try #require(lines.all.first)
    }

    @Test("a missing permission is told by action, resource and the statement that grants it")
    func permission() throws {
        let line = try self.line(
            .accessDenied,
            "User: arn:aws:iam::1:user/x is not authorized to perform: timestream:WriteRecords on resource: arn:aws:x:y"
        )
        #expect(line.level == .error)
        #expect(line.metadata["iam.action"] == "timestream:WriteRecords")
        #expect(line.metadata["iam.resource"] == "arn:aws:x:y")
        #expect(line.metadata["remedy"]?.contains(#""Resource": "arn:aws:x:y""#) == true)
    }

    @Test("a service that is closed to new customers is said plainly, and no policy is proposed")
    func closed() throws {
        let line = try self.line(
            .accessDenied,
            "Only existing Timestream for LiveAnalytics customers can access the service."
        )
        #expect(line.metadata["remedy"]?.contains("closed to new customers") == true)
        #expect(line.metadata["iam.action"] == nil)
    }

    @Test("every operator's fault but an unexplained refusal comes with a remedy, others have none")
    func remedies() throws {
        for code in TimestreamError.Code.allCases where code != .cancelled {
            let error = TimestreamError(code, message: "m")
            let remedy = try self.line(code, "m").metadata["remedy"]
            #expect((remedy != nil) == (error.isOperatorFault && code != .accessDenied), "\(code)")
        }
    }
}

@Suite("Paths of the data listener")
struct RouteTests {
    @Test("exactly the paths of the contract")
    func paths() {
        for path in ["/write", "/api/v1/write", "/api/v1/push"] { #expect(Route(path: path) == .write) }
        for path in ["/read", "/api/v1/read"] { #expect(Route(path: path) == .read) }
        #expect(Route(path: "/-/healthy") == .healthy)
        #expect(Route(path: "/-/ready") == .ready)
        for path in ["", "/", "write", "/Write", "/write/", "/write\u{301}", "/api/v1/", "/-/reload", "/metrics"] {
            #expect(Route(path: path) == nil)
        }
    }
}
