extension ProtobufBytes {
    /// Of a `Label` message.
    static func size(of label: SeriesSet.Label, in set: SeriesSet) -> Int {
        Self.fieldSize(set.names[Int(label.name)].count) + Self.fieldSize(Int(label.valueCount))
    }

    /// A series' labels as fields 1, which they are in `TimeSeries` and in `ChunkedSeries`.
    static func append(labelsOf series: SeriesSet.Series, in set: SeriesSet, to output: inout [UInt8]) {
        for label in set.labels[series.labels] {
            let name = set.names[Int(label.name)]
            Self.append(key: 1, Self.size(of: label, in: set), to: &output)
            Self.append(key: 1, name.count, to: &output)
            output += name
            Self.append(key: 2, Int(label.valueCount), to: &output)
            output += set.values[label.valueStart..<label.valueStart + Int(label.valueCount)]
        }
    }
}
