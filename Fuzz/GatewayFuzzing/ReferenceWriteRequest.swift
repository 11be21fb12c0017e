/// A `prometheus.WriteRequest`, read as plainly as can be.
struct ReferenceWriteRequest {
    struct Label: Comparable {
        var name: [UInt8]
        var value: [UInt8]

        static func < (left: Self, right: Self) -> Bool { left.name.lexicographicallyPrecedes(right.name) }
    }

    struct Sample: Equatable {
        var timestamp: Int64
        var bits: UInt64
    }

    struct Series {
        /// Sorted by name, without those whose value is empty.
        var labels: [Label]
        var samples: [Sample]
    }

    var series: [Series]

    init(_ message: [UInt8]) throws {
        self.series = try ProtobufMessage.messages(1, in: message).map { message in
            let labels = try ProtobufMessage.messages(1, in: message).map { label in
                Label(
                    name: try ProtobufMessage.messages(1, in: label).last ?? [],
                    value: try ProtobufMessage.messages(2, in: label).last ?? []
                )
            }
            let samples = try ProtobufMessage.messages(2, in: message).map { sample in
                Sample(
                    timestamp: Int64(bitPattern: try ProtobufMessage.varint(2, in: sample) ?? 0),
                    bits: try ProtobufMessage.fixed64(1, in: sample) ?? 0
                )
            }
            return Series(labels: labels.filter { !$0.value.isEmpty }.sorted(), samples: samples)
        }
    }
}
