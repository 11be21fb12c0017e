/// How a histogram looks in Timestream: a record of several measures, and more records if it is large.
///
/// The record of the first part is named `promx_histogram` and holds the text as `promx_data`, and for SQL users the count
/// and the sum as `promx_count` and `promx_sum` (left out where Timestream cannot hold them: NaN and infinities). Further
/// parts are named `promx_histogram_2` and so on and hold the text only. Dimensions are those of special values: the labels,
/// and the metric's name in `promx_metric`.
struct HistogramRecord: Sendable {
    static let measurePrefix = "promx_histogram"
    static let dataName = "promx_data"
    static let countName = "promx_count"
    static let sumName = "promx_sum"

    let text: HistogramText
    private let count: Double
    private let sum: Double

    /// What a record's names, values and time may take together (developer guide, "Quotas").
    private static let maximumRecordBytes = 2048

    /// - Parameters:
    ///   - message: the canonical form without its timestamp.
    ///   - reader: what was read of it.
    ///   - dimensionBytes: names and values of all the record's dimensions, `promx_metric` included.
    /// - Returns: nil if the histogram does not fit into the records that it may take.
    init?(_ message: Span<UInt8>, _ reader: HistogramReader, dimensionBytes: Int) {
        guard let text = HistogramText(message, availableBytes: Self.availableBytes(dimensionBytes: dimensionBytes))
        else { return nil }
        self.text = text
        self.count = reader.isFloat ? reader.floatCount : Double(reader.integerCount)
        self.sum = Double(bitPattern: reader.sumBits)
    }

    /// How many records a histogram becomes; to be asked before its message is written.
    ///
    /// - Returns: nil if it does not fit into the records that it may take.
    static func count(messageBytes: Int, dimensionBytes: Int) -> Int? {
        let room = Self.availableBytes(dimensionBytes: dimensionBytes)
        return HistogramText.partCount(messageBytes: messageBytes, availableBytes: room)
    }

    /// How long a text may be beside such dimensions; may be negative.
    static func availableBytes(dimensionBytes: Int) -> Int {
        let time = 8
        let name = Self.measurePrefix.utf8.count + 3
        let scalars = Self.countName.utf8.count + 8 + Self.sumName.utf8.count + 8
        return Self.maximumRecordBytes - time - name - scalars - Self.dataName.utf8.count - dimensionBytes
    }

    /// Names of the records' measures, all that there can be, in the order of the parts.
    static let measureNames: [String] = (1...HistogramText.maximumParts).map { part in
        part == 1 ? Self.measurePrefix : "\(Self.measurePrefix)_\(part)"
    }

    static let measureNameBytes = Self.measureNames.map { Array($0.utf8) }

    /// Which part a measure's name stands for, from 1; nil if it is no histogram's.
    static func part(ofMeasure name: Span<UInt8>) -> Int? {
        for (index, candidate) in Self.measureNameBytes.enumerated() where candidate.count == name.count {
            var position = 0
            while position < name.count, candidate[position] == name[position] { position += 1 }
            if position == name.count { return index + 1 }
        }
        return nil
    }

    /// Bytes that Timestream counts for a part, its dimensions and its time aside.
    func billedBytes(ofPart part: Int) -> Int {
        var size = Self.measureNameBytes[part - 1].count + Self.dataName.utf8.count + self.text.bytes(ofPart: part)
        guard part == 1 else { return size }
        if self.count.isFinite { size += Self.countName.utf8.count + 8 }
        if self.sum.isFinite { size += Self.sumName.utf8.count + 8 }
        return size
    }

    /// Appends a part's members of a record's JSON object: `"MeasureName"` and `"MeasureValues"`, without a comma at
    /// either end. `"MeasureValueType":"MULTI"` is the same for all, so it belongs into the common attributes.
    ///
    /// - Parameter part: from 1 to `text.partCount`.
    func appendMembers(part: Int, of message: Span<UInt8>, to output: inout OutputBuffer) {
        output.append(#""MeasureName":""#)
        output.append(Self.measureNameBytes[part - 1])
        output.append(#"","MeasureValues":[{"Name":"promx_data","Type":"VARCHAR","Value":""#)
        self.text.append(part: part, of: message, to: &output)
        output.append(#""}"#)
        if part == 1 {
            if self.count.isFinite {
                output.append(#",{"Name":"promx_count","Type":"DOUBLE","Value":""#)
                DecimalText.append(self.count, to: &output)
                output.append(#""}"#)
            }
            if self.sum.isFinite {
                output.append(#",{"Name":"promx_sum","Type":"DOUBLE","Value":""#)
                DecimalText.append(self.sum, to: &output)
                output.append(#""}"#)
            }
        }
        output.append("]")
    }
}
