/// A `prometheus.ReadResponse`, read as plainly as can be.
struct ReferenceReadResponse {
    struct Series: Equatable {
        /// In the order of the response.
        var labels: [ReferenceWriteRequest.Label]
        var samples: [ReferenceWriteRequest.Sample]
    }

    /// Of each query.
    var results: [[Series]]

    init(_ message: [UInt8]) throws {
        self.results = try ProtobufMessage.messages(1, in: message).map { result in
            try ProtobufMessage.messages(1, in: result).map(Self.series)
        }
    }

    /// A `prometheus.TimeSeries`.
    static func series(_ message: [UInt8]) throws -> Series {
        let labels = try ProtobufMessage.messages(1, in: message).map { label in
            ReferenceWriteRequest.Label(
                name: try ProtobufMessage.messages(1, in: label).last ?? [],
                value: try ProtobufMessage.messages(2, in: label).last ?? []
            )
        }
        let samples = try ProtobufMessage.messages(2, in: message).map { sample in
            ReferenceWriteRequest.Sample(
                timestamp: Int64(bitPattern: try ProtobufMessage.varint(2, in: sample) ?? 0),
                bits: try ProtobufMessage.fixed64(1, in: sample) ?? 0
            )
        }
        return Series(labels: labels, samples: samples)
    }

    /// Whether names, series and times are in the order that Prometheus relies on, none twice.
    static func isInOrder(_ result: [Series]) -> Bool {
        func ascend<Value>(_ values: [Value], _ comesBefore: (Value, Value) -> Bool) -> Bool {
            zip(values, values.dropFirst()).allSatisfy(comesBefore)
        }
        return ascend(result, { self.comesBefore($0, $1) })
            && result.allSatisfy { series in
                ascend(series.labels, { $0 < $1 }) && ascend(series.samples, { $0.timestamp < $1.timestamp })
            }
    }

    /// (name, value) pairs by bytes, a series whose labels are the beginning of another's first.
    static func comesBefore(_ left: Series, _ right: Series) -> Bool {
        left.labels.lexicographicallyPrecedes(right.labels) { one, other in
            one.name == other.name ? one.value.lexicographicallyPrecedes(other.value) : one < other
        }
    }
}
