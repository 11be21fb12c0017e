import Foundation
import TestSupport
import Testing

@testable import RegularExpressions

@Suite("Random patterns")
struct RandomTreeTests {
    @Test("every way of matching agrees with the definition", arguments: [1, 2, 3, 4] as [UInt64])
    func agreesWithDefinition(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let alphabet: [Unicode.Scalar] = ["a", "b", "é", "😀", "\n", "_", "-"]
        var wrong: [String] = []
        var matched = 0
        for _ in 0..<500 {
            let tree = RandomTree.random(depth: 3, isPortable: false, using: &generator)
            let engines = try Engines(tree.pattern)
            for length in 0..<12 {
                let text = (0..<length / 2).map { _ in alphabet.randomElement(using: &generator) ?? "a" }
                let expected = tree.matches(text)
                matched += expected ? 1 : 0
                let value = text.flatMap { Array(String($0).utf8) }
                let dissenters = engines.dissenters(value, expected: expected)
                if !dissenters.isEmpty {
                    wrong.append("`\(tree.pattern)` on \(value): should be \(expected), not so: \(dissenters)")
                }
            }
        }
        #expect(wrong == [])
        #expect(matched > 500)
    }

    @Test("Python's re agrees on the part of the syntax that it shares")
    func agreesWithPython() throws {
        var generator = SeededGenerator(seed: 5)
        var patterns: [String] = []
        var cases: [[String]] = []
        var answers: [Bool] = []
        for _ in 0..<1500 {
            let pattern = RandomTree.random(depth: 3, isPortable: true, using: &generator).pattern
            let expression = try RegularExpression(pattern)
            for length in [0, 1, 2, 3, 4, 5] {
                let value = String((0..<length).map { _ in "abcd-\n".randomElement(using: &generator) ?? "a" })
                patterns.append(pattern)
                cases.append([pattern, value])
                answers.append(expression.matches(Array(value.utf8)))
            }
        }
        let program = """
            import json, re, sys
            for pattern, value in json.load(sys.stdin):
                print(int(re.fullmatch(pattern, value, re.DOTALL | re.ASCII) is not None))
            """
        let output = try self.python(program, input: JSONEncoder().encode(cases))
        let theirs = output.split(separator: "\n").map { $0 == "1" }
        try #require(theirs.count == answers.count)
        let wrong = zip(cases, zip(answers, theirs)).filter { $1.0 != $1.1 }.map { "\($0): Python says \($1.1)" }
        #expect(wrong == [])
        #expect(answers.count { $0 } > 500)
    }

    private func python(_ program: String, input: Data) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", program]
        let (standardInput, standardOutput) = (Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        try process.run()
        // Python reads all of its input before it writes, so neither pipe can fill while the other waits.
        try standardInput.fileHandleForWriting.write(contentsOf: input)
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: output, as: UTF8.self)
    }
}
