import TestSupport
import Testing

@testable import RegularExpressions

@Suite("Time is linear in the value")
struct LinearTimeTests {
    /// Patterns on which a backtracking matcher takes exponential or cubic time.
    static let patterns = [
        "(a*)*b", "(a+)+b", "(a|a)*b", "(a|aa)+b", "(a|a?)+b", "(?:a?){50}a{50}b", ".*.*.*.*b", "(.*a){20}b",
        "(x+x+)+y|(a*)*c", "(?m)(?:^a*$|a)*b", "(?:\\b|a)*\\Bb", "(a*b?)*c", "(a{1,10}){1,10}b", "[ab]*a[ab]{12}c",
    ]

    @Test("threads take no more steps than instructions times characters", arguments: patterns)
    func threads(pattern: String) throws {
        let program = try #require(Program(TreeSimplifier.simplified(try Parser.parse(pattern))))
        for length in [100, 1000, 5000] {
            var threads = Automaton(program, limit: 0)
            let value = [UInt8](repeating: UInt8(ascii: "a"), count: length)
            let result = threads.matches(value.span)
            #expect(!result)
            // With assertions an instruction is visited twice: to decide them, and after reading.
            let bound = (program.hasAssertions ? 2 : 1) * program.instructions.count * (length + 1)
            let steps = threads.steps
            #expect(steps <= bound)
        }
    }

    @Test("once its states are made, the automaton reads 100 KB without another step", arguments: patterns)
    func automaton(pattern: String) throws {
        let program = try #require(Program(TreeSimplifier.simplified(try Parser.parse(pattern))))
        var automaton = Automaton(program)
        let value = [UInt8](repeating: UInt8(ascii: "a"), count: 100_000)
        let first = automaton.matches(value.span)
        let steps = automaton.steps
        let second = automaton.matches(value.span)
        let stepsAfter = automaton.steps
        #expect(!first && !second)
        #expect(stepsAfter == steps)
        #expect(steps < 2_000_000)
    }

    @Test("an automaton with too many states gives up keeping them, and is still right")
    func thrashing() throws {
        // 2^14 states, a new one at almost every character.
        let program = try #require(Program(TreeSimplifier.simplified(try Parser.parse("[ab]*a[ab]{14}"))))
        var automaton = Automaton(program, limit: 2000)
        var threads = Automaton(program, limit: 0)
        var generator = SeededGenerator(seed: 6)
        for _ in 0..<40 {
            let value = (0..<200).map { _ in Bool.random(using: &generator) ? UInt8(ascii: "a") : UInt8(ascii: "b") }
            let expected = value[185] == UInt8(ascii: "a")
            let ours = automaton.matches(value.span)
            let theirs = threads.matches(value.span)
            #expect(ours == expected)
            #expect(theirs == expected)
        }
        let isThrashing = automaton.isThrashing
        #expect(isThrashing)
    }

    @Test(
        "pieces between .* are looked for in linear time",
        arguments: [".*a{40}b.*", "a.*a{100}b.*a", ".*(?:ab){9}c.*b"]
    )
    func pieces(pattern: String) throws {
        let expression = try RegularExpression(pattern)
        let value = [UInt8](repeating: UInt8(ascii: "a"), count: 100_000)
        #expect(!expression.matches(value))
    }

    @Test("a thousand alternatives that begin alike keep few threads busy")
    func sharedBeginnings() throws {
        let pattern = (0..<1000).map { "host-\($0).*" }.joined(separator: "|")
        let program = try #require(
            Program(AlternativeTrie.shared(TreeSimplifier.simplified(try Parser.parse(pattern))))
        )
        var threads = Automaton(program, limit: 0)
        let value = Array("host-123.example".utf8)
        let result = threads.matches(value.span)
        let steps = threads.steps
        #expect(result)
        #expect(steps < 40 * value.count)
    }

    @Test("many threads may match with one expression at the same time")
    func concurrently() async throws {
        let expression = try RegularExpression("(a|b)*c[0-9]{2,3}(x|\\by)?")
        let counts = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    (0..<1000).count { expression.matches(Array("ababc\($0)x".utf8)) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts == Array(repeating: 990, count: 8))
    }
}
