import Foundation
import Testing
import TimestreamModel

@testable import TimestreamLocal

/// Source: developer guide, "Quotas".
@Suite("What a table and a record can hold")
struct TableLimitTests {
    private func rejected(_ answer: EngineHarness.Answer) -> [Int] {
        (answer.json["RejectedRecords"] as? [[String: Any]] ?? []).compactMap { $0["RecordIndex"] as? Int }
    }

    @Test("the 129th dimension name of a table rejects its record, known names are still taken")
    func dimensions() async throws {
        try await withEngine { engine in
            let first = await engine.write((0..<100).map { record(["d\($0)": "v", "shared": "s"]) })
            #expect(first.status == 200)
            let second = await engine.write((100..<140).map { record(["d\($0)": "v"]) })
            #expect(second.status == 419)
            #expect(self.rejected(second) == Array(27..<40))
            #expect(second.text.contains("more than 128 dimensions"))
            // One that would bring two new names and one old one leaves none of them behind.
            let mixed = await engine.write([record(["d1": "v", "x": "v", "y": "v"]), record(["d0": "other"])])
            #expect(self.rejected(mixed) == [0])
            let columns = await engine.query(#"DESCRIBE "prom"."metrics""#)
            #expect(columns.rows.count { $0[2] == "DIMENSION" } == 128)
            #expect(await engine.query(#"SELECT count(*) FROM "prom"."metrics""#).rows == [["128"]])
        }
    }

    @Test("a record may have 128 dimensions")
    func dimensionsOfARecord() async throws {
        try await withEngine { engine in
            let most = Dictionary(uniqueKeysWithValues: (0..<128).map { ("d\($0)", "v") })
            #expect(await engine.write([record(most)]).status == 200)
            #expect(await engine.query(#"SELECT * FROM "prom"."metrics""#).columns.count == 131)
        }
    }

    @Test("the 8,193rd measure name of a table rejects its record")
    func measureNames() async throws {
        try await withEngine { engine in
            for start in stride(from: 0, to: 8100, by: 100) {
                let answer = await engine.write((start..<start + 100).map { record(["job": "a"], "m\($0)") })
                #expect(answer.status == 200)
            }
            let last = await engine.write((8100..<8200).map { record(["job": "a"], "m\($0)") })
            #expect(self.rejected(last) == Array(92..<100))
            #expect(last.text.contains("8192 measure names"))
            #expect(await engine.write([record(["job": "b"], "m8191"), record(["new": "b"], "m0")]).status == 200)
            #expect(
                await engine.query(#"SELECT count(DISTINCT measure_name) FROM "prom"."metrics""#).rows == [["8192"]]
            )
        }
    }

    @Test("the 1,025th measure of MULTI records rejects its record")
    func multiColumns() async throws {
        try await withEngine { engine in
            func multi(_ range: Range<Int>, time: Int) -> [String: Any] {
                [
                    "Dimensions": [["Name": "a", "Value": "1"]], "MeasureName": "m", "Time": String(time),
                    "MeasureValueType": "MULTI",
                    "MeasureValues": range.map { ["Name": "c\($0)", "Value": "true", "Type": "BOOLEAN"] },
                ]
            }
            let full = await engine.write((0..<4).map { multi($0 * 256..<$0 * 256 + 256, time: $0) })
            #expect(full.status == 200, "\(full.text)")
            let more = await engine.write([
                multi(1023..<1025, time: 10), multi(1020..<1024, time: 11), multi(0..<1, time: 12),
            ])
            #expect(self.rejected(more) == [0])
            #expect(more.text.contains("more than 1024 measures"))
            let rows = await engine.query(#"SELECT "c0", "c1023", "c500" FROM "prom"."metrics" ORDER BY time"#)
            #expect(
                rows.rows == [
                    ["true", nil, nil], [nil, nil, "true"], [nil, nil, nil], [nil, "true", nil], [nil, "true", nil],
                    ["true", nil, nil],
                ]
            )
        }
    }

    @Test("names at their longest are taken; a record over 2 KB is rejected, the byte that makes it so counted")
    func sizes() async throws {
        try await withEngine { engine in
            let name = "d" + String(repeating: "x", count: 59)
            let measure = String(repeating: "é", count: 128)
            #expect(await engine.write([record([name: "v"], measure)]).status == 200)
            // 8 of time, 8 of the double, 1 of the measure name, 1 of the dimension name.
            func size(_ bytes: Int, _ value: String = "1", type: String? = nil) -> [String: Any] {
                record(["d": String(repeating: "v", count: bytes)], type == nil ? "m" : "s", value, type: type)
            }
            let answer = await engine.write([size(2030), size(2031)])
            #expect(self.rejected(answer) == [1])
            #expect(answer.text.contains("at most 2048 bytes"))
            let long = String(repeating: "t", count: 2036)
            let text = await engine.write([size(2, long, type: "VARCHAR"), size(3, long, type: "VARCHAR")])
            #expect(self.rejected(text) == [1])
        }
    }

    @Test("any bytes of UTF-8 are measure names and values")
    func names() async throws {
        let names = [
            "a:b", "node.cpu/total", "1x", "{}", "_", "é", "a\"b", "a'b", "a\\b", "a\u{0}b", " ", "😀", "a::double",
            "select",
        ]
        try await withEngine { engine in
            #expect(await engine.write(names.map { record(["job": $0], $0) }).status == 200)
            let rows = await engine.query(#"SELECT measure_name, "job" FROM "prom"."metrics" ORDER BY measure_name"#)
            #expect(rows.rows.map { $0[0] } == rows.rows.map { $0[1] })
            let sorted = names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
            #expect(rows.rows.map { $0[0] } == sorted)
            for name in names {
                let literal = name.replacing("'", with: "''")
                let found = await engine.query(
                    #"SELECT count(*) FROM "prom"."metrics" WHERE measure_name = '\#(literal)' AND "job" = '\#(literal)'"#
                )
                #expect(found.rows == [["1"]], "\(name)")
            }
        }
    }
}
