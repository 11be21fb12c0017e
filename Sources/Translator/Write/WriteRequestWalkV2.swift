/// One pass over a decoded remote write 2.0 request, `io.prometheus.write.v2.Request`.
///
/// Strings stand once in a table, and labels are numbers of it: pairs of name and value. A number that the table does not
/// have costs its series only.
/// - Source: remote write 2.0 specification, `io/prometheus/write/v2/types.proto`.
enum WriteRequestWalkV2 {
    private static let sampleKey: UInt8 = 2 << 3 | 2

    /// Where the table's strings stand in the body.
    private struct Symbols {
        var starts: [Int32] = []
        var counts: [Int32] = []

        subscript(reference: UInt64) -> Range<Int>? {
            guard reference < UInt64(self.starts.count) else { return nil }
            let start = Int(self.starts[Int(reference)])
            return start..<start + Int(self.counts[Int(reference)])
        }

        /// Both arrays, thrice while they double.
        var memoryBytes: Int { self.starts.count * 24 }
    }

    /// Reads a whole request; see `WriteRequestWalk.walk`.
    static func walk(
        _ bytes: RawSpan,
        options: WriteOptions,
        memoryLimitBytes: Int
    ) throws(ProtocolError) -> WriteContent {
        // Protobuf lets a table come after what refers to it.
        let symbols = try Self.symbols(bytes, memoryLimitBytes: memoryLimitBytes)
        var content = WriteContent(
            byteCount: bytes.byteCount,
            options: options,
            memoryLimitBytes: memoryLimitBytes - symbols.memoryBytes
        )
        var hasVersion1Fields = false
        var reader = ProtobufReader(bytes)
        while let field = try reader.nextField() {
            if field.number == 5 {
                try Self.timeSeries(bytes, try reader.message(field), symbols, &content)
            } else {
                hasVersion1Fields = hasVersion1Fields || field.number == 1 || field.number == 3
                try reader.skip(field)
            }
        }
        if hasVersion1Fields, content.counts.series == 0 { throw .otherWriteVersion(isVersion2: false) }
        return content
    }

    private static func symbols(_ bytes: RawSpan, memoryLimitBytes: Int) throws(ProtocolError) -> Symbols {
        var symbols = Symbols()
        var reader = ProtobufReader(bytes)
        while let field = try reader.nextField() {
            guard field.number == 4 else {
                try reader.skip(field)
                continue
            }
            let range = try reader.message(field)
            guard symbols.memoryBytes < memoryLimitBytes else { throw .overMemory(limitBytes: memoryLimitBytes) }
            symbols.starts.append(Int32(range.lowerBound))
            symbols.counts.append(Int32(range.count))
        }
        return symbols
    }

    private static func timeSeries(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ symbols: Symbols,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        try content.beginSeries(at: range.lowerBound)
        var labels = Labels()
        var metadata: Metadata?
        var reader = ProtobufReader(bytes, range: range)
        while true {
            while let sample = reader.nextShortMessage(key: Self.sampleKey) {
                try WriteRequestWalk.sample(bytes, sample, &content)
            }
            guard let field = try reader.nextField() else { break }
            switch (field.number, field.wireType) {
            case (1, .lengthDelimited):
                try labels.read(bytes, try reader.lengthDelimited(), symbols, &content)
            case (1, .varint):
                let start = reader.position
                let reference = try reader.varint()
                labels.add(reference, start..<reader.position, bytes, symbols, &content)
                content.line.forgetPlace()
            case (1, _):
                throw .malformedProtobuf(offset: reader.position, .fieldType)
            case (2, _):
                try WriteRequestWalk.sample(bytes, try reader.message(field), &content)
            case (3, _):
                try content.addHistogram(bytes, try reader.message(field))
            case (4, _):
                content.counts.exemplars += 1
                try Self.exemplar(bytes, try reader.message(field), symbols, &content)
            case (5, _):
                let message = try reader.message(field)
                // Prometheus sends an empty one for what it knows nothing of.
                if !message.isEmpty { metadata = try Self.metadata(bytes, message, symbols, &content) }
            default:
                try reader.skip(field)
            }
        }
        if labels.isIncomplete { content.noteFault(.invalidReference) }
        content.endSeries(bytes)
        if let metadata { try Self.keep(metadata, bytes, &content) }
    }

    /// The references of a series, which come one by one or packed, in one field or in several.
    private struct Labels {
        private var pendingName: (reference: UInt64, start: Int)?

        /// Whether a name waits for its value.
        var isIncomplete: Bool { self.pendingName != nil }

        @inline(__always)
        mutating func read(
            _ bytes: RawSpan,
            _ range: Range<Int>,
            _ symbols: Symbols,
            _ content: inout WriteContent
        ) throws(ProtocolError) {
            if self.pendingName != nil { content.line.forgetPlace() }
            var reader = ProtobufReader(bytes, range: range)
            while !reader.isAtEnd {
                let start = reader.position
                if self.pendingName == nil {
                    // The same references are the same labels.
                    let limit = content.maximumLabels
                    let repeated = content.line.takeRepeated(start..<range.upperBound, in: bytes, limit: limit)
                    if repeated > 0 {
                        reader.skipRead(repeated)
                        continue
                    }
                }
                let reference = try reader.varint()
                self.add(reference, start..<reader.position, bytes, symbols, &content)
            }
        }

        mutating func add(
            _ reference: UInt64,
            _ place: Range<Int>,
            _ bytes: RawSpan,
            _ symbols: Symbols,
            _ content: inout WriteContent
        ) {
            guard let (nameReference, start) = self.pendingName else {
                self.pendingName = (reference, place.lowerBound)
                return
            }
            self.pendingName = nil
            guard let name = symbols[nameReference], let value = symbols[reference] else {
                content.noteFault(.invalidReference)
                return content.line.forgetPlace()
            }
            content.addLabel(name, value, field: start..<place.upperBound, bytes)
        }
    }

    // MARK: Beside samples

    private static func exemplar(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ symbols: Symbols,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        var references = 0
        var isInvalid = false
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch (field.number, field.wireType) {
            case (1, .lengthDelimited):
                var packed = ProtobufReader(bytes, range: try reader.lengthDelimited())
                while !packed.isAtEnd {
                    isInvalid = try symbols[packed.varint()] == nil || isInvalid
                    references += 1
                }
            case (1, .varint):
                isInvalid = try symbols[reader.varint()] == nil || isInvalid
                references += 1
            case (1, _): throw .malformedProtobuf(offset: reader.position, .fieldType)
            default: try reader.skip(field)
            }
        }
        guard isInvalid || references % 2 != 0 else { return }
        content.counts.refusedExemplars += 1
        content.refuse("an exemplar's label references are not pairs of symbols")
    }

    /// What a series says of its metric.
    private struct Metadata {
        var kind: MetricMetadata.Kind
        var help: Range<Int>
        var unit: Range<Int>
    }

    private static func metadata(
        _ bytes: RawSpan,
        _ range: Range<Int>,
        _ symbols: Symbols,
        _ content: inout WriteContent
    ) throws(ProtocolError) -> Metadata {
        var metadata = Metadata(kind: .unknown, help: 0..<0, unit: 0..<0)
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch (field.number, field.wireType) {
            case (1, .varint):
                metadata.kind = MetricMetadata.Kind(number: try reader.varint())
            case (3, .varint), (4, .varint):
                let found = try symbols[reader.varint()]
                if found == nil { content.refuse("metadata refers to a symbol that is not there") }
                if field.number == 3 { metadata.help = found ?? 0..<0 } else { metadata.unit = found ?? 0..<0 }
            case (1, _), (3, _), (4, _): throw .malformedProtobuf(offset: reader.position, .fieldType)
            default: try reader.skip(field)
            }
        }
        return metadata
    }

    /// Keeps what the series that has just ended says of its metric.
    private static func keep(
        _ metadata: Metadata,
        _ bytes: RawSpan,
        _ content: inout WriteContent
    ) throws(ProtocolError) {
        let name = content.metricName
        try content.addMetadata(metadata.kind, name: name, help: metadata.help, unit: metadata.unit, bytes)
    }
}
