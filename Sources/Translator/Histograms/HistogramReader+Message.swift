/// The canonical form: known fields in the order of their numbers, lists packed, varints as short as they can be, zeros
/// left out but for the members of a `oneof`, and bit patterns of doubles as they came.
///
/// Equal histograms have equal bytes, so the same histogram sent again is the same record to Timestream.
extension HistogramReader {
    /// Bytes of the canonical form without the timestamp.
    var messageBytes: Int { self.headBytes + self.tailBytes }

    /// Bytes of the fields that come before the timestamp.
    var headBytes: Int {
        var size = Self.bytes(of: self.count) + Self.bytes(of: self.zeroCount)
        if self.sumBits != 0 { size += 9 }
        if self.schema != 0 { size += 1 + ProtobufBytes.varintSize(HistogramWalk.zigzag32(self.schema)) }
        if self.zeroThresholdBits != 0 { size += 9 }
        if self.resetHint != 0 { size += 1 + ProtobufBytes.varintSize(Self.bits(self.resetHint)) }
        size += Self.bytes(of: self.negative) + Self.bytes(of: self.positive)
        return size
    }

    /// Bytes of the fields that come after the timestamp; their keys are two bytes long.
    var tailBytes: Int {
        var size = 0
        if self.bounds.count > 0 {
            size += 2 + ProtobufBytes.varintSize(UInt64(self.bounds.count * 8)) + self.bounds.count * 8
        }
        if self.startTimestampMilliseconds != 0 {
            size += 2 + ProtobufBytes.varintSize(UInt64(bitPattern: self.startTimestampMilliseconds))
        }
        return size
    }

    /// Appends the canonical form of the message that was read, without its timestamp.
    ///
    /// - Parameter range: as it was read, of the same bytes.
    /// - Throws: never for bytes that are still the same.
    func appendMessage(of bytes: RawSpan, range: Range<Int>, to output: inout [UInt8]) throws(ProtocolError) {
        Self.append(self.count, .countInt, .countFloat, to: &output)
        Self.append(.sum, double: self.sumBits, to: &output)
        if self.schema != 0 { Self.append(.schema, varint: HistogramWalk.zigzag32(self.schema), to: &output) }
        Self.append(.zeroThreshold, double: self.zeroThresholdBits, to: &output)
        Self.append(self.zeroCount, .zeroCountInt, .zeroCountFloat, to: &output)

        var writer = ListWriter()
        swap(&writer.output, &output)
        defer { swap(&writer.output, &output) }
        try writer.append(self.negative, .negativeSpans, .negativeDeltas, .negativeCounts, of: bytes, range)
        try writer.append(self.positive, .positiveSpans, .positiveDeltas, .positiveCounts, of: bytes, range)
        if self.resetHint != 0 { Self.append(.resetHint, varint: Self.bits(self.resetHint), to: &writer.output) }
        try writer.append(.customValues, self.bounds.count, self.bounds.count * 8, of: bytes, range)
        if self.startTimestampMilliseconds != 0 {
            let value = UInt64(bitPattern: self.startTimestampMilliseconds)
            Self.append(.startTimestamp, varint: value, to: &writer.output)
        }
    }

    static func bytes(ofOffset offset: Int32, length: UInt32) -> Int {
        (offset == 0 ? 0 : 1 + ProtobufBytes.varintSize(HistogramWalk.zigzag32(offset)))
            + (length == 0 ? 0 : 1 + ProtobufBytes.varintSize(UInt64(length)))
    }

    private static func bytes(of side: Side) -> Int {
        var size = side.spanBytes
        if side.deltas > 0 { size += 1 + ProtobufBytes.varintSize(UInt64(side.deltaBytes)) + side.deltaBytes }
        if side.counts > 0 { size += 1 + ProtobufBytes.varintSize(UInt64(side.counts * 8)) + side.counts * 8 }
        return size
    }

    private static func bytes(of count: Count) -> Int {
        switch count {
        case .none: 0
        case .integer(let value): 1 + ProtobufBytes.varintSize(value)
        case .float: 9
        }
    }

    /// An enum's number as protobuf writes it: a negative one is sign-extended.
    private static func bits(_ value: Int32) -> UInt64 {
        UInt64(bitPattern: Int64(value))
    }

    private static func append(
        _ count: Count,
        _ integer: HistogramField,
        _ float: HistogramField,
        to output: inout [UInt8]
    ) {
        switch count {
        case .none: break
        case .integer(let value): Self.append(integer, varint: value, to: &output)
        case .float(let bits):
            output.append(UInt8(float.rawValue << 3 | 1))
            Self.append(bits, to: &output)
        }
    }

    private static func append(_ field: HistogramField, varint value: UInt64, to output: inout [UInt8]) {
        ProtobufBytes.append(varint: UInt64(field.rawValue << 3), to: &output)
        ProtobufBytes.append(varint: value, to: &output)
    }

    private static func append(_ field: HistogramField, double bits: UInt64, to output: inout [UInt8]) {
        guard bits != 0 else { return }
        output.append(UInt8(field.rawValue << 3 | 1))
        Self.append(bits, to: &output)
    }

    fileprivate static func append(_ bits: UInt64, to output: inout [UInt8]) {
        unsafe withUnsafeBytes(of: bits.littleEndian) { unsafe output.append(contentsOf: $0) }
    }
}

/// Writes the one list that a walk is after.
private struct ListWriter: HistogramVisitor {
    var output: [UInt8] = []

    mutating func append(
        _ side: HistogramReader.Side,
        _ spans: HistogramField,
        _ deltas: HistogramField,
        _ counts: HistogramField,
        of bytes: RawSpan,
        _ range: Range<Int>
    ) throws(ProtocolError) {
        if side.spans > 0 { try HistogramWalk.walk(bytes, range, only: spans, &self) }
        try self.append(deltas, side.deltas, side.deltaBytes, of: bytes, range)
        try self.append(counts, side.counts, side.counts * 8, of: bytes, range)
    }

    /// Appends a packed list; nothing if it is empty.
    mutating func append(
        _ field: HistogramField,
        _ count: Int,
        _ size: Int,
        of bytes: RawSpan,
        _ range: Range<Int>
    ) throws(ProtocolError) {
        guard count > 0 else { return }
        ProtobufBytes.append(varint: UInt64(field.rawValue << 3 | 2), to: &self.output)
        ProtobufBytes.append(varint: UInt64(size), to: &self.output)
        try HistogramWalk.walk(bytes, range, only: field, &self)
    }

    mutating func take(_ field: HistogramField, scalar value: UInt64) {}

    mutating func take(_ field: HistogramField, offset: Int32, length: UInt32) {
        self.output.append(UInt8(field.rawValue << 3 | 2))
        ProtobufBytes.append(varint: UInt64(HistogramReader.bytes(ofOffset: offset, length: length)), to: &self.output)
        if offset != 0 {
            self.output.append(1 << 3)
            ProtobufBytes.append(varint: HistogramWalk.zigzag32(offset), to: &self.output)
        }
        if length != 0 {
            self.output.append(2 << 3)
            ProtobufBytes.append(varint: UInt64(length), to: &self.output)
        }
    }

    mutating func take(_ field: HistogramField, element value: UInt64) {
        if field.kind == .deltas {
            ProtobufBytes.append(varint: HistogramWalk.zigzag(value), to: &self.output)
        } else {
            HistogramReader.append(value, to: &self.output)
        }
    }
}
