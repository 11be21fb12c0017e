/// One thing wrong with a configuration file: where, what was found, and how to mend it.
///
/// Never holds a secret's value.
package struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    package var file: String
    /// 1-based; `nil` if the problem is with the file as a whole.
    package var line: Int?
    package var column: Int?
    /// The key's path, such as `tenants.payments.limits.burst`; empty for the file as a whole.
    package var path: String
    package var message: String
    package var remedy: String?

    package init(file: String, line: Int?, column: Int?, path: String, message: String, remedy: String?) {
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.message = message
        self.remedy = remedy
    }

    package var description: String {
        var text = self.file
        if let line { text += ":\(line)" }
        if let column { text += ":\(column)" }
        text += ": "
        if !self.path.isEmpty { text += "\(self.path): " }
        text += self.message
        if let remedy { text += "\n  fix: \(remedy)" }
        return text
    }
}

/// A file that cannot be used; every problem in it, in the file's order.
package struct ConfigurationProblems: Error, Sendable, CustomStringConvertible {
    package var problems: [ConfigurationProblem]

    package init(_ problems: [ConfigurationProblem]) {
        self.problems = problems
    }

    package var description: String {
        let count = self.problems.count
        return self.problems.map(\.description).joined(separator: "\n") + "\n\(count) problem\(count == 1 ? "" : "s")"
    }
}
