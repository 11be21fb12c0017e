import Testing

@testable import StoreInspection

@Suite("What is printed of the look at tenants' stores")
struct TenantFindingTests {
    private func finding(_ tenant: String) -> TenantFinding {
        TenantFinding(tenant: tenant, database: "metrics", table: "prometheus", region: "eu-west-1")
    }

    @Test("columns stand under one another, and what nobody told is a question mark")
    func table() {
        var found = self.finding("a-tenant-of-some-length")
        found.credentials = "assumed role"
        found.cell = "cell1"
        let lines = [self.finding("b"), found].text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 5)
        #expect(lines[0].hasPrefix("TENANT                   CREDENTIALS   EXPIRES  REGION     CELL   DATABASE  TABLE"))
        #expect(
            lines[1].hasPrefix("b                        ?             ?        eu-west-1  ?      metrics   prometheus")
        )
        #expect(lines[2].hasPrefix("a-tenant-of-some-length  assumed role  ?        eu-west-1  cell1  metrics"))
        #expect(lines[4] == "2 tenants, all work")
    }

    @Test("steps that failed alike are one problem; a note of several tenants is one line")
    func merges() {
        var first = self.finding("first")
        first.report("reading", "no way", remedy: "find one")
        first.report("writing", "no way", remedy: "find one")
        first.report("table", "no way", remedy: nil)
        first.note("by the way")
        var second = self.finding("second")
        second.note("by the way")
        second.note("by the way")
        let text = [first, second].text
        #expect(text.contains("\nfirst: reading, writing: no way\n  fix: find one\n"))
        #expect(text.contains("\nfirst: table: no way\n\nnote: by the way (first, second)\n"))
        #expect(text.hasSuffix("\n2 tenants, 1 to be mended"))
        let many = (0..<8).map { number in
            var finding = self.finding("t\(number)")
            finding.note("by the way")
            return finding
        }
        #expect(many.text.contains("note: by the way (t0, t1, t2, t3, t4 and 3 more)"))
    }
}
