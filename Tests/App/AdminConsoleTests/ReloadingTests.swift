import Common
import Foundation
import HTTPTypes
import Testing

@testable import AdminConsole

@Suite("Reloading by the admin console")
struct ReloadingTests {
    private static let good = AdminConsole.Reloading.Status(
        isSuccessful: true,
        loadedAt: "2026-01-01T00:00:00Z",
        attemptedAt: "2026-01-01T00:00:00Z",
        hash: "00000000002a",
        problems: []
    )
    private static var bad: AdminConsole.Reloading.Status {
        var status = Self.good
        status.isSuccessful = false
        status.problems = ["t.yaml:3:5: \"<b>\"", "second"]
        return status
    }

    private func console(_ status: AdminConsole.Reloading.Status, isAllowed: Bool = true) -> ConsoleUnderTest {
        var console = ConsoleUnderTest()
        console.reloading = .init(status: { status }, trigger: nil)
        if isAllowed { console.reloading?.trigger = { status } }
        return console
    }

    @Test("POST /-/reload answers 200, or 500 with every problem")
    func outcome() async {
        #expect(await self.console(Self.good).get("/-/reload", method: .post).status == 200)
        let failed = await self.console(Self.bad).get("/-/reload", method: .post)
        #expect(failed.status == 500 && failed.text.contains("second") && failed.text.contains("t.yaml:3:5"))
    }

    @Test("it is off unless enabled, off loopback, for other methods and for web pages")
    func refusals() async {
        #expect(await self.console(Self.good, isAllowed: false).get("/-/reload", method: .post).status == 404)
        #expect(await ConsoleUnderTest().get("/-/reload", method: .post).status == 404)
        var far = self.console(Self.good)
        (far.isLoopback, far.host) = (false, "10.0.0.1")
        #expect(await far.get("/-/reload", method: .post).status == 404)
        #expect(await far.get("/api/v1/status/reload").status == 404)
        let console = self.console(Self.good)
        #expect(await console.get("/-/reload").fields[.allow] == "POST")
        #expect(await console.get("/-/reload", method: .post, fields: [.origin: "http://a.test"]).status == 403)
        let site = HTTPField.Name("Sec-Fetch-Site").map { HTTPField(name: $0, value: "cross-site") }
        #expect(
            await console.get("/-/reload", method: .post, fields: HTTPFields(site.map { [$0] } ?? [])).status == 403
        )
        #expect(await console.get("/-/reload", host: "evil.test", method: .post).status == 421)
    }

    @Test("the last problems are on the status page, escaped, and in JSON")
    func problems() async throws {
        let page = await self.console(Self.bad).get("/").text
        #expect(page.contains("The configuration was not taken") && page.contains("&lt;b&gt;"))
        #expect(!(await self.console(Self.good).get("/").text.contains("not taken")))
        let json = await self.console(Self.bad).get("/api/v1/status/reload").text
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
        let data = try #require(object["data"] as? [String: Any])
        #expect(data["lastReloadSuccessful"] as? Bool == false)
        #expect(data["problems"] as? [String] == Self.bad.problems)
        #expect(data["hash"] as? String == "00000000002a")
    }
}
