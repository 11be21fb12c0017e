import Common

/// What a sender tells of a metric beside its samples.
package struct MetricMetadata: Sendable, Equatable {
    /// The kind of metric, spelled as Prometheus' own API spells it.
    ///
    /// - Source: `MetricMetadata.MetricType` of remote write 1.0 and `Metadata.MetricType` of 2.0, which number alike.
    package enum Kind: String, Sendable, CaseIterable {
        // In the order of the numbers.
        case unknown, counter, gauge, histogram, gaugehistogram, summary, info, stateset

        /// A number that nobody has given a meaning yet is an unknown kind.
        init(number: UInt64) {
            self = number < UInt64(Self.allCases.count) ? Self.allCases[Int(number)] : .unknown
        }
    }

    /// The metric's name in UTF-8 bytes: with remote write 1.0 the family's, with 2.0 the series' `__name__`.
    package var metric: [UInt8]
    package var kind: Kind
    package var help: String
    package var unit: String

    package init(metric: [UInt8], kind: Kind, help: String, unit: String) {
        self.metric = metric
        self.kind = kind
        self.help = help
        self.unit = unit
    }

    /// Bytes of the name and the texts.
    package var textBytes: Int { self.metric.count + self.help.utf8.count + self.unit.utf8.count }
}

/// The metadata of one request, copied out of its body; nothing is allocated for a request without.
package struct RequestMetadata: Sendable {
    /// Why an entry is not kept.
    package enum Drop: String, Sendable, CaseIterable {
        case noName = "no_name"
        case invalidUTF8 = "invalid_utf8"
        case tooLong = "too_long"
        /// The request has more of it than a tenant may keep.
        case tooMany = "too_many"
    }

    /// More entries of a request are not kept; Prometheus sends 2,000.
    package static let maximumEntries = 10_000
    /// Bytes of all names and texts of a request: with remote write 2.0 many metrics may share one long text.
    package static let maximumTextBytes = 2 << 20
    /// Bytes of the name and the texts of one metric.
    package static let maximumEntryBytes = 4 << 10

    private struct Entry {
        var kind: MetricMetadata.Kind
        var nameCount: Int32
        var helpCount: Int32
        var unitCount: Int32
    }

    private var list: [Entry] = []
    /// Names, helps and units, one after the other.
    private var text: [UInt8] = []
    /// The last entry, by where its texts stand in the request's body.
    private var last: (kind: MetricMetadata.Kind, name: Range<Int>, help: Range<Int>, unit: Range<Int>)?
    package private(set) var drops: [Drop: Int] = [:]

    /// How many there are to keep.
    package var count: Int { self.list.count }

    /// What it takes, with what arrays hold in reserve while they grow.
    var memoryBytes: Int { self.list.count * 3 * MemoryLayout<Entry>.stride + self.text.count * 3 }

    /// Adds an entry, or counts why not. What the entry before says in the same words is taken once: with remote write
    /// 2.0 each series of a metric says it again.
    ///
    /// - Parameters:
    ///   - name: where it stands in `bytes`, as `help` and `unit`.
    mutating func add(
        _ kind: MetricMetadata.Kind,
        name: Range<Int>,
        help: Range<Int>,
        unit: Range<Int>,
        in bytes: RawSpan
    ) {
        if let last = self.last, last.kind == kind, Self.isSame(last.name, name, bytes),
            Self.isSame(last.help, help, bytes), Self.isSame(last.unit, unit, bytes)
        {
            return
        }
        if let drop = self.drop(name, help, unit, bytes) {
            self.drops[drop, default: 0] += 1
            return
        }
        self.last = (kind, name, help, unit)
        self.list.append(
            Entry(
                kind: kind,
                nameCount: Int32(name.count),
                helpCount: Int32(help.count),
                unitCount: Int32(unit.count)
            )
        )
        self.append(name, bytes)
        self.append(help, bytes)
        self.append(unit, bytes)
    }

    /// Mostly the same place: of remote write 2.0 the same symbol.
    private static func isSame(_ one: Range<Int>, _ other: Range<Int>, _ bytes: RawSpan) -> Bool {
        one.count == other.count && bytes.hasSameBytes(at: one.lowerBound, as: other)
    }

    private mutating func append(_ range: Range<Int>, _ bytes: RawSpan) {
        unsafe bytes.extracting(range).withUnsafeBytes { unsafe self.text.append(contentsOf: $0) }
    }

    private func drop(_ name: Range<Int>, _ help: Range<Int>, _ unit: Range<Int>, _ bytes: RawSpan) -> Drop? {
        if name.isEmpty { return .noName }
        let byteCount = name.count + help.count + unit.count
        if byteCount > Self.maximumEntryBytes { return .tooLong }
        guard bytes.isUTF8(name), bytes.isUTF8(help), bytes.isUTF8(unit) else { return .invalidUTF8 }
        let hasRoom = self.list.count < Self.maximumEntries && self.text.count + byteCount <= Self.maximumTextBytes
        return hasRoom ? nil : .tooMany
    }

    /// In the request's order; a metric may come several times.
    package func entries() -> [MetricMetadata] {
        var position = 0
        func take(_ count: Int32) -> ArraySlice<UInt8> {
            defer { position += Int(count) }
            return self.text[position..<position + Int(count)]
        }
        return self.list.map { entry in
            MetricMetadata(
                metric: Array(take(entry.nameCount)),
                kind: entry.kind,
                help: String(decoding: take(entry.helpCount), as: UTF8.self),
                unit: String(decoding: take(entry.unitCount), as: UTF8.self)
            )
        }
    }
}
