/// The order in which samples are cut into calls, so that the records of a call share as much as they can.
struct RecordOrder {
    /// For each series its place: equal series have the same.
    private let ranks: [Int32]
    private let rankCount: Int

    /// Sorts the series by label set and metric name.
    init(_ content: borrowing WriteContent) {
        let series = content.series
        let sets = content.labelSets
        /// Below zero, zero or above, as the left series comes before, with or after the right one.
        func compare(_ left: Int32, _ right: Int32) -> Int {
            if left == right { return 0 }
            let one = series[Int(left)]
            let other = series[Int(right)]
            let shared = Int(min(one.setCount, other.setCount))
            var index = 0
            while index < shared {
                let difference = Int(sets[Int(one.setStart) + index]) - Int(sets[Int(other.setStart) + index])
                if difference != 0 { return difference }
                index += 1
            }
            return Int(one.setCount - other.setCount)
        }

        // By a number first that says the same wherever it differs, and at length only where it does not.
        let keys = Self.sortKeys(content)
        let order = zip(keys.values, series.indices).map { (key: $0, number: Int32($1)) }.sorted { left, right in
            if left.key != right.key { return left.key < right.key }
            let difference = keys.isExact ? 0 : compare(left.number, right.number)
            return difference != 0 ? difference < 0 : left.number < right.number
        }
        var ranks = [Int32](repeating: 0, count: series.count)
        var last: Int32 = -1
        for (index, entry) in order.enumerated() {
            let isNew =
                index == 0 || order[index - 1].key != entry.key
                || (!keys.isExact && compare(order[index - 1].number, entry.number) != 0)
            if isNew { last += 1 }
            ranks[Int(entry.number)] = last
        }
        self.ranks = ranks
        self.rankCount = Int(last) + 1
    }

    /// Samples in order, and how many there are of each form, by `WritePlan.Form.rawValue`.
    struct Packed {
        var records: [WritePlan.Record]
        var counts: [Int]
    }

    /// Sorts samples by form, series and time; counts and leaves out what cannot be stored; of the same point twice, the
    /// first one stays.
    ///
    /// - Parameter samples: empty afterwards, so that the memory of all of them is needed only twice.
    func pack(
        _ samples: inout [WritePlan.Record],
        _ content: borrowing WriteContent,
        _ options: WriteOptions,
        _ counts: inout WriteCounts,
        _ refusals: inout RefusalSummary
    ) -> Packed {
        let series = content.series
        // A counting sort: how many samples each place gets, then where its first one goes, then where its last one is.
        var ends = [Int32](repeating: 0, count: self.rankCount * WritePlan.Form.allCases.count)
        for sample in samples {
            guard WriteOptions.timestampsMilliseconds.contains(sample.timestamp) else {
                refusals.add(
                    .timestampOutOfRange,
                    samples: 1,
                    detail: "timeseries[\(series[Int(sample.series)].position)]: time \(sample.timestamp) is outside "
                        + "1970 to 2262"
                )
                continue
            }
            if sample.form == .special, options.refusesSpecialValues {
                refusals.add(
                    .specialValue,
                    samples: 1,
                    detail: "timeseries[\(series[Int(sample.series)].position)]: the value "
                        + "\(Double(bitPattern: sample.bits)) at \(sample.timestamp) is not finite"
                )
            } else if sample.form == .special, options.dropsSpecialValues {
                counts.droppedSpecialValues += 1
            } else {
                ends[self.place(of: sample)] += 1
            }
        }
        var total: Int32 = 0
        for place in ends.indices {
            let count = ends[place]
            ends[place] = total
            total += count
        }
        var records = [WritePlan.Record](repeating: .init(series: 0, timestamp: 0, bits: 0), count: Int(total))
        for sample in samples where WriteOptions.timestampsMilliseconds.contains(sample.timestamp) {
            if sample.form == .special, options.leavesOutSpecialValues { continue }
            let place = self.place(of: sample)
            records[Int(ends[place])] = sample
            ends[place] += 1
        }
        samples = []

        var kept = 0
        var formCounts = Array(repeating: 0, count: WritePlan.Form.allCases.count)
        var start = 0
        for (place, end) in ends.enumerated() {
            let range = start..<Int(end)
            start = range.upperBound
            Self.sortByTime(&records, range)
            let first = kept
            for index in range {
                let record = records[index]
                if kept == first || records[kept - 1].timestamp != record.timestamp {
                    records[kept] = record
                    kept += 1
                } else if Self.hasSameValue(records[kept - 1], record, content) {
                    counts.repeatedSamples += 1
                    if record.isHistogram { counts.repeatedHistograms += 1 }
                } else {
                    let position = series[Int(record.series)].position
                    refusals.add(
                        .conflictingSample,
                        samples: 1,
                        detail: "timeseries[\(position)]: another value for time \(record.timestamp)"
                    )
                }
            }
            formCounts[place / self.rankCount] += kept - first
        }
        records.removeLast(records.count - kept)
        return Packed(records: records, counts: formCounts)
    }

    private static func hasSameValue(
        _ one: WritePlan.Record,
        _ other: WritePlan.Record,
        _ content: borrowing WriteContent
    ) -> Bool {
        guard one.isHistogram else { return one.bits == other.bits }
        let left = content.histograms[Int(one.bits)]
        let right = content.histograms[Int(other.bits)]
        return content.histogramMessages[Int(left.start)..<Int(left.start + left.count)].elementsEqual(
            content.histogramMessages[Int(right.start)..<Int(right.start + right.count)]
        )
    }

    /// Places of numbers come first, then as many of special values, then of histograms.
    private func place(of sample: WritePlan.Record) -> Int {
        Int(self.ranks[Int(sample.series)]) + sample.form.rawValue * self.rankCount
    }

    /// Sorts one series' records, which nearly always are in order already.
    private static func sortByTime(_ records: inout [WritePlan.Record], _ range: Range<Int>) {
        guard range.count > 1 else { return }
        for index in range.dropFirst() where records[index - 1].timestamp > records[index].timestamp {
            // By pointer: sorting a slice of an array would copy it. The sort is stable, so the first one stays first.
            unsafe records.withUnsafeMutableBufferPointer { buffer in
                var part = unsafe UnsafeMutableBufferPointer(rebasing: buffer[range])
                unsafe part.sort { $0.timestamp < $1.timestamp }
            }
            return
        }
    }

    /// A number for each series that orders them as their label sets do: the ordinals of its values, the name of the
    /// highest priority in the highest bits, as far as 64 bits reach.
    ///
    /// - Returns: `isExact` if all names have found room, so that equal numbers mean equal series.
    private static func sortKeys(_ content: borrowing WriteContent) -> (values: [UInt64], isExact: Bool) {
        let labels = content.table.labels
        let names = content.table.names
        var shifts = [Int32](repeating: -1, count: names.count)
        var room = 64
        for name in Self.namesByWorth(content) {
            let width = Int.bitWidth - Int(names[name].values).leadingZeroBitCount
            guard width <= room else { break }
            room -= width
            shifts[name] = Int32(room)
        }
        // What each label adds to the number of a series that has it.
        let parts = labels.map { label in
            let shift = shifts[Int(label.name)]
            return shift < 0 ? 0 : UInt64(label.ordinal) << UInt64(shift)
        }
        let sets = content.labelSets
        let values = content.series.map { series in
            var key: UInt64 = 0
            for index in Int(series.setStart)..<Int(series.setStart + series.setCount) {
                key |= parts[Int(sets[index])]
            }
            return key
        }
        return (values, !shifts.contains(-1))
    }

    /// The label names, those whose values are worth most to group by first.
    ///
    /// What records of a call share is sent and billed once. Grouping by a name saves, for each of its values, about the
    /// bytes it takes in all series divided by the number of its values: `cluster` first, then `job`, then `instance`,
    /// and `__name__` among the last.
    private static func namesByWorth(_ content: borrowing WriteContent) -> [Int] {
        let labels = content.table.labels
        let names = content.table.names
        var uses = [Int32](repeating: 0, count: labels.count)
        for label in content.labelSets { uses[Int(label)] += 1 }
        var worth = [Int](repeating: 0, count: names.count)
        for (number, label) in labels.enumerated() {
            worth[Int(label.name)] += Int(uses[number]) * Int(label.storedBytes + 20)
        }
        for name in names.indices { worth[name] /= max(Int(names[name].values), 1) }
        return names.indices.sorted { worth[$0] != worth[$1] ? worth[$0] > worth[$1] : $0 < $1 }
    }
}
