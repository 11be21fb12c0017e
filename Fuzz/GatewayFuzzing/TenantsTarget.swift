import Foundation
import TenantConfiguration

/// A `tenants.yaml`: loaded whole, or refused with problems that an operator can follow.
enum TenantsTarget {
    private static let secret = "hunter2-of-the-environment"

    static func run(_ input: [UInt8]) {
        self.write(input)
        do throws(ConfigurationProblems) {
            let environment = ["SECRET": self.secret]
            let configuration = try TenantsFile.load(path: self.path, environment: environment)
            require(!configuration.tenants.isEmpty, "no tenants")
            let ids = Set(configuration.tenants.map { Array($0.id.utf8) })
            require(ids.count == configuration.tenants.count, "a tenant is there twice")
            for warning in configuration.warnings { self.check(warning, in: input) }
        } catch {
            require(!error.problems.isEmpty, "refused without a reason")
            for problem in error.problems { self.check(problem, in: input) }
            let marks = error.problems.map { ($0.line ?? 0, $0.column ?? 0) }
            require(zip(marks, marks.dropFirst()).allSatisfy { $0 <= $1 }, "problems are not in the file's order")
        }
    }

    /// A new file each time: for one that is written anew, by Foundation or cut to nothing, the system waits for the disk.
    private static func write(_ input: [UInt8]) {
        unlink(self.path)
        let descriptor = open(self.path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        let count = input.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        require(count == input.count, "cannot write \(self.path)")
    }

    private static func check(_ problem: ConfigurationProblem, in input: [UInt8]) {
        require(!problem.message.isEmpty, "no message")
        let lines =
            input.count { $0 == 0x0A } + input.count { $0 == 0x0D }
            + input.count { $0 == 0x85 || $0 == 0xA8 || $0 == 0xA9 }
        if let line = problem.line {
            require((1...lines + 2).contains(line), "line \(line)")
            require((1...input.count + 2).contains(problem.column ?? 1), "column \(problem.column ?? 1)")
        }
        for text in [problem.path, problem.message, problem.remedy ?? ""] {
            let isPlain = text.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            require(isPlain, "control characters in \(text.debugDescription)")
        }
        // Secrets come from the environment, and from keys whose values are never shown.
        require(!problem.message.contains(self.secret) || !problem.path.contains("secret"), problem.description)
    }

    private static let path = FileManager.default.temporaryDirectory.appendingPathComponent("tenants-\(getpid()).yaml")
        .path
}
