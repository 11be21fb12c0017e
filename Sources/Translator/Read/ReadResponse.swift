/// A `prometheus.ReadResponse`, written by hand into one buffer of the right size.
///
/// - Source: `prompb/remote.proto` and `types.proto` of Prometheus.
enum ReadResponse {
    /// - Parameter results: one for each query, in order; empty ones are written too.
    static func encode(_ results: [SeriesSet]) -> [UInt8] {
        let sizes = results.map { set in set.series.map { Self.size(of: $0, in: set) } }
        let resultSizes = sizes.map { $0.reduce(0) { $0 + ProtobufBytes.fieldSize($1) } }
        var output: [UInt8] = []
        output.reserveCapacity(resultSizes.reduce(0) { $0 + ProtobufBytes.fieldSize($1) })
        for (index, set) in results.enumerated() {
            ProtobufBytes.append(key: 1, resultSizes[index], to: &output)
            for (series, size) in zip(set.series, sizes[index]) {
                ProtobufBytes.append(key: 1, size, to: &output)
                Self.append(series, in: set, to: &output)
            }
        }
        return output
    }

    /// The bytes of the response.
    static func size(of results: [SeriesSet]) -> Int {
        results.reduce(0) { sum, set in
            sum
                + ProtobufBytes.fieldSize(
                    set.series.reduce(0) { $0 + ProtobufBytes.fieldSize(Self.size(of: $1, in: set)) }
                )
        }
    }

    // MARK: Sizes

    /// Fields that are zero are left out, as proto3 writers do; the zero with a sign is not zero.
    private static func size(of sample: SeriesSet.Sample) -> Int {
        let timestamp = UInt64(bitPattern: sample.timestampMilliseconds)
        return (sample.bits == 0 ? 0 : 9) + (timestamp == 0 ? 0 : 1 + ProtobufBytes.varintSize(timestamp))
    }

    private static func size(of series: SeriesSet.Series, in set: SeriesSet) -> Int {
        var size = 0
        for label in set.labels[series.labels] {
            size += ProtobufBytes.fieldSize(ProtobufBytes.size(of: label, in: set))
        }
        for sample in series.samples { size += ProtobufBytes.fieldSize(Self.size(of: sample)) }
        for entry in series.histograms { size += ProtobufBytes.fieldSize(set.histograms.messageBytes(of: entry)) }
        return size
    }

    // MARK: Bytes

    private static func append(_ series: SeriesSet.Series, in set: SeriesSet, to output: inout [UInt8]) {
        ProtobufBytes.append(labelsOf: series, in: set, to: &output)
        for sample in series.samples {
            ProtobufBytes.append(key: 2, Self.size(of: sample), to: &output)
            if sample.bits != 0 {
                output.append(1 << 3 | 1)
                unsafe withUnsafeBytes(of: sample.bits.littleEndian) { unsafe output.append(contentsOf: $0) }
            }
            ProtobufBytes.append(field: 2, integer: sample.timestampMilliseconds, to: &output)
        }
        for entry in series.histograms {
            ProtobufBytes.append(key: 4, set.histograms.messageBytes(of: entry), to: &output)
            set.histograms.appendMessage(of: entry, to: &output)
        }
    }
}
