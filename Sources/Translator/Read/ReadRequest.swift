/// A decoded `prometheus.ReadRequest`.
///
/// - Source: `prompb/remote.proto` and `types.proto` of Prometheus.
struct ReadRequest: Sendable {
    struct Query: Sendable {
        /// Milliseconds since 1970-01-01 UTC, both inclusive.
        var startMilliseconds: Int64 = 0
        var endMilliseconds: Int64 = 0
        var matchers: [LabelMatcher] = []
        var hints = Hints()
    }

    /// What the client says about the use of the answer, as far as it is used.
    struct Hints: Sendable {
        /// Whether only the labels are wanted: Prometheus' `/api/v1/series` asks so.
        var wantsSeriesOnly = false
        var startMilliseconds: Int64 = 0
        var endMilliseconds: Int64 = 0
    }

    enum ResponseType: UInt64, Sendable {
        case samples = 0
        case streamedXORChunks = 1
    }

    var queries: [Query] = []
    /// In the client's order of preference, as numbers, since it may name types that we do not know.
    var acceptedResponseTypes: [UInt64] = []

    /// The first of the client's types that is supported; SAMPLES if it names none at all.
    ///
    /// - Returns: `nil` if the client accepts nothing that is supported.
    func responseType(supported: [ResponseType]) -> ResponseType? {
        guard !self.acceptedResponseTypes.isEmpty else { return .samples }
        for number in self.acceptedResponseTypes {
            if let type = ResponseType(rawValue: number), supported.contains(type) { return type }
        }
        return nil
    }

    // MARK: Decoding

    /// Reads a whole request, unknown fields skipped.
    ///
    /// - Throws: `ReadError.malformedBody`, `.tooManyQueries`, `.noMatchers`, or what is wrong with a matcher.
    static func decode(_ decoded: [UInt8]) throws(ReadError) -> ReadRequest {
        let bytes = unsafe decoded.span.bytes
        do {
            var request = ReadRequest()
            var ranges: [Range<Int>] = []
            var reader = ProtobufReader(bytes)
            while let field = try reader.nextField() {
                switch field.number {
                case 1: ranges.append(try reader.message(field))
                case 2: try Self.enums(&reader, field, into: &request.acceptedResponseTypes, bytes)
                default: try reader.skip(field)
                }
            }
            guard ranges.count <= ReadLimits.maximumQueries else {
                throw ReadError.tooManyQueries(ranges.count, limit: ReadLimits.maximumQueries)
            }
            for (index, range) in ranges.enumerated() {
                request.queries.append(try Self.query(bytes, range, place: "queries[\(index)]"))
            }
            return request
        } catch let error as ReadError {
            throw error
        } catch let error as ProtocolError {
            throw .malformedBody(error)
        } catch {
            preconditionFailure("decoding throws ReadError and ProtocolError only")
        }
    }

    /// One number, or a packed list of them.
    private static func enums(
        _ reader: inout ProtobufReader,
        _ field: ProtobufReader.Field,
        into numbers: inout [UInt64],
        _ bytes: RawSpan
    ) throws(ProtocolError) {
        guard field.wireType != .varint else {
            numbers.append(try reader.varint())
            return
        }
        let range = try reader.message(field)
        var packed = ProtobufReader(bytes, range: range)
        while packed.position < range.upperBound { numbers.append(try packed.varint()) }
    }

    private static func query(_ bytes: RawSpan, _ range: Range<Int>, place: String) throws -> Query {
        var query = Query()
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: query.startMilliseconds = try Self.integer(&reader, field)
            case 2: query.endMilliseconds = try Self.integer(&reader, field)
            case 3:
                let place = "\(place).matchers[\(query.matchers.count)]"
                query.matchers.append(try Self.matcher(bytes, try reader.message(field), place: place))
            case 4:
                // A message given twice is one whose fields are merged.
                try Self.hints(bytes, try reader.message(field), into: &query.hints)
            default: try reader.skip(field)
            }
        }
        if query.matchers.isEmpty { throw ReadError.noMatchers(query: place) }
        return query
    }

    private static func matcher(_ bytes: RawSpan, _ range: Range<Int>, place: String) throws -> LabelMatcher {
        var type: UInt64 = 0
        var name: [UInt8] = []
        var value: [UInt8] = []
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch field.number {
            case 1: type = UInt64(bitPattern: try Self.integer(&reader, field))
            case 2: name = Self.copy(bytes, try reader.message(field))
            case 3: value = Self.copy(bytes, try reader.message(field))
            default: try reader.skip(field)
            }
        }
        return try LabelMatcher(type: type, name: name, value: value, place: place)
    }

    private static func hints(_ bytes: RawSpan, _ range: Range<Int>, into hints: inout Hints) throws(ProtocolError) {
        var reader = ProtobufReader(bytes, range: range)
        while let field = try reader.nextField() {
            switch field.number {
            case 2: hints.wantsSeriesOnly = Self.copy(bytes, try reader.message(field)).elementsEqual("series".utf8)
            case 3: hints.startMilliseconds = try Self.integer(&reader, field)
            case 4: hints.endMilliseconds = try Self.integer(&reader, field)
            default: try reader.skip(field)
            }
        }
    }

    private static func integer(
        _ reader: inout ProtobufReader,
        _ field: ProtobufReader.Field
    ) throws(ProtocolError) -> Int64 {
        guard field.wireType == .varint else { throw .malformedProtobuf(offset: reader.position, .fieldType) }
        return Int64(bitPattern: try reader.varint())
    }

    private static func copy(_ bytes: RawSpan, _ range: Range<Int>) -> [UInt8] {
        unsafe bytes.extracting(range).withUnsafeBytes { unsafe Array($0) }
    }
}

extension ReadRequest.Query {
    /// The times to read, in milliseconds; `nil` if there is nothing to read.
    ///
    /// The hints name the range of the one selector where the query has that of the whole expression: what lies outside
    /// them is not needed, with `offset` most of it. Prometheus' own storage trusts them in the same way.
    var range: ClosedRange<Int64>? {
        var start = max(self.startMilliseconds, WriteOptions.timestampsMilliseconds.lowerBound)
        var end = min(self.endMilliseconds, WriteOptions.timestampsMilliseconds.upperBound)
        if self.hints.endMilliseconds > 0, self.hints.endMilliseconds >= self.hints.startMilliseconds {
            start = max(start, self.hints.startMilliseconds)
            end = min(end, self.hints.endMilliseconds)
        }
        return start <= end ? start...end : nil
    }
}
