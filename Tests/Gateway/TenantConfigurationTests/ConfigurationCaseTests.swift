import Testing

@testable import TenantConfiguration

@Suite("Configuration files and what is said about them")
struct ConfigurationCaseTests {
    @Test("each case ends in the summary or the problems that stand beside it", arguments: try CaseFolder.caseNames())
    func endsAsExpected(name: String) throws {
        let outcome = try CaseFolder.shared.get().outcome(of: "\(name).yaml")
        #expect(outcome == (try CaseFolder.expected(name)))
    }

    @Test("a file is good or bad as its name says", arguments: try CaseFolder.caseNames())
    func isGoodOrBad(name: String) throws {
        let path = try CaseFolder.shared.get().path("\(name).yaml")
        let isGood = (try? TenantsFile.load(path: path, environment: CaseFolder.environment)) != nil
        #expect(isGood == name.hasPrefix("good-"))
    }

    @Test("no message repeats a secret, wherever it was put", arguments: try CaseFolder.caseNames())
    func hidesSecrets(name: String) throws {
        let outcome = try CaseFolder.shared.get().outcome(of: "\(name).yaml")
        #expect(!outcome.contains(CaseFolder.secretWord))
        #expect(!outcome.contains(CaseFolder.bcryptHash.suffix(53)))
    }

    @Test("both kinds of cases are found")
    func findsCases() throws {
        let names = try CaseFolder.caseNames()
        #expect(names.count { $0.hasPrefix("good-") } >= 8)
        #expect(names.count { $0.hasPrefix("bad-") } >= 40)
    }
}
