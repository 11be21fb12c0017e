/// The order in which samples are cut into calls, so that the records of a call share as much as they can.
enum RecordOrder {
    /// A place for every label name: names whose values are worth most to group by come first.
    ///
    /// What records of a call share is sent and billed once. Grouping by a name saves, for each of its values, about the
    /// bytes it takes in all series divided by the number of its values: `cluster` first, then `job`, then `instance`,
    /// and `__name__` among the last.
    static func priorities(of table: borrowing LabelTable) -> [Int32] {
        let labels = table.labels
        let names = table.names
        var bytes = [Int](repeating: 0, count: names.count)
        for label in labels {
            bytes[Int(label.name)] += Int(label.uses) * Int(label.storedBytes + 20)
        }
        let worth = names.indices.map { bytes[$0] / max(Int(names[$0].values), 1) }
        let order = names.indices.sorted { worth[$0] != worth[$1] ? worth[$0] > worth[$1] : $0 < $1 }
        var priorities = [Int32](repeating: 0, count: names.count)
        for (place, name) in order.enumerated() { priorities[name] = Int32(place) }
        return priorities
    }

    /// Parts ordinary samples from NaN, stale markers and infinities, and counts those that cannot be stored.
    static func split(
        _ walk: borrowing WriteRequestWalk,
        dropsSpecialValues: Bool,
        _ counts: inout WriteCounts,
        _ refusals: inout RefusalSummary
    ) -> (ordinary: [WritePlan.Record], special: [WritePlan.Record]) {
        var ordinary: [WritePlan.Record] = []
        var special: [WritePlan.Record] = []
        ordinary.reserveCapacity(walk.samples.count)
        let exponent: UInt64 = 0x7FF0_0000_0000_0000
        for sample in walk.samples {
            guard WriteOptions.timestampsMilliseconds.contains(sample.timestamp) else {
                let position = walk.series[Int(sample.series)].position
                refusals.add(
                    .timestampOutOfRange,
                    samples: 1,
                    detail: "timeseries[\(position)]: time \(sample.timestamp) is outside 1970 to 2262"
                )
                continue
            }
            let record = WritePlan.Record(series: sample.series, timestamp: sample.timestamp, bits: sample.bits)
            if sample.bits & exponent != exponent {
                ordinary.append(record)
            } else if dropsSpecialValues {
                counts.droppedSpecialValues += 1
            } else {
                special.append(record)
            }
        }
        return (ordinary, special)
    }

    /// Sorts by label set, metric name and time; of the same point twice, the first one stays.
    static func sortedUnique(
        _ records: [WritePlan.Record],
        _ walk: borrowing WriteRequestWalk,
        _ counts: inout WriteCounts,
        _ refusals: inout RefusalSummary
    ) -> [WritePlan.Record] {
        let series = walk.series
        let sets = walk.labelSets
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
            if one.setCount != other.setCount { return Int(one.setCount - other.setCount) }
            return Int(one.metric) - Int(other.metric)
        }

        // Numbers of equal series become the same, so that only series are compared at length, not samples; and series
        // by a number first that says the same wherever it differs.
        let keys = self.sortKeys(walk)
        let order = zip(keys.values, series.indices).map { (key: $0, number: Int32($1)) }.sorted { left, right in
            if left.key != right.key { return left.key < right.key }
            let difference = keys.isExact ? 0 : compare(left.number, right.number)
            return difference != 0 ? difference < 0 : left.number < right.number
        }
        var rank = [Int32](repeating: 0, count: series.count)
        var last: Int32 = -1
        for (index, entry) in order.enumerated() {
            let isNew =
                index == 0 || order[index - 1].key != entry.key
                || (!keys.isExact && compare(order[index - 1].number, entry.number) != 0)
            if isNew { last += 1 }
            rank[Int(entry.number)] = last
        }
        let sorted = records.indices.map(Int32.init).sorted { left, right in
            let one = records[Int(left)]
            let other = records[Int(right)]
            let oneRank = rank[Int(one.series)]
            let otherRank = rank[Int(other.series)]
            if oneRank != otherRank { return oneRank < otherRank }
            if one.timestamp != other.timestamp { return one.timestamp < other.timestamp }
            return left < right
        }

        var unique: [WritePlan.Record] = []
        unique.reserveCapacity(records.count)
        for index in sorted {
            let record = records[Int(index)]
            guard let kept = unique.last, kept.timestamp == record.timestamp,
                rank[Int(kept.series)] == rank[Int(record.series)]
            else {
                unique.append(record)
                continue
            }
            if kept.bits == record.bits {
                counts.repeatedSamples += 1
            } else {
                let position = series[Int(record.series)].position
                refusals.add(
                    .conflictingSample,
                    samples: 1,
                    detail: "timeseries[\(position)]: another value for time \(record.timestamp) in the same request"
                )
            }
        }
        return unique
    }

    /// A number for each series that orders them as their label sets do: the ordinals of its values, the name of the
    /// highest priority in the highest bits, as far as 64 bits reach.
    ///
    /// - Returns: `isExact` if all names have found room, so that equal numbers mean equal series.
    private static func sortKeys(_ walk: borrowing WriteRequestWalk) -> (values: [UInt64], isExact: Bool) {
        let names = walk.table.names
        let labels = walk.table.labels
        var shifts = [Int32](repeating: -1, count: names.count)
        var room = 64
        for name in names.indices.sorted(by: { names[$0].priority < names[$1].priority }) {
            let width = Int.bitWidth - Int(names[name].values).leadingZeroBitCount
            guard width <= room else { break }
            room -= width
            shifts[name] = Int32(room)
        }
        let isExact = !shifts.contains(-1)
        let sets = walk.labelSets
        let values = walk.series.map { series in
            var key: UInt64 = 0
            for index in Int(series.setStart)..<Int(series.setStart + series.setCount) {
                let label = labels[Int(sets[index])]
                let shift = shifts[Int(label.name)]
                if shift >= 0 { key |= UInt64(label.ordinal) << UInt64(shift) }
            }
            let metric = labels[Int(series.metric)]
            let shift = shifts[Int(metric.name)]
            if shift >= 0 { key |= UInt64(metric.ordinal) << UInt64(shift) }
            return key
        }
        return (values, isExact)
    }
}
