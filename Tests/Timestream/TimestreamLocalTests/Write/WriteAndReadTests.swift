import Foundation
import Testing
import TimestreamModel

@testable import TimestreamLocal

@Suite("What is written is read back")
struct WriteAndReadTests {
    @Test("common attributes and records are merged, and every column comes back")
    func mergesCommonAttributes() async throws {
        try await withEngine { engine in
            let answer = await engine.call(
                "WriteRecords",
                """
                {"DatabaseName":"prom","TableName":"metrics",
                 "CommonAttributes":{"Dimensions":[{"Name":"job","Value":"node"},{"Name":"instance","Value":"a:9100"}],
                   "MeasureName":"cpu","MeasureValueType":"DOUBLE","Time":"1700000000000","TimeUnit":"MILLISECONDS"},
                 "Records":[{"Dimensions":[{"Name":"cpu","Value":"0"}],"MeasureValue":"12.5"},
                            {"MeasureValue":"13.25","Time":"1700000000001"}]}
                """
            )
            #expect(answer.status == 200)
            #expect(answer.text == #"{"RecordsIngested":{"Total":2,"MemoryStore":2,"MagneticStore":0}}"#)
            let rows = await engine.query(#"SELECT * FROM "prom"."metrics" ORDER BY time"#)
            #expect(rows.message == nil)
            #expect(rows.columns == ["cpu", "instance", "job", "measure_name", "time", "measure_value::double"])
            #expect(rows.types == ["VARCHAR", "VARCHAR", "VARCHAR", "VARCHAR", "TIMESTAMP", "DOUBLE"])
            #expect(
                rows.rows == [
                    ["0", "a:9100", "node", "cpu", "2023-11-14 22:13:20.000000000", "12.5"],
                    [nil, "a:9100", "node", "cpu", "2023-11-14 22:13:20.001000000", "13.25"],
                ]
            )
        }
    }
}
