import Testing

@testable import TenantConfiguration

@Suite("Words, durations and variables of a configuration file")
struct ReadingTests {
    @Test(
        "a slip of the pen finds the word that was meant",
        arguments: [
            ("burts", "burst"), ("tabel", "table"), ("Database", "database"),
            ("samplesPerSecond", "samples_per_second"),
            ("san-uri", "san_uri"), ("requst", "request"), ("tsl", "tls"),
        ]
    )
    func findsNearest(typed: String, meant: String) {
        let known = [
            "burst", "table", "database", "samples_per_second", "san_uri", "request", "tls", "require", "sample_burst",
        ]
        #expect(Spelling.nearest(to: typed, among: known) == meant)
    }

    @Test(
        "what is near to nothing finds nothing",
        arguments: ["", "x", "colour", "ab", String(repeating: "a", count: 10_000)]
    )
    func findsNothing(typed: String) {
        #expect(Spelling.nearest(to: typed, among: ["burst", "table", "database", "tls"]) == nil)
    }

    @Test(
        "durations are a whole number and one unit",
        arguments: [
            ("0s", .zero), ("250ms", .milliseconds(250)), ("10s", .seconds(10)), ("6m", .seconds(360)),
            ("1h", .seconds(3600)), ("999999999h", .seconds(999_999_999 * 3600)),
        ] as [(String, Duration)]
    )
    func readsDurations(text: String, duration: Duration) {
        #expect(DurationText.duration(text) == duration)
    }

    @Test(
        "everything else is no duration",
        arguments: [
            "", "s", "10", "10 s", "1h30m", "1.5s", "-1s", "+1s", "1d", "10S", "1e3s", "9999999999s", "٣s", "1sms",
        ]
    )
    func refusesDurations(text: String) {
        #expect(DurationText.duration(text) == nil)
    }

    @Test("durations are shown in the largest unit that leaves a whole number")
    func showsDurations() {
        let shown = [0, 1, 999, 1000, 1500, 59_000, 60_000, 90_000, 3_600_000, 86_400_000]
            .map { DurationText.text(.milliseconds($0)) }
        #expect(shown == ["0s", "1ms", "999ms", "1s", "1500ms", "59s", "1m", "90s", "1h", "24h"])
    }

    @Test(
        "variables are replaced once, other dollar signs stay",
        arguments: [
            ("", ""), ("plain", "plain"), ("${A}", "value"), ("x${A}y${A}", "xvaluey" + "value"), ("${_B2}", "${A}"),
            ("$${A}", "${A}"), ("$$${A}", "$${A}"), ("$A", "$A"), ("$", "$"), ("$$", "$$"), ("a$", "a$"),
            ("$2y$10$abc", "$2y$10$abc"), ("${EMPTY}", ""), ("}{", "}{"), ("é${A}é", "évalueé"),
        ]
    )
    func expands(text: String, expected: String) throws {
        let environment = ["A": "value", "_B2": "${A}", "EMPTY": ""]
        #expect(try EnvironmentExpansion.expand(text, environment).text == expected)
    }

    @Test(
        "what is no variable, or not set, is refused without its text",
        arguments: ["${", "${A", "${}", "${ A}", "${A-B}", "${A:-x}", "${1A}", "${UNSET}", "${É}", "${A}${", "${${A}}"]
    )
    func refusesVariables(text: String) {
        #expect(throws: EnvironmentExpansion.Fault.self) {
            try EnvironmentExpansion.expand(text, ["A": "value"])
        }
    }

    @Test("text is shown so that a terminal does not act on it, and cut")
    func quotes() {
        #expect(Quotation.quoted("a\"b\\c\n\r\t") == #""a\"b\\c\n\r\t""#)
        #expect(Quotation.quoted("\u{1B}[31m\u{202E}\u{0}") == #""\u{1b}[31m\u{202e}\u{0}""#)
        #expect(Quotation.quoted("é漢") == "\"é漢\"")
        #expect(Quotation.quoted(String(repeating: "x", count: 1000)).utf8.count == 65)
        #expect(Quotation.pathElement("samples_per_second") == "samples_per_second")
        #expect(Quotation.pathElement("a b") == "\"a b\"")
        #expect(Quotation.pathElement("..") == "\"..\"")
        #expect(Quotation.alternatives(["a"]) == "a")
        #expect(Quotation.alternatives(["a", "b", "c"]) == "a, b or c")
    }

    @Test(
        "only bcrypt hashes of a bearable cost pass",
        arguments: [
            ("$2b$10$", true), ("$2a$04$", true), ("$2y$15$", true), ("$2y$03$", false), ("$2y$16$", false),
            ("$2x$10$", false), ("$2$10$", false), ("$1$10$", false), ("$2b$9$", false), ("$2b$+9$", false),
            ("2b$10$", false),
        ]
    )
    func checksHashes(prefix: String, isGood: Bool) {
        let salted = String(repeating: "a", count: 52) + "."
        #expect((BcryptHash.problem(with: prefix + salted) == nil) == isGood)
        #expect(BcryptHash.problem(with: prefix + salted + "a") != nil)
        #expect(BcryptHash.problem(with: prefix + salted.dropLast()) != nil)
        #expect(BcryptHash.problem(with: prefix + salted.dropLast() + "$") != nil)
        #expect(BcryptHash.problem(with: prefix + salted.dropLast() + "é") != nil)
    }
}
