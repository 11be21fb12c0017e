import Common
import Foundation
import HTTPTypes
import Testing

@testable import AdminConsole

@Suite("The metadata page, in the shape of Prometheus' own")
struct MetadataPageTests {
    private static let path = "/api/v1/status/metadata"

    private let console: ConsoleUnderTest = {
        var console = ConsoleUnderTest()
        console.metadata = MetadataPage { tenant, metric in
            let entries = [
                MetadataPage.Entry(metric: Array("a b+c%".utf8), type: "gauge", help: "\"q\"\\\n\u{1}é", unit: ""),
                MetadataPage.Entry(metric: Array("up".utf8), type: "counter", help: "Up.", unit: "seconds"),
                MetadataPage.Entry(metric: Array("zero".utf8), type: "unknown", help: "", unit: ""),
            ]
            return tenant == "demo" ? entries.filter { metric == nil || $0.metric == metric } : nil
        }
        return console
    }()

    /// The names of `data`, and the whole document.
    private func get(_ query: String) async throws -> (status: Int, names: Set<String>, document: [String: Any]) {
        let answer = await self.console.get(Self.path + query)
        #expect(answer.fields[.contentType] == "application/json")
        let document = try JSONSerialization.jsonObject(with: Data(answer.text.utf8))
        let members = try #require(document as? [String: Any])
        let data = members["data"] as? [String: Any]
        #expect((members["status"] as? String) == (answer.status == 200 ? "success" : "error"))
        return (answer.status, Set((data ?? [:]).keys), members)
    }

    @Test("every metric has a list of one, with type, help and unit")
    func shape() async throws {
        let answer = await self.console.get(Self.path + "?tenant=demo&metric=up")
        let expected = #"{"status":"success","data":{"up":[{"type":"counter","help":"Up.","unit":"seconds"}]}}"#
        #expect(answer.status == 200 && answer.text == expected)
        let all = try await self.get("?tenant=demo")
        #expect(all.names == ["a b+c%", "up", "zero"])
        let odd = (all.document["data"] as? [String: [[String: String]]])?["a b+c%"]?.first
        #expect(odd == ["type": "gauge", "help": "\"q\"\\\n\u{1}é", "unit": ""])
    }

    @Test(
        "metric and limit choose",
        arguments: [
            ("&metric=zero", ["zero"]), ("&metric=none", []), ("&metric=", ["a b+c%", "up", "zero"]),
            ("&metric=a+b%2Bc%25", ["a b+c%"]), ("&metric=a%20b%2bc%25", ["a b+c%"]), ("&metric=%ff", []),
            ("&limit=2", ["a b+c%", "up"]), ("&limit=0", []), ("&limit=-1", ["a b+c%", "up", "zero"]),
            ("&limit=99", ["a b+c%", "up", "zero"]), ("&&limit=1&", ["a b+c%"]),
        ] as [(String, [String])]
    )
    func choices(query: String, expected: [String]) async throws {
        let answer = try await self.get("?tenant=demo" + query)
        #expect(answer.status == 200 && answer.names == Set(expected))
    }

    @Test(
        "what is not understood is told as Prometheus tells it",
        arguments: [
            ("", 400, "bad_data"), ("?tenant=", 400, "bad_data"), ("?tenant=demo&limit=x", 400, "bad_data"),
            ("?tenant=demo&limit=", 400, "bad_data"), ("?tenant=demo&tenant=demo", 400, "bad_data"),
            ("?tenant=demo&metric=%2", 400, "bad_data"), ("?tenant=demo&metric=%zz", 400, "bad_data"),
            ("?tenant=demo&limit_per_metric=1", 400, "bad_data"), ("?tenant=other", 404, "not_found"),
            ("?tenant=demo%00", 404, "not_found"),
        ]
    )
    func refusals(query: String, status: Int, type: String) async throws {
        let answer = try await self.get(query)
        #expect(answer.status == status)
        #expect(answer.document["errorType"] as? String == type)
        #expect((answer.document["error"] as? String)?.isEmpty == false)
    }

    @Test("off loopback there is no such page, and under a foreign name neither")
    func access() async {
        var console = self.console
        #expect(await console.get(Self.path + "?tenant=demo", host: "evil.example").status == 421)
        console.isLoopback = false
        let answer = await console.get(Self.path + "?tenant=demo", host: "gateway.internal")
        #expect(answer.status == 404 && !answer.text.contains("Up."))
    }
}
