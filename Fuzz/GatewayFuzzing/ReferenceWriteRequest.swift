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
            let series = try ReferenceReadResponse.series(message)
            return Series(labels: series.labels.filter { !$0.value.isEmpty }.sorted(), samples: series.samples)
        }
    }
}
