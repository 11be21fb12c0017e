import Common
import TimestreamModel

/// A request cut into `WriteRecords` calls; each call's body is made when it is sent.
///
/// Immutable, so that bodies can be encoded side by side, and again after a 400 with fewer records.
package struct WritePlan: Sendable {
    /// One call: a run of `order`, all ordinary or all special values.
    struct Batch: Sendable {
        var records: Range<Int>
        var isSpecial: Bool
    }

    /// One sample of the request, and then one record to be.
    struct Record: Sendable {
        var series: Int32
        var timestamp: Int64
        /// The bit pattern of the value: arithmetic would change a signalling NaN.
        var bits: UInt64

        /// NaN, a stale marker or an infinity: all that have the highest exponent.
        var isSpecial: Bool { self.bits & 0x7FF0_0000_0000_0000 == 0x7FF0_0000_0000_0000 }
    }

    package let counts: WriteCounts
    package let refusals: RefusalSummary
    /// What the plan takes until it is sent, and the bodies that are under way at once.
    package let memoryBytes: Int
    /// Samples that are to be stored.
    package var recordCount: Int { self.records.count }
    package var batchCount: Int { self.batches.count }

    /// In the order of packing; the index is the record's number in this plan.
    let records: [Record]
    let batches: [Batch]
    let series: [WriteContent.Series]
    let labelSets: [Int32]
    let labels: [LabelTable.Label]
    let fragments: [UInt8]
    let table: [UInt8]

    /// The records of a batch, as numbers of this plan.
    package func records(ofBatch batch: Int) -> Range<Int> {
        self.batches[batch].records
    }

    /// Where a record came from, in words for the sender.
    package func origin(ofRecord record: Int) -> String {
        let record = self.records[record]
        return "timeseries[\(self.series[Int(record.series)].position)], time \(record.timestamp)"
    }

    /// The most memory that a plan can be made of; its numbers of 32 bits reach that far.
    package static let maximumMemoryBytes = Int(Int32.max)

    /// Reads a remote write request and plans its calls.
    ///
    /// - Parameters:
    ///   - decoded: the body after snappy.
    ///   - memoryLimitBytes: what reading may take beside the body itself.
    /// - Throws: `ProtocolError.malformedProtobuf`, nothing may be stored then; `.overMemory` if the limit is too small
    ///   for this body; `.decodedTooLarge` for one of 2 GiB or more.
    package static func plan(
        _ decoded: [UInt8],
        version: WriteProtocol = .version1,
        options: WriteOptions,
        memoryLimitBytes: Int = WritePlan.maximumMemoryBytes
    ) throws(ProtocolError) -> WritePlan {
        guard decoded.count <= Self.maximumMemoryBytes else {
            throw .decodedTooLarge(declared: decoded.count, limitBytes: Self.maximumMemoryBytes)
        }
        let memoryLimitBytes = min(memoryLimitBytes, Self.maximumMemoryBytes)
        let bytes = unsafe decoded.span.bytes
        var content =
            switch version {
            case .version1:
                try WriteRequestWalk.walk(bytes, options: options, memoryLimitBytes: memoryLimitBytes)
            case .version2:
                try WriteRequestWalkV2.walk(bytes, options: options, memoryLimitBytes: memoryLimitBytes)
            }
        let order = RecordOrder(content)
        var refusals = content.refusals
        var counts = content.counts
        var samples = content.takeSamples()
        let (records, ordinaryCount) = order.pack(
            &samples,
            dropsSpecialValues: options.dropsSpecialValues,
            content.series,
            &counts,
            &refusals
        )
        var batches: [Batch] = []
        var largestBodyBytes = 0
        for part in [0..<ordinaryCount, ordinaryCount..<records.count] {
            for start in stride(from: part.lowerBound, to: part.upperBound, by: WriteOptions.maximumRecords) {
                let range = start..<min(start + WriteOptions.maximumRecords, part.upperBound)
                batches.append(Batch(records: range, isSpecial: start >= ordinaryCount))
                let bodyBytes = range.reduce(0) { sum, record in
                    sum + Int(content.series[Int(records[record].series)].fragmentBytes) + 128
                }
                largestBodyBytes = max(largestBodyBytes, bodyBytes)
            }
        }
        var table: [UInt8] = Array(#"{"DatabaseName":"#.utf8)
        JSONText.append(options.table.database, to: &table)
        table += Array(#","TableName":"#.utf8)
        JSONText.append(options.table.table, to: &table)
        table.append(UInt8(ascii: ","))
        // A buffer doubles as it grows, so a body may be in memory of twice its size.
        let bodyBytes = 2 * (largestBodyBytes + table.count) * min(batches.count, RecordWriter.concurrentCalls)
        return WritePlan(
            counts: counts,
            refusals: refusals,
            memoryBytes: bodyBytes + records.capacity * MemoryLayout<Record>.stride + content.retainedBytes,
            records: records,
            batches: batches,
            series: content.series,
            labelSets: content.labelSets,
            labels: content.table.labels,
            fragments: content.table.fragments,
            table: table
        )
    }
}
