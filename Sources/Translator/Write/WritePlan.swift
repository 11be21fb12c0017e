import Common
import TimestreamModel

/// A request cut into `WriteRecords` calls; each call's body is made when it is sent.
///
/// Immutable, so that bodies can be encoded side by side, and again after a 400 with fewer records.
package struct WritePlan: Sendable {
    /// What the records of a call have for a value.
    enum Form: Int, Sendable, CaseIterable {
        case number, special, histogram
    }

    /// One call: a run of `records` of one form.
    struct Batch: Sendable {
        var records: Range<Int>
        var form: Form
    }

    /// One sample of the request, and then one record to be.
    struct Record: Sendable {
        var series: Int32
        var isHistogram = false
        var timestamp: Int64
        /// A float's bit pattern: arithmetic would change a signalling NaN. Of a histogram its number, and in a plan's
        /// records its part as well; see `histogram`.
        var bits: UInt64

        var form: Form {
            if self.isHistogram { return .histogram }
            // NaN, a stale marker or an infinity: all that have the highest exponent.
            return self.bits & 0x7FF0_0000_0000_0000 == 0x7FF0_0000_0000_0000 ? .special : .number
        }

        /// Which histogram, and which part of it, from 1.
        var histogram: (number: Int, part: Int) { (Int(self.bits >> 8), Int(self.bits & 0xFF)) }

        /// Whether this is a sample of its own: of a histogram's records the first is.
        var isSample: Bool { !self.isHistogram || self.histogram.part == 1 }
    }

    package let counts: WriteCounts
    package let refusals: RefusalSummary
    /// What the request tells of metrics; of a plan of the records of another one, nothing.
    package private(set) var metadata = RequestMetadata()
    /// What the plan takes until it is sent, and the bodies that are under way at once.
    package let memoryBytes: Int
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
    let histograms: [WriteContent.Histogram]
    let histogramMessages: [UInt8]
    /// What the request adds to the table's columns, as far as it is known.
    let lease: TableDimensions.Lease?

    /// The records of a batch, as numbers of this plan.
    package func records(ofBatch batch: Int) -> Range<Int> {
        self.batches[batch].records
    }

    /// How many samples, floats or histograms, records of one batch are.
    package func samples(in records: Range<Int>) -> Int {
        guard let first = records.first, self.records[first].isHistogram else { return records.count }
        return records.count { self.records[$0].isSample }
    }

    /// How many samples any records are; of a histogram any of its records counts, and once.
    func samples(of records: [Int]) -> Int {
        let histograms = Set(records.compactMap { self.histogram(ofRecord: $0) })
        return histograms.count + records.count { !self.records[$0].isHistogram }
    }

    /// Which histogram a record is part of; nil for a float's.
    func histogram(ofRecord record: Int) -> Int? {
        let record = self.records[record]
        return record.isHistogram ? record.histogram.number : nil
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
        let packed = order.pack(
            &samples,
            content,
            options,
            &counts,
            &refusals
        )
        let (records, batches) = Self.cut(packed, content)
        var largestBodyBytes = 0
        for batch in batches {
            let bodyBytes = batch.records.reduce(0) { sum, number in
                let record = records[number]
                let value = record.isHistogram ? 2048 : 0
                return sum + Int(content.series[Int(record.series)].fragmentBytes) + value + 128
            }
            largestBodyBytes = max(largestBodyBytes, bodyBytes)
        }
        var table: [UInt8] = Array(#"{"DatabaseName":"#.utf8)
        JSONText.append(options.table.database, to: &table)
        table += Array(#","TableName":"#.utf8)
        JSONText.append(options.table.table, to: &table)
        table.append(UInt8(ascii: ","))
        // A buffer doubles as it grows, so a body may be in memory of twice its size.
        let bodyBytes = 2 * (largestBodyBytes + table.count) * min(batches.count, RecordWriter.concurrentCalls)
        var plan = WritePlan(
            counts: counts,
            refusals: refusals,
            memoryBytes: bodyBytes + records.capacity * MemoryLayout<Record>.stride + content.retainedBytes,
            records: records,
            batches: batches,
            series: content.series,
            labelSets: content.labelSets,
            labels: content.table.labels,
            fragments: content.table.fragments,
            table: table,
            histograms: content.histograms,
            histogramMessages: content.histogramMessages,
            lease: content.table.lease
        )
        plan.metadata = content.metadata
        return plan
    }

    /// Makes records of samples and cuts them into calls: each of one form, and all parts of a histogram in one.
    private static func cut(
        _ packed: RecordOrder.Packed,
        _ content: borrowing WriteContent
    ) -> (records: [Record], batches: [Batch]) {
        var batches: [Batch] = []
        let floatCount = packed.counts[Form.number.rawValue] + packed.counts[Form.special.rawValue]
        for (form, part) in [
            (Form.number, 0..<packed.counts[Form.number.rawValue]),
            (Form.special, packed.counts[Form.number.rawValue]..<floatCount),
        ] {
            for start in stride(from: part.lowerBound, to: part.upperBound, by: WriteOptions.maximumRecords) {
                let range = start..<min(start + WriteOptions.maximumRecords, part.upperBound)
                batches.append(Batch(records: range, form: form))
            }
        }
        guard floatCount < packed.records.count else { return (packed.records, batches) }
        var records = Array(packed.records[..<floatCount])
        var start = floatCount
        for sample in packed.records[floatCount...] {
            let parts = Int(content.histograms[Int(sample.bits)].partCount)
            if records.count + parts - start > WriteOptions.maximumRecords {
                batches.append(Batch(records: start..<records.count, form: .histogram))
                start = records.count
            }
            for part in 1...parts {
                var record = sample
                record.bits = sample.bits << 8 | UInt64(part)
                records.append(record)
            }
        }
        batches.append(Batch(records: start..<records.count, form: .histogram))
        return (records, batches)
    }
}
