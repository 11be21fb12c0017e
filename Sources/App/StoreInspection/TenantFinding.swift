/// What a look at one tenant's store has found. Holds no secret.
package struct TenantFinding: Sendable, Equatable {
    /// Something that an operator has to mend.
    package struct Problem: Sendable, Equatable {
        /// What was tried, such as `writing`; several if they failed alike.
        package var steps: [String]
        package var message: String
        package var remedy: String?
    }

    package var tenant: String
    package var database: String
    package var table: String
    package var region: String
    /// Where the credentials come from.
    package var credentials = Self.unknown
    package var expires = Self.unknown
    /// The cells of the Write and the Query API, or the hosts that are configured.
    package var cell = Self.unknown
    package var retention = Self.unknown
    package var magneticWrites = Self.unknown
    package var dimensions = Self.unknown
    package var reading = Self.unknown
    package var writing = Self.unknown
    /// Empty if the tenant works.
    package private(set) var problems: [Problem] = []
    /// What is worth knowing, and no fault.
    package private(set) var notes: [String] = []

    /// What stands for what nobody has told.
    static let unknown = "?"

    mutating func report(_ step: String, _ message: String, remedy: String?) {
        if let index = self.problems.firstIndex(where: { $0.message == message && $0.remedy == remedy }) {
            self.problems[index].steps.append(step)
        } else {
            self.problems.append(Problem(steps: [step], message: message, remedy: remedy))
        }
    }

    mutating func note(_ text: String) {
        if !self.notes.contains(text) { self.notes.append(text) }
    }
}

extension [TenantFinding] {
    private static let header = [
        "TENANT", "CREDENTIALS", "EXPIRES", "REGION", "CELL", "DATABASE", "TABLE", "MAGNETIC WRITES", "RETENTION",
        "DIMENSIONS", "READ", "WRITE",
    ]

    /// A table with a line for each tenant, then what is to be mended, then what is worth knowing.
    package var text: String {
        var lines = Self.aligned([Self.header] + self.map(\.row))
        for finding in self {
            for problem in finding.problems {
                lines.append("")
                lines.append("\(finding.tenant): \(problem.steps.joined(separator: ", ")): \(problem.message)")
                if let remedy = problem.remedy { lines.append("  fix: \(remedy)") }
            }
        }
        lines += self.noteLines
        let broken = self.count { !$0.problems.isEmpty }
        let of = "\(self.count) tenant\(self.count == 1 ? "" : "s")"
        lines.append("")
        lines.append(broken == 0 ? "\(of), all work" : "\(of), \(broken) to be mended")
        return lines.joined(separator: "\n")
    }

    /// Each note once, with the tenants that it is about.
    private var noteLines: [String] {
        var texts: [String] = []
        for note in self.flatMap(\.notes) where !texts.contains(note) { texts.append(note) }
        return texts.flatMap { text in
            let tenants = self.filter { $0.notes.contains(text) }.map(\.tenant)
            let rest = tenants.count > 5 ? " and \(tenants.count - 5) more" : ""
            return ["", "note: \(text) (\(tenants.prefix(5).joined(separator: ", "))\(rest))"]
        }
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let widths = Self.header.indices.map { column in rows.map { $0[column].unicodeScalars.count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.unicodeScalars.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

extension TenantFinding {
    fileprivate var row: [String] {
        [
            self.tenant, self.credentials, self.expires, self.region, self.cell, self.database, self.table,
            self.magneticWrites, self.retention, self.dimensions, self.reading, self.writing,
        ]
    }
}
