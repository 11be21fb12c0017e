import Synchronization

/// The process' metrics, written out in the Prometheus text format.
///
/// Handles are made once, beside the code that uses them, and are atomics on the hot path; a series exists, at zero, as
/// soon as its handle does. Label values must come from closed sets (tenants, routes, status codes, error codes).
package final class MetricRegistry: Sendable {
    package enum Kind: String, Sendable { case counter, gauge, histogram }

    private struct Family {
        var kind: Kind
        var help: String
        var series: [String: any MetricSeries] = [:]
    }
    private let families = Locked<[String: Family]>([:])

    package init() {}

    /// The counter of this name and these labels; the same object for the same arguments.
    package func counter(_ name: String, help: String, labels: [(String, String)] = []) -> MetricCounter {
        self.series(name, .counter, help, labels) { MetricCounter() }
    }

    /// The gauge of this name and these labels.
    package func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> MetricGauge {
        self.series(name, .gauge, help, labels) { MetricGauge() }
    }

    /// The histogram of this name and these labels, in seconds.
    package func histogram(
        _ name: String,
        help: String,
        labels: [(String, String)] = [],
        bounds: [Double] = MetricHistogram.latencyBounds
    ) -> MetricHistogram {
        self.series(name, .histogram, help, labels) { MetricHistogram(bounds: bounds) }
    }

    private func series<Series: MetricSeries>(
        _ name: String,
        _ kind: Kind,
        _ help: String,
        _ labels: [(String, String)],
        make: () -> Series
    ) -> Series {
        let key = labels.map { "\($0.0)=\"\(Self.escape($0.1))\"" }.joined(separator: ",")
        return self.families.withLock { families in
            if let family = families[name] {
                precondition(family.kind == kind, "metric \(name) is registered as two kinds")
                if let existing = family.series[key] as? Series { return existing }
            }
            let series = make()
            // In place: a copy of the family would copy all its series for each new one.
            families[name, default: Family(kind: kind, help: help)].series[key] = series
            return series
        }
    }

    /// Forgets all series that have this label with one of the values: of tenants that are no more. Handles that somebody
    /// still has count for nobody.
    package func removeSeries(label: String, values: [String]) {
        guard !values.isEmpty else { return }
        let pairs = Set(values.map { "\(label)=\"\(Self.escape($0))\"" })
        let prefix = "\(label)=\""
        // Looked through outside of the lock: there may be a million, and requests wait for new ones of their own.
        let removed = self.families.withLock { $0 }.mapValues { family in
            family.series.keys.filter { key in
                // Quotation marks inside of values are escaped, so a pair stands nowhere but between pairs.
                key.split(separator: "\",").contains { pair in
                    pair.hasPrefix(prefix) && pairs.contains(pair.last == "\"" ? String(pair) : pair + "\"")
                }
            }
        }
        self.families.withLock { families in
            for (name, keys) in removed {
                for key in keys { families[name]?.series[key] = nil }
            }
        }
    }

    private static func escape(_ value: String) -> String {
        var result = ""
        for character in value.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// All metrics in the text format 0.0.4, families and series sorted by name.
    package func exposition() -> String {
        let snapshot = self.families.withLock { $0 }
        var text = ""
        for (name, family) in snapshot.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
                series.write(name: name, labels: labels, into: &text)
            }
        }
        return text
    }
}

/// One series of a family.
package protocol MetricSeries: AnyObject, Sendable {
    func write(name: String, labels: String, into text: inout String)
}

/// A count that only grows.
package final class MetricCounter: MetricSeries {
    private let storage = Atomic<Int>(0)

    package func increment(by amount: Int = 1) {
        self.storage.wrappingAdd(amount, ordering: .relaxed)
    }

    package var value: Int { self.storage.load(ordering: .relaxed) }

    package func write(name: String, labels: String, into text: inout String) {
        text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(self.value)\n"
    }
}

/// A whole number that goes up and down.
package final class MetricGauge: MetricSeries {
    private let storage = Atomic<Int>(0)

    package func increment(by amount: Int = 1) {
        self.storage.wrappingAdd(amount, ordering: .relaxed)
    }

    package func set(_ value: Int) {
        self.storage.store(value, ordering: .relaxed)
    }

    package var value: Int { self.storage.load(ordering: .relaxed) }

    package func write(name: String, labels: String, into text: inout String) {
        text += "\(name)\(labels.isEmpty ? "" : "{\(labels)}") \(self.value)\n"
    }
}

/// A distribution over fixed bounds, in seconds.
package final class MetricHistogram: MetricSeries {
    package static let latencyBounds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25,
    ]
    private struct State {
        var counts: [Int]
        var sum: Double = 0
        var count = 0
    }
    private let bounds: [Double]
    private let state: Locked<State>

    package init(bounds: [Double]) {
        self.bounds = bounds
        self.state = Locked(State(counts: Array(repeating: 0, count: bounds.count)))
    }

    package func observe(_ seconds: Double) {
        let bucket = self.bounds.firstIndex { seconds <= $0 }
        self.state.withLock {
            if let bucket { $0.counts[bucket] += 1 }
            $0.sum += seconds
            $0.count += 1
        }
    }

    package func observe(_ duration: Duration) {
        self.observe(duration / .seconds(1))
    }

    package var count: Int { self.state.withLock { $0.count } }

    package func write(name: String, labels: String, into text: inout String) {
        let state = self.state.withLock { $0 }
        let separator = labels.isEmpty ? "" : ","
        var cumulative = 0
        for (bound, count) in zip(self.bounds, state.counts) {
            cumulative += count
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(cumulative)\n"
        }
        text += "\(name)_bucket{\(labels)\(separator)le=\"+Inf\"} \(state.count)\n"
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        text += "\(name)_sum\(braces) \(state.sum)\n\(name)_count\(braces) \(state.count)\n"
    }
}
