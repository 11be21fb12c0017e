/// The values of one label among some series of a list; the empty value stands for series without the label.
struct LabelRestriction: Sendable {
    var label: [UInt8]
    var values: [[UInt8]]
}

extension SeriesList {
    /// What all series of a run have and others of the list have not, so that a statement need not read those.
    ///
    /// Conditions on single labels, so their rows are those of the run or more: neighbours in the order of labels share
    /// most of them.
    ///
    /// - Parameter distinctCounts: of the whole list, by the names' places.
    func restrictions(to places: Range<Int>, distinctCounts: [Int]) -> [LabelRestriction] {
        guard places.count < self.set.series.count else { return [] }
        let values = self.set.distinctValues(of: places, limit: Self.maximumValues)
        var candidates: [(restriction: LabelRestriction, share: Double, bytes: Int)] = []
        for (name, found) in values.enumerated() {
            guard found.count > 0, found.count <= Self.maximumValues, found.count < distinctCounts[name] else {
                continue
            }
            let restriction = LabelRestriction(label: self.set.names[name], values: found.values(of: self.set))
            // With quotes, a comma, and for a label that may stand in two columns.
            let bytes = restriction.values.reduce(100) { $0 + 2 * ($1.count + 4) }
            candidates.append((restriction, Double(found.count) / Double(distinctCounts[name]), bytes))
        }
        candidates.sort { $0.share < $1.share }
        var freeBytes = Self.maximumBytes
        var result: [LabelRestriction] = []
        for candidate in candidates where candidate.bytes <= freeBytes {
            freeBytes -= candidate.bytes
            result.append(candidate.restriction)
        }
        return result
    }

    /// How many values each label has in the list, up to one more than may be named.
    func distinctCounts() -> [Int] {
        self.set.distinctValues(of: self.set.series.indices, limit: Self.maximumValues).map(\.count)
    }

    /// More values of one label are not named.
    static let maximumValues = ReadLimits.seriesPerRun
    /// Of all restrictions in a statement: the longest it can be is 262,144 bytes, matchers included.
    private static let maximumBytes = 160 << 10
}

extension SeriesSet {
    /// The distinct values of one label among some series.
    struct DistinctValues {
        fileprivate var labels: Set<ArraySlice<UInt8>> = []
        fileprivate var last: ArraySlice<UInt8>?
        fileprivate var seriesWithLabel = 0
        fileprivate var lacksLabel = false

        /// The empty one included; above the limit, no more are counted.
        var count: Int { self.labels.count + (self.lacksLabel ? 1 : 0) }

        /// In the order of their bytes, so that equal runs give equal statements.
        func values(of set: SeriesSet) -> [[UInt8]] {
            let values = self.labels.map(Array.init).sorted { $0.lexicographicallyPrecedes($1) }
            return self.lacksLabel ? [[]] + values : values
        }
    }

    /// By the names' places in `names`; a name that none of the series has counts no value.
    func distinctValues(of places: Range<Int>, limit: Int) -> [DistinctValues] {
        var result = [DistinctValues](repeating: DistinctValues(), count: self.names.count)
        for series in self.series[places] {
            for label in self.labels[series.labels] {
                let name = Int(label.name)
                result[name].seriesWithLabel += 1
                guard result[name].labels.count <= limit else { continue }
                let value = self.value(of: label)
                // Neighbours often have the same.
                if value == result[name].last { continue }
                result[name].last = value
                result[name].labels.insert(value)
            }
        }
        for name in result.indices {
            result[name].last = nil
            result[name].lacksLabel = result[name].seriesWithLabel < places.count
        }
        return result
    }
}
