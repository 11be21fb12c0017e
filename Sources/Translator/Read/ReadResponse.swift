/// A `prometheus.ReadResponse`, written by hand into one buffer of the right size.
///
/// - Source: `prompb/remote.proto` and `types.proto` of Prometheus.
enum ReadResponse {
    /// - Parameter results: one for each query, in order; empty ones are written too.
    static func encode(_ results: [SeriesSet]) -> [UInt8] {
        let sizes = results.map { set in set.series.map { Self.size(of: $0, in: set) } }
        let resultSizes = sizes.map { $0.reduce(0) { $0 + Self.fieldSize($1) } }
        var output: [UInt8] = []
        output.reserveCapacity(resultSizes.reduce(0) { $0 + Self.fieldSize($1) })
        for (index, set) in results.enumerated() {
            Self.append(key: 1, resultSizes[index], to: &output)
            for (series, size) in zip(set.series, sizes[index]) {
                Self.append(key: 1, size, to: &output)
                Self.append(series, in: set, to: &output)
            }
        }
        return output
    }

    // MARK: Sizes

    private static func varintSize(_ value: UInt64) -> Int {
        (70 - (value | 1).leadingZeroBitCount) / 7
    }

    /// Of a length-delimited field with a key of one byte.
    private static func fieldSize(_ count: Int) -> Int {
        1 + Self.varintSize(UInt64(count)) + count
    }

    private static func size(of label: SeriesSet.Label, in set: SeriesSet) -> Int {
        Self.fieldSize(set.names[Int(label.name)].count) + Self.fieldSize(Int(label.valueCount))
    }

    /// Fields that are zero are left out, as proto3 writers do; the zero with a sign is not zero.
    private static func size(of sample: SeriesSet.Sample) -> Int {
        let timestamp = UInt64(bitPattern: sample.timestampMilliseconds)
        return (sample.bits == 0 ? 0 : 9) + (timestamp == 0 ? 0 : 1 + Self.varintSize(timestamp))
    }

    private static func size(of series: SeriesSet.Series, in set: SeriesSet) -> Int {
        var size = 0
        for label in set.labels[series.labels] { size += Self.fieldSize(Self.size(of: label, in: set)) }
        for sample in series.samples { size += Self.fieldSize(Self.size(of: sample)) }
        return size
    }

    // MARK: Bytes

    private static func append(_ series: SeriesSet.Series, in set: SeriesSet, to output: inout [UInt8]) {
        for label in set.labels[series.labels] {
            let name = set.names[Int(label.name)]
            Self.append(key: 1, Self.size(of: label, in: set), to: &output)
            Self.append(key: 1, name.count, to: &output)
            output += name
            Self.append(key: 2, Int(label.valueCount), to: &output)
            output += set.values[label.valueStart..<label.valueStart + Int(label.valueCount)]
        }
        for sample in series.samples {
            Self.append(key: 2, Self.size(of: sample), to: &output)
            if sample.bits != 0 {
                output.append(1 << 3 | 1)
                unsafe withUnsafeBytes(of: sample.bits.littleEndian) { unsafe output.append(contentsOf: $0) }
            }
            if sample.timestampMilliseconds != 0 {
                output.append(2 << 3)
                Self.append(varint: UInt64(bitPattern: sample.timestampMilliseconds), to: &output)
            }
        }
    }

    /// The head of a length-delimited field.
    private static func append(key number: UInt8, _ count: Int, to output: inout [UInt8]) {
        output.append(number << 3 | 2)
        Self.append(varint: UInt64(count), to: &output)
    }

    private static func append(varint value: UInt64, to output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }
}
