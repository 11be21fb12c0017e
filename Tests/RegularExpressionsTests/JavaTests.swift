import Foundation
import TestSupport
import Testing

@testable import RegularExpressions

private let hasJava = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .contains { FileManager.default.isExecutableFile(atPath: "\($0)/javac") }

/// Timestream's manual refers to java.util.regex for its patterns: where a Java compiler is at hand, it is asked.
@Suite("What is printed for other engines means the same to Java", .enabled(if: hasJava))
struct JavaTests {
    /// Reads a pattern and a value a line, in Base64, and looks for the one in the other.
    private static let program = #"""
        import java.io.*;
        import java.nio.charset.StandardCharsets;
        import java.util.Base64;
        import java.util.regex.*;

        public class Judge {
            static String text(String encoded) {
                return new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
            }

            public static void main(String[] arguments) throws Exception {
                BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
                StringBuilder output = new StringBuilder();
                for (String line; (line = input.readLine()) != null;) {
                    String[] parts = line.split(" ", -1);
                    String answer;
                    try {
                        answer = Pattern.compile(text(parts[0])).matcher(text(parts[1])).find() ? "1" : "0";
                    } catch (PatternSyntaxException | StackOverflowError error) {
                        answer = error.toString().replace('\n', ' ');
                    }
                    output.append(answer).append('\n');
                }
                System.out.print(output);
            }
        }
        """#

    private static let written = [
        #"it's 5%.*[_-]/<>\\x?"#, #"\.\[\]\{\}\(\)\*\+\?\^\$\|\\+"#, #"(?i)straße|kelvin.?"#, #"\d{2,3}x?"#, #"\w+\W"#,
        #"\s+|\S\S"#, #"[[:alpha:]][^[:digit:]]?"#, #"[a&&b-]+"#, #"[[a]+\]?"#, #"\pL{1,2}\PN?"#, #"[^\n]+\n?"#,
        #"(?-s).+"#, #"(?s).+.?"#, #"a$|b\n?"#, #"(?:^|,)a(?:,|$)"#, #"(?:\A|x){2}y?"#, #"a(?:\z|x){2,}"#,
        #"[^\x00-\x{10FFFF}]?a.?"#, #"\x00?\x7f?\x{1F600}+"#, #"\Q(?i)\E.?"#, #"(?P<n>a|b){2}"#, #"[é-ü]+.?"#,
        #"\x{D7FF}?[\x{E000}-\x{FFFC}]"#, #"#.? +"#, #"a{,2}.?"#, #"host-(1|2|30)\.example:9[0-9]{3}"#,
    ]
    private static let values = [
        "", "a", "b", "A", "\n", "a\n", "b\n", "\na", "ab", "aa", "a,", ",a", ",a,", "xy", "y", "xxy", "é", "É", "ü",
        "😀",
        "😀😀", "it's 5%_/<>\\", "it's 5%-/<>\\x", ".[]{}()*+?^$|\\", "STRASSE", "straße", "STRAßE", "\u{212A}elvin",
        "KELVINs", "12", "12x", "1234", "a b", "a_", "_-", " ", "\t", "\u{B}", "\u{A0}", "\u{2028}", "\u{85}", "\r",
        "&", "-",
        "[", "]", "[a]", "\u{0}", "\u{7F}", "\u{0}\u{7F}😀", "(?i)", "(?i)x", "\u{D7FF}\u{E000}", "\u{E000}", "#", "# ",
        "a{,2}", "a{,2}b", "host-30.example:9100", "host-3.example:9100", "٣", "e\u{301}", "\u{10FFFF}",
    ]

    @Test("patterns of every construct, and random ones")
    func agrees() throws {
        var cases: [(pattern: String, value: String)] = []
        for pattern in Self.written { cases += Self.values.map { (pattern, $0) } }
        var generator = SeededGenerator(seed: 11)
        let alphabet: [Unicode.Scalar] = ["a", "b", "é", "😀", "\n", "_", "-"]
        for _ in 0..<1_500 {
            let pattern = RandomTree.random(depth: 3, isPortable: false, using: &generator).pattern
            for length in [0, 1, 2, 3, 4, 6] {
                var value = String.UnicodeScalarView()
                for _ in 0..<length { value.append(alphabet.randomElement(using: &generator) ?? "a") }
                cases.append((pattern, String(value)))
            }
        }
        var input = ""
        var ours: [(pattern: String, value: String, matches: Bool)] = []
        for (pattern, value) in cases {
            let expression = try RegularExpression(pattern)
            guard expression.isCheapToBacktrack, let common = expression.commonSyntax(limitBytes: 8_192) else {
                continue
            }
            input += "\(Data(common.utf8).base64EncodedString()) \(Data(value.utf8).base64EncodedString())\n"
            ours.append((pattern, value, expression.matches(Array(value.utf8))))
        }
        #expect(ours.count > 8_000)
        let theirs = try self.java(input)
        try #require(theirs.count == ours.count)
        let wrong = zip(ours, theirs).filter { ($0.matches ? "1" : "0") != $1 }
        #expect(wrong.isEmpty, "\(wrong.prefix(5))")
        #expect(ours.count { $0.matches } > 1_000)
    }

    private func java(_ input: String) throws -> [Substring] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "judge-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(Self.program.utf8).write(to: folder.appending(path: "Judge.java"))
        let questions = folder.appending(path: "questions")
        try Data(input.utf8).write(to: questions)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["java", "-Xss8m", folder.appending(path: "Judge.java").path]
        process.standardInput = try FileHandle(forReadingFrom: questions)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let answers = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: answers, as: UTF8.self).split(separator: "\n")
    }
}
