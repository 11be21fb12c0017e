/// The fields of a `Histogram` message, the same in remote write 1.0 and 2.0; raw values are their numbers.
///
/// - Source: `prompb/types.proto` and `prompb/io/prometheus/write/v2/types.proto` of Prometheus.
enum HistogramField: Int {
    case countInt = 1, countFloat, sum, schema, zeroThreshold, zeroCountInt, zeroCountFloat
    case negativeSpans, negativeDeltas, negativeCounts, positiveSpans, positiveDeltas, positiveCounts
    case resetHint, timestamp, customValues, startTimestamp

    enum Kind {
        case varint, double, spans, deltas, doubles
    }

    var kind: Kind {
        switch self {
        case .countInt, .schema, .zeroCountInt, .resetHint, .timestamp, .startTimestamp: .varint
        case .countFloat, .sum, .zeroThreshold, .zeroCountFloat: .double
        case .negativeSpans, .positiveSpans: .spans
        case .negativeDeltas, .positiveDeltas: .deltas
        case .negativeCounts, .positiveCounts, .customValues: .doubles
        }
    }
}

/// What takes the fields of a `Histogram` message, in the order in which the message has them.
protocol HistogramVisitor {
    /// A varint as it stands in the message, or a double's bits. Of a field given twice, the last one counts.
    mutating func take(_ field: HistogramField, scalar value: UInt64)
    mutating func take(_ field: HistogramField, offset: Int32, length: UInt32)
    /// A bucket's delta, an `Int64` as its bits; a bucket's count or a bound, a double's bits.
    mutating func take(_ field: HistogramField, element value: UInt64)
}

/// Walks a `Histogram` message in place: packed and unpacked lists alike; unknown fields are skipped.
enum HistogramWalk {
    /// - Parameter wanted: the one field to look at; all of them if nil.
    /// - Throws: `ProtocolError.malformedProtobuf`.
    static func walk<Visitor: HistogramVisitor>(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        only wanted: HistogramField? = nil,
        _ visitor: inout Visitor
    ) throws(ProtocolError) {
        var reader = ProtobufReader(bytes, range: range)
        while let key = try reader.nextField() {
            guard let field = HistogramField(rawValue: key.number), wanted == nil || field == wanted else {
                try reader.skip(key)
                continue
            }
            switch (field.kind, key.wireType) {
            case (.varint, .varint): visitor.take(field, scalar: try reader.varint())
            case (.double, .fixed64): visitor.take(field, scalar: try reader.fixed64())
            case (.deltas, .varint): visitor.take(field, element: Self.unzigzag(try reader.varint()))
            case (.doubles, .fixed64): visitor.take(field, element: try reader.fixed64())
            case (.spans, .lengthDelimited):
                try Self.span(bytes, try reader.lengthDelimited(), field, &visitor)
            case (.deltas, .lengthDelimited), (.doubles, .lengthDelimited):
                let packed = try reader.lengthDelimited()
                try Self.list(bytes, packed, field, &visitor)
            default: throw .malformedProtobuf(offset: reader.position, .fieldType)
            }
        }
    }

    private static func list<Visitor: HistogramVisitor>(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ field: HistogramField,
        _ visitor: inout Visitor
    ) throws(ProtocolError) {
        var reader = ProtobufReader(bytes, range: range)
        if field.kind == .doubles {
            while reader.position < range.upperBound { visitor.take(field, element: try reader.fixed64()) }
        } else {
            while reader.position < range.upperBound {
                visitor.take(field, element: Self.unzigzag(try reader.varint()))
            }
        }
    }

    private static func span<Visitor: HistogramVisitor>(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ field: HistogramField,
        _ visitor: inout Visitor
    ) throws(ProtocolError) {
        var offset: Int32 = 0
        var length: UInt32 = 0
        var reader = ProtobufReader(bytes, range: range)
        while let key = try reader.nextField() {
            switch (key.number, key.wireType) {
            case (1, .varint): offset = Self.unzigzag32(try reader.varint())
            case (2, .varint): length = UInt32(truncatingIfNeeded: try reader.varint())
            case (1, _), (2, _): throw .malformedProtobuf(offset: reader.position, .fieldType)
            default: try reader.skip(key)
            }
        }
        visitor.take(field, offset: offset, length: length)
    }

    // MARK: Zigzag

    /// The `sint64` of a varint, as its bits.
    static func unzigzag(_ value: UInt64) -> UInt64 {
        (value >> 1) ^ (0 &- (value & 1))
    }

    static func unzigzag32(_ value: UInt64) -> Int32 {
        let low = UInt32(truncatingIfNeeded: value)
        return Int32(bitPattern: (low >> 1) ^ (0 &- (low & 1)))
    }

    static func zigzag(_ bits: UInt64) -> UInt64 {
        (bits << 1) ^ UInt64(bitPattern: Int64(bitPattern: bits) >> 63)
    }

    static func zigzag32(_ value: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: (value << 1) ^ (value >> 31)))
    }
}
