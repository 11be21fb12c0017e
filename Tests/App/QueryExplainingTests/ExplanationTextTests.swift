import Testing
import TimestreamModel
import Translator

@testable import QueryExplaining

@Suite("What is printed of a query")
struct ExplanationTextTests {
    private func text(_ query: String, range: ClosedRange<Int64> = 0...3_600_000) throws -> String {
        let table = TableName(database: "payments", table: "prometheus")
        let subject = ExplanationText.Subject(tenant: "team-a", table: table, region: "eu-west-1")
        return try ExplanationText.make(try Selector(query), range: range, of: subject)
    }

    @Test("table and times, the statement on one line, every matcher, and what holds for all of it")
    func whole() throws {
        let expected = #"""
            tenant team-a, table payments.prometheus in eu-west-1, 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z

            SELECT * FROM "payments"."prometheus" WHERE "time" BETWEEN from_milliseconds(0) AND from_milliseconds(3600000) AND ("measure_name" = 'up' OR ("measure_name" = 'promx_special' AND "promx_metric" = 'up')) AND "job" LIKE 'api%' ESCAPE '!' AND ("zone" IS NULL OR NOT REGEXP_LIKE("zone", '\A(?:a(?:[0-9])+)\z'))

            __name__="up"
              SQL, exact: ("measure_name" = 'up' OR ("measure_name" = 'promx_special' AND "promx_metric" = 'up'))
            job=~"api\\b.*"
              SQL, wider: "job" LIKE 'api%' ESCAPE '!'
                          the regular expression is not sent: written out it has more than 8192 bytes, or what engines read differently; only the beginning that all values have
            zone!~"a[0-9]+"
              SQL, exact: ("zone" IS NULL OR NOT REGEXP_LIKE("zone", '\A(?:a(?:[0-9])+)\z'))

            The gateway checks all matchers again on every series that comes back.
            If Timestream refuses the statement, it is sent again without REGEXP_LIKE.
            The table is taken to have the columns job, promx_metric, zone: a condition on one that it has not is left out, or nothing matches; if it has promx_overflow, rows with that pass every condition on a label that has to be there; if it has native histograms, the metric's are asked for as well.
            A streamed result of more than 200000 samples is read by further statements: its series first, then runs of them under these conditions.
            """#
        #expect(try self.text(#"up{job=~"api\\b.*",zone!~"a[0-9]+"}"#) == expected)
    }

    @Test("nothing is sent for what no row can match, or for times without samples")
    func nothing() throws {
        let long = String(repeating: "x", count: 3_000)
        let impossible = try self.text(#"{job="\#(long)"}"#)
        #expect(impossible.contains("Nothing is sent: no row can match.") && !impossible.contains("SELECT"))
        #expect(impossible.contains("impossible: no series that Timestream can hold passes"))
        let past = try self.text("up", range: -10 ... -1)
        #expect(past.contains("Nothing is sent: no sample can have such a time.") && !past.contains("SELECT"))
    }

    @Test("a selector that Prometheus refuses is explained all the same, and told")
    func acceptsEverything() throws {
        for query in [#"{job=~".*"}"#, #"{job!="a"}"#] {
            let text = try self.text(query)
            #expect(text.contains("Prometheus itself refuses this selector") && text.contains("SELECT"))
        }
        #expect(try !self.text("up").contains("refuses"))
    }

    @Test("a bad pattern is refused, and bytes that are no UTF-8")
    func refusals() {
        #expect(throws: ReadError.self) { try self.text(#"up{job=~"("}"#) }
        #expect(throws: ReadError.self) { try self.text("{}") }
        #expect(throws: ReadError.self) { try self.text(#"up{job="\xff"}"#) }
    }
}
