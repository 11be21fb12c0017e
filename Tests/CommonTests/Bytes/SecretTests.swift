import Testing

@testable import Common

@Suite("A secret")
struct SecretTests {
    @Test("shows nothing of itself in any text form, alone or inside something else")
    func textForms() {
        struct Holder {
            var name = "name"
            var key = Secret("HUSH-HUSH")
            var optional: Secret? = Secret("HUSH-HUSH")
            var list = [Secret("HUSH-HUSH")]
            var byName = ["a": Secret("HUSH-HUSH")]
        }
        let secret = Secret("HUSH-HUSH")
        var dumped = ""
        dump(secret, to: &dumped)
        dump(Holder(), to: &dumped)
        dump(SecretMemory(Array("HUSH-HUSH".utf8)), to: &dumped)
        for text in [
            "\(secret)", String(describing: secret), String(reflecting: secret), "\(Holder())",
            String(reflecting: Holder()), "\(Mirror(reflecting: secret).children.map { $0 })", dumped,
        ] {
            #expect(!text.contains("HUSH"))
            // Nor as a list of bytes.
            #expect(!text.contains("72, 85"))
        }
        #expect("\(secret)" == "<secret>" && String(reflecting: [secret]) == "[<secret>]")
    }

    @Test("is what was put in, whatever the bytes are", arguments: ["", "a", "é\u{0}\u{7F}", "0123456789abcdef0123"])
    func value(text: String) {
        let secret = Secret(text)
        #expect(secret.revealed == text)
        #expect(secret.isEmpty == text.isEmpty)
        #expect(unsafe secret.withUnsafeBytes { unsafe Array($0) } == Array(text.utf8))
        #expect(secret == Secret(bytes: Array(text.utf8)[...]))
    }

    @Test("equals what holds the same, and is found among others by it")
    func equality() {
        let words = ["", "a", "b", "ab", "aba", "abb"]
        for (index, left) in words.enumerated() {
            for (other, right) in words.enumerated() { #expect((Secret(left) == Secret(right)) == (index == other)) }
        }
        let numbers = Dictionary(uniqueKeysWithValues: words.enumerated().map { (Secret($1), $0) })
        #expect(numbers[Secret("ab")] == 3 && numbers[Secret("ba")] == nil)
    }
}
