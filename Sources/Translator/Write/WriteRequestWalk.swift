/// One pass over a decoded remote write 1.0 request, `prometheus.WriteRequest`.
///
/// - Source: remote write 1.0 specification, `prompb/remote.proto` and `types.proto`.
enum WriteRequestWalk {
    // Keys of one byte: field number and wire type.
    private static let labelKey: UInt8 = 1 << 3 | 2
    private static let sampleKey: UInt8 = 2 << 3 | 2
    private static let nameKey: UInt8 = 1 << 3 | 2
    private static let labelValueKey: UInt8 = 2 << 3 | 2
    private static let valueKey: UInt8 = 1 << 3 | 1
    private static let timestampKey: UInt8 = 2 << 3 | 0

    /// Reads a whole request.
    ///
    /// - Parameter memoryLimitBytes: what the walk and the sorting after it may take.
    /// - Throws: `ProtocolError.malformedProtobuf`, nothing of such a request may be stored; `.overMemory`.
    static func walk(
        _ bytes: RawSpan,
        options: WriteOptions,
        memoryLimitBytes: Int
    ) throws(ProtocolError) -> WriteContent {
        var content = WriteContent(byteCount: bytes.byteCount, options: options, memoryLimitBytes: memoryLimitBytes)
        var hasVersion2Fields = false
        var reader = ProtobufReader(bytes)
        while let field = try reader.nextField() {
            switch field.number {
            case 1:
                let range = try reader.message(field)
                try Self.timeSeries(bytes, range, &content)
            case 3:
                try Self.metadata(bytes, try reader.message(field), &content)
            default:
                hasVersion2Fields = hasVersion2Fields || field.number == 5
                try reader.skip(field)
            }
        }
        if hasVersion2Fields, content.counts.series == 0, content.counts.metadata == 0 {
            throw .otherWriteVersion(isVersion2: true)
        }
        return content
    }

    private static func timeSeries(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        try content.beginSeries(at: range.lowerBound)
        var reader = ProtobufReader(bytes, range: range)
        while true {
            // What nearly every series is made of.
            while reader.nextKeyIs(Self.labelKey) {
                let start = reader.position
                let limit = content.maximumLabels
                let repeated = content.line.takeRepeated(start..<range.upperBound, in: bytes, limit: limit)
                if repeated > 0 {
                    reader.skipRead(repeated)
                    continue
                }
                guard let label = reader.nextShortMessage(key: Self.labelKey) else { break }
                try Self.label(bytes, label, field: start..<label.upperBound, &content)
            }
            while let sample = reader.nextShortMessage(key: Self.sampleKey) { try Self.sample(bytes, sample, &content) }
            let start = reader.position
            guard let field = try reader.nextField() else { break }
            switch field.number {
            case 1:
                let label = try reader.message(field)
                try Self.label(bytes, label, field: start..<label.upperBound, &content)
            case 2:
                try Self.sample(bytes, try reader.message(field), &content)
            case 3:
                try Self.check(bytes, try reader.message(field))
                content.counts.exemplars += 1
            case 4:
                try content.addHistogram(bytes, try reader.message(field))
            default:
                try reader.skip(field)
            }
        }
        content.endSeries(bytes)
    }

    private static func label(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        field: Range<Int>,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        var name = range.lowerBound..<range.lowerBound
        var value = name
        var reader = ProtobufReader(bytes, range: range)
        if let shortName = reader.nextShortMessage(key: Self.nameKey) { name = shortName }
        if let shortValue = reader.nextShortMessage(key: Self.labelValueKey) { value = shortValue }
        while let field = try reader.nextField() {
            switch field.number {
            case 1: name = try reader.message(field)
            case 2: value = try reader.message(field)
            default: try reader.skip(field)
            }
        }
        content.addLabel(name, value, field: field, bytes)
    }

    /// Reads a sample, which both versions write alike.
    @inline(__always)
    static func sample(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        var reader = ProtobufReader(bytes, range: range)
        if let bits = reader.nextFixed64(key: Self.valueKey),
            let timestamp = try reader.nextVarint(key: Self.timestampKey), reader.isAtEnd
        {
            try content.addSample(timestamp: Int64(bitPattern: timestamp), bits: bits)
        } else {
            try Self.unusualSample(bytes, range, &content)
        }
    }

    private static func unusualSample(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        var bits: UInt64 = 0
        var timestamp: Int64 = 0
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch (field.number, field.wireType) {
            case (1, .fixed64): bits = try reader.fixed64()
            case (2, .varint): timestamp = Int64(bitPattern: try reader.varint())
            // Of version 2.0: since when the counter counts.
            case (3, .varint): if try reader.varint() != 0 { content.counts.startTimestamps += 1 }
            case (1, _), (2, _): throw .malformedProtobuf(offset: reader.position, .fieldType)
            default: try reader.skip(field)
            }
        }
        try content.addSample(timestamp: timestamp, bits: bits)
    }

    private static func metadata(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        var kind: UInt64 = 0
        var name = range.lowerBound..<range.lowerBound
        var help = name
        var unit = name
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch (field.number, field.wireType) {
            case (1, .varint): kind = try reader.varint()
            case (2, .lengthDelimited): name = try reader.lengthDelimited()
            case (4, .lengthDelimited): help = try reader.lengthDelimited()
            case (5, .lengthDelimited): unit = try reader.lengthDelimited()
            case (1, _), (2, _), (4, _), (5, _): throw .malformedProtobuf(offset: reader.position, .fieldType)
            default: try reader.skip(field)
            }
        }
        try content.addMetadata(MetricMetadata.Kind(number: kind), name: name, help: help, unit: unit, bytes)
    }

    /// Walks a message that is not kept: a malformed one makes the whole request malformed.
    static func check(_ bytes: RawSpan, _ range: Range<Int>) throws(ProtocolError) {
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() { try reader.skip(field) }
    }
}
