package import TimestreamModel
package import Translator

/// What `timestream-gateway explain` prints.
package enum ExplanationText {
    /// Whose table is asked.
    package struct Subject: Sendable {
        package var tenant: String
        package var table: TableName
        package var region: String

        package init(tenant: String, table: TableName, region: String) {
            self.tenant = tenant
            self.table = table
            self.region = region
        }
    }

    /// The statement on a line of its own, and under it what it says of each matcher.
    ///
    /// - Parameter range: milliseconds, both inclusive.
    /// - Throws: `ReadError` for selectors that the gateway would refuse.
    package static func make(
        _ selector: Selector,
        range: ClosedRange<Int64>,
        of subject: Subject
    ) throws(ReadError) -> String {
        let explanation = try QueryExplanation(
            table: subject.table,
            range: range,
            matchers: selector.matchers.map { ($0.name, $0.operation.explained, $0.value) }
        )
        let asked = explanation.range ?? range
        var lines = [
            "tenant \(subject.tenant), table \(subject.table.database).\(subject.table.table) in \(subject.region),"
                + " \(TimeArgument.text(asked.lowerBound)) to \(TimeArgument.text(asked.upperBound))",
            "",
        ]
        if let statement = explanation.statement {
            lines += [statement, ""]
        } else if explanation.range == nil {
            lines += ["Nothing is sent: no sample can have such a time.", ""]
        } else {
            lines += ["Nothing is sent: no row can match.", ""]
        }
        for (matcher, part) in zip(selector.matchers, explanation.parts) {
            lines.append("\(matcher)")
            lines += Self.lines(of: part)
        }
        lines.append("")
        lines += Self.notes(explanation)
        return lines.joined(separator: "\n")
    }

    private static func lines(of part: QueryExplanation.Part) -> [String] {
        switch part {
        case .exact(let sql): ["  SQL, exact: \(sql)"]
        case .wider(let sql, let why): ["  SQL, wider: \(sql)", "              \(why)"]
        case .none(let why): ["  not in SQL: \(why)"]
        case .impossible: ["  impossible: no series that Timestream can hold passes"]
        }
    }

    private static func notes(_ explanation: QueryExplanation) -> [String] {
        var notes: [String] = []
        if explanation.acceptsEverything {
            notes.append("Prometheus itself refuses this selector: one matcher must not accept the empty value.")
        }
        guard explanation.statement != nil else { return notes }
        notes.append("The gateway checks all matchers again on every series that comes back.")
        if explanation.hasExpressions {
            notes.append("If Timestream refuses the statement, it is sent again without REGEXP_LIKE.")
        }
        if !explanation.assumedColumns.isEmpty {
            let columns = explanation.assumedColumns.joined(separator: ", ")
            notes.append(
                "The table is taken to have the columns \(columns): a condition on one that it has not is left out, or"
                    + " nothing matches; if it has \(QueryExplanation.overflowColumn), rows with that pass every condition on"
                    + " a label that has to be there; if it has native histograms, the metric's are asked for as well."
            )
        }
        notes.append(
            "A streamed result of more than \(QueryExplanation.samplesPerStatement) samples is read by further"
                + " statements: its series first, then runs of them under these conditions."
        )
        return notes
    }
}

extension Selector.Operation {
    fileprivate var explained: QueryExplanation.Operation {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .matches: .matches
        case .doesNotMatch: .doesNotMatch
        }
    }
}
