import Testing

@testable import TenantConfiguration

@Suite("YAML documents as trees with places")
struct YAMLComposerTests {
    private func compose(
        _ text: String,
        bounds: YAMLComposer.Bounds = .init()
    ) throws -> (root: YAMLNode?, faults: [YAMLFault]) {
        var composer = YAMLComposer(Array(text.utf8), bounds: bounds)
        let root = try composer.compose()
        return (root, composer.faults)
    }

    private func fault(_ text: String, bounds: YAMLComposer.Bounds = .init()) -> YAMLFault? {
        do {
            return try self.compose(text, bounds: bounds).faults.first
        } catch {
            return error as? YAMLFault
        }
    }

    @Test("keys and values know their line and column, counted in characters from 1")
    func places() throws {
        let root = try #require(try self.compose("a: 1\n\"é\": {b: [x, y]}\n").root)
        guard case .mapping(let entries) = root.content, case .mapping(let inner) = entries[1].value.content,
            case .sequence(let items) = inner[0].value.content
        else {
            Issue.record("not the tree")
            return
        }
        #expect(entries[0].keyMark == Mark(line: 1, column: 1))
        #expect(entries[0].value.mark == Mark(line: 1, column: 4))
        #expect(entries[1].key == "é")
        #expect(inner[0].keyMark == Mark(line: 2, column: 7))
        #expect(items.map(\.mark) == [Mark(line: 2, column: 11), Mark(line: 2, column: 14)])
        #expect(root.size == 9)
    }

    @Test(
        "only what is written without quotes may be a number or nothing",
        arguments: [
            ("10", true), ("'10'", false), ("\"10\"", false), ("|\n  10", false), ("! 10", false), ("!!str 10", false),
            ("!!int \"10\"", true), ("~", true),
        ]
    )
    func plainness(text: String, isPlain: Bool) throws {
        let root = try #require(try self.compose("a: \(text)\n").root)
        guard case .mapping(let entries) = root.content, case .scalar(let scalar) = entries[0].value.content else {
            Issue.record("not a scalar")
            return
        }
        #expect(scalar.isPlain == isPlain)
    }

    /// Each level names the one before it ten times.
    private func laughs(levels: Int) -> String {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1..<levels {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        return text
    }

    @Test("nested aliases are counted as what they stand for")
    func billionLaughs() throws {
        #expect(try self.compose(self.laughs(levels: 5)).faults.isEmpty)
        let fault = self.fault(self.laughs(levels: 30))
        #expect(fault?.message == "the document has more than 2000000 values, aliases written out")
        #expect(fault?.mark?.line == 7)
    }

    @Test("a document has a bound on its values, counted exactly")
    func manyNodes() {
        // The root, a key and the list: three.
        let text = "a: [1, 2, 3, 4, 5]\n"
        #expect(self.fault(text, bounds: .init(nodes: 8, depth: 8)) == nil)
        #expect(self.fault(text, bounds: .init(nodes: 7, depth: 8))?.message.contains("more than 7 values") == true)
    }

    @Test("depth has a bound, in brackets and in blocks")
    func depth() {
        let brackets = String(repeating: "[", count: 100_000)
        #expect(self.fault(brackets)?.message == "nested deeper than 64 levels")
        let braces = String(repeating: "{a: ", count: 100_000)
        #expect(self.fault(braces)?.message == "nested deeper than 64 levels")
        let block = (0..<100).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(self.fault(block)?.message == "nested deeper than 64 levels")
        #expect(self.fault(String(repeating: "[", count: 64) + String(repeating: "]", count: 64)) == nil)
    }

    @Test("an alias to what contains it is refused, also after the anchor was used before")
    func recursion() {
        #expect(self.fault("&a [*a]")?.message == "the alias stands inside what it names")
        #expect(self.fault("- &a 1\n- &a [*a]\n")?.message == "the alias stands inside what it names")
        #expect(self.fault("- *b\n- &b 1\n")?.message == "no anchor of this alias stands before it")
        #expect(self.fault("- &a 1\n- &a 2\n- *a\n") == nil)
    }

    @Test("faults that leave the rest readable are all collected, with their paths")
    func collects() throws {
        let (root, faults) = try self.compose("a: {b: 1, b: 2}\n? {c: d}\n: 1\ne: [!x 1, *f]\na: 3\n")
        #expect(faults.map(\.path) == ["a.b", "", "e[0]", "e[1]", "a"])
        #expect(faults.map { $0.mark?.line } == [1, 2, 4, 4, 5])
        guard case .mapping(let entries) = root?.content else {
            Issue.record("no mapping")
            return
        }
        #expect(entries.map(\.key) == ["a", "e"])
    }

    @Test("a second document is refused, an ended first one is not")
    func documents() {
        #expect(self.fault("---\na: 1\n...\n") == nil)
        #expect(self.fault("a: 1\n---\n")?.message == "a second document starts here")
        #expect(self.fault("%YAML 1.1\n---\na: 1\n") == nil)
    }
}
