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

    /// One record to be.
    struct Record: Sendable {
        var series: Int32
        var timestamp: Int64
        var bits: UInt64
    }

    package let counts: WriteCounts
    package let refusals: RefusalSummary
    /// Samples that are to be stored.
    package var recordCount: Int { self.records.count }
    package var batchCount: Int { self.batches.count }

    /// In the order of packing; the index is the record's number in this plan.
    let records: [Record]
    let batches: [Batch]
    let series: [WriteRequestWalk.Series]
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

    /// Reads a remote write 1.0 request and plans its calls.
    ///
    /// - Parameter decoded: the body after snappy.
    /// - Throws: `ProtocolError.malformedProtobuf`; nothing may be stored then.
    package static func plan(_ decoded: [UInt8], options: WriteOptions) throws(ProtocolError) -> WritePlan {
        var walk = try unsafe WriteRequestWalk.walk(decoded.span.bytes, options: options)
        let priorities = RecordOrder.priorities(of: walk.table)
        walk.setPriorities(priorities)
        var refusals = walk.refusals
        var counts = walk.counts
        let split = RecordOrder.split(walk, dropsSpecialValues: options.dropsSpecialValues, &counts, &refusals)
        var records: [Record] = []
        var batches: [Batch] = []
        records.reserveCapacity(split.ordinary.count + split.special.count)
        for (isSpecial, part) in [(false, split.ordinary), (true, split.special)] where !part.isEmpty {
            let unique = RecordOrder.sortedUnique(part, walk, &counts, &refusals)
            let first = records.count
            records += unique
            for start in stride(from: first, to: records.count, by: WriteOptions.maximumRecords) {
                let end = min(start + WriteOptions.maximumRecords, records.count)
                batches.append(Batch(records: start..<end, isSpecial: isSpecial))
            }
        }
        var table: [UInt8] = Array(#"{"DatabaseName":"#.utf8)
        JSONText.append(options.table.database, to: &table)
        table += Array(#","TableName":"#.utf8)
        JSONText.append(options.table.table, to: &table)
        table.append(UInt8(ascii: ","))
        return WritePlan(
            counts: counts,
            refusals: refusals,
            records: records,
            batches: batches,
            series: walk.series,
            labelSets: walk.labelSets,
            labels: walk.table.labels,
            fragments: walk.table.fragments,
            table: table
        )
    }
}
