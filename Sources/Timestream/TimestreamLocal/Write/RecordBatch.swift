import TimestreamModel

/// The records of one `WriteRecords` call, checked and ready to be stored.
struct RecordBatch: Sendable {
    struct Record: Sendable {
        /// Where the canonical form of measure name and dimensions stands in `keys`.
        var key: Range<Int>
        var type: MeasureType
        var value: MeasureValue
        var timeNanoseconds: Int64
        var version: Int64
        /// What Timestream meters: time, names and values. Source: developer guide, "Metering and cost optimization".
        var sizeBytes: Int
    }

    var table: TableName
    var records: [Record] = []
    /// The canonical forms of all records; see `StreamKey`.
    var keys: [UInt8] = []
}

/// The canonical form of what identifies a series: the measure name, then the dimensions sorted by name; each text after
/// its length in two bytes, so that no two series have one form.
enum StreamKey {
    static func append(_ text: ArraySlice<UInt8>, to key: inout [UInt8]) {
        key.append(UInt8(truncatingIfNeeded: text.count >> 8))
        key.append(UInt8(truncatingIfNeeded: text.count))
        key.append(contentsOf: text)
    }

    /// The texts of a key: the measure name, then names and values of the dimensions by turns.
    static func texts(of key: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var texts: [ArraySlice<UInt8>] = []
        var index = key.startIndex
        while index + 2 <= key.endIndex {
            let count = Int(key[index]) << 8 | Int(key[index + 1])
            texts.append(key[index + 2..<index + 2 + count])
            index += 2 + count
        }
        return texts
    }
}
