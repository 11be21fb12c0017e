import Testing

@testable import RegularExpressions

/// The kinds of patterns that Prometheus' own tests of its matcher try, each against every value.
@Suite("Patterns as in Prometheus' queries")
struct PrometheusMatcherTests {
    static let values = [
        "", "foo", "foo\n", "\nfoo", "foo bar", "foobar", "xfoo", "barfoo", "foobarbaz", "FOO", "Foo", "bar", "BAR",
        "zQPbMkNO", "prefix-foo-suffix", "prefix-\n-suffix", "\n", "\n\n", "foo\nbar", "😀", "😀foo", "foo😀", "foo.bar",
        "12", "node-1:9100", "node-12:9100", "ſ", "K", "ß", "中文",
    ]

    /// A pattern, and what it comes to in other words.
    static let meanings: [(String, @Sendable (String) -> Bool)] = [
        ("", { $0 == "" }),
        ("foo", { $0 == "foo" }),
        ("^foo", { $0 == "foo" }),
        ("foo$", { $0 == "foo" }),
        ("^(?:foo)$", { $0 == "foo" }),
        ("(foo|bar)", { ["foo", "bar"].contains($0) }),
        ("foo|bar|", { ["foo", "bar", ""].contains($0) }),
        ("|foo", { ["foo", ""].contains($0) }),
        ("foo|bar|foo", { ["foo", "bar"].contains($0) }),
        ("(?i:foo)", { $0.lowercased() == "foo" }),
        ("(?i:(foo|bar))", { ["foo", "bar"].contains($0.lowercased()) }),
        ("(?i)foo|bar", { ["foo", "bar"].contains($0.lowercased()) }),
        ("(?i:foo)|bar", { $0.lowercased() == "foo" || $0 == "bar" }),
        (".*", { _ in true }),
        ("^.*$", { _ in true }),
        ("(.*)", { _ in true }),
        ("(?s:.*)", { _ in true }),
        ("(?-s:.*)", { !$0.utf8.contains(0x0A) }),
        (".+", { $0 != "" }),
        ("^.+$", { $0 != "" }),
        ("(?-s:.+)", { $0 != "" && !$0.utf8.contains(0x0A) }),
        (".?", { $0.unicodeScalars.count <= 1 }),
        (".", { $0.unicodeScalars.count == 1 }),
        ("..", { $0.unicodeScalars.count == 2 }),
        ("foo.*", { $0.hasPrefix("foo") }),
        ("^foo.*", { $0.hasPrefix("foo") }),
        ("foo.+", { $0.hasPrefix("foo") && $0 != "foo" }),
        ("foo.?", { $0.hasPrefix("foo") && $0.unicodeScalars.count <= 4 }),
        (".*foo", { $0.hasSuffix("foo") }),
        (".+foo", { $0.hasSuffix("foo") && $0 != "foo" }),
        (".*foo.*", { $0.contains("foo") }),
        (".*foo.+", { $0.contains("foo") && !$0.hasSuffix("foo") }),
        (".+foo.*", { $0.contains("foo") && !$0.hasPrefix("foo") }),
        ("foo.*bar", { $0.hasPrefix("foo") && $0.hasSuffix("bar") && $0.utf8.count >= 6 }),
        (".*foo.*bar.*", { $0.contains("foo") && $0.hasSuffix("bar") && $0 != "barfoo" || $0.hasPrefix("foobar") }),
        (".*(foo|bar)", { $0.hasSuffix("foo") || $0.hasSuffix("bar") }),
        ("(foo|bar).*", { $0.hasPrefix("foo") || $0.hasPrefix("bar") }),
        (".*foo|bar.*", { $0.hasSuffix("foo") || $0.hasPrefix("bar") }),
        ("prefix-.*-suffix", { $0.hasPrefix("prefix-") && $0.hasSuffix("-suffix") }),
        ("prefix-(foo|bar)-suffix", { $0 == "prefix-foo-suffix" }),
        ("foo\n?", { Array($0.utf8) == Array("foo".utf8) || Array($0.utf8) == Array("foo\n".utf8) }),
        ("\n*", { $0.utf8.allSatisfy { $0 == 0x0A } }),
        ("[^\n]*", { !$0.utf8.contains(0x0A) }),
        ("foo.bar", { ["foo bar", "foo\nbar", "foo.bar"].contains($0) }),
        ("foo\\.bar", { $0 == "foo.bar" }),
        ("foo[. ]bar", { ["foo bar", "foo.bar"].contains($0) }),
        ("(foo)(bar)?(baz)?", { ["foo", "foobar", "foobarbaz"].contains($0) }),
        ("foo((bar|baz)*)", { ["foo", "foobar", "foobarbaz"].contains($0) }),
        ("(foo|foobar)(baz|barbaz)?", { ["foo", "foobar", "foobarbaz"].contains($0) }),
        ("((foo|bar)+)", { ["foo", "bar", "foobar", "barfoo"].contains($0) }),
        ("😀", { $0 == "😀" }),
        ("😀.*", { $0.hasPrefix("😀") }),
        (".*😀", { $0.hasSuffix("😀") }),
        ("[😀-😂]foo", { $0 == "😀foo" }),
        ("node-\\d+:9100", { $0.hasPrefix("node-") }),
        ("node-\\d{2}:9100", { $0 == "node-12:9100" }),
        ("node-(1|12):9100", { $0.hasPrefix("node-") }),
        ("[0-9]+", { $0 == "12" }),
        ("\\p{Han}+", { $0 == "中文" }),
        ("(?i)s", { $0 == "ſ" }),
        ("(?i)k", { $0 == "K" }),
        ("(?i)ss", { _ in false }),
        ("(?i)zqpbmknO", { $0 == "zQPbMkNO" }),
        ("(zQPbMkNO|NNSPdvMi|iWuuSoAl|qbvKMimS|IecrXtPa)", { $0 == "zQPbMkNO" }),
        ("(?:zQPbMkNO.*|foo.*|.*baz)", { $0 == "zQPbMkNO" || $0.hasPrefix("foo") || $0.hasSuffix("baz") }),
        ("a^|\\bfoo\\b|$x", { $0 == "foo" }),
        ("[^\\x00-\\x{10FFFF}]", { _ in false }),
    ]

    @Test("each means what it says", arguments: meanings.indices)
    func meaning(index: Int) throws {
        let (pattern, meaning) = Self.meanings[index]
        let engines = try Engines(pattern)
        for value in Self.values {
            #expect(
                engines.dissenters(Array(value.utf8), expected: meaning(value)) == [],
                "`\(pattern)` on \(value.debugDescription)"
            )
        }
    }
}
