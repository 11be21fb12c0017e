import RegularExpressions
import TimestreamModel

@testable import TimestreamLocal
@testable import Translator

/// A `prometheus.ReadRequest`: decoded, encoded and decoded again, and its statements read by the local engine's parser.
///
/// First byte: whether what follows is a snappy block or the message itself, and what is known of the table's columns.
enum ReadTarget {
    private static let table = TableName(database: "Database", table: "Table \"quoted\"")

    static func run(_ input: [UInt8]) {
        guard let first = input.first else { return }
        var message = Array(input.dropFirst())
        if first & 1 != 0 {
            guard let decoded = try? SnappyBlock.decode(message, limitBytes: ReadLimits.maximumDecodedBytes) else {
                return
            }
            message = decoded
        }
        let request: ReadRequest
        do throws(ReadError) {
            request = try ReadRequest.decode(message)
        } catch {
            require(!error.description.isEmpty, "no description")
            return
        }
        require(request.queries.count <= ReadLimits.maximumQueries, "\(request.queries.count) queries")
        _ = request.responseType(supported: [.samples])
        guard let again = try? ReadRequest.decode(self.encode(request)) else {
            return require(false, "cannot be decoded again")
        }
        require(again.acceptedResponseTypes == request.acceptedResponseTypes, "other response types")
        require(again.queries.count == request.queries.count, "other queries")
        for (one, other) in zip(request.queries, again.queries) {
            require(one.range == other.range && one.matchers.count == other.matchers.count, "another query")
            for (left, right) in zip(one.matchers, other.matchers) {
                require(left.name == right.name && self.parts(of: left) == self.parts(of: right), "another matcher")
                require(left.acceptsEmpty == right.acceptsEmpty && left.acceptsEmpty == left.matches([]), "empty value")
            }
            self.checkStatements(of: one, knowsColumns: first & 2 != 0)
        }
        ReadAnswerCheck.check(request, message)
    }

    private static func checkStatements(of query: ReadRequest.Query, knowsColumns: Bool) {
        guard let range = query.range else { return }
        require(WriteOptions.timestampsMilliseconds.contains(range.lowerBound), "starts before 1970")
        require(WriteOptions.timestampsMilliseconds.contains(range.upperBound), "ends after 2262")
        let known = knowsColumns ? Set(query.matchers.map { ColumnName.dimension(forLabel: $0.name) }) : nil
        for patterns in [PatternUse.expressions, .simple, .none] {
            let statement = ReadStatement.make(
                self.table,
                range: range,
                matchers: query.matchers,
                columns: Translator.TableColumns(known: known),
                patterns: patterns
            )
            guard let statement else { continue }
            require(statement.text.utf8.count <= ReadStatement.maximumBytes, "a statement that is too long")
            require((try? SQLParser.parse(statement.text, now: 0)) != nil, "not understood: \(statement.text)")
        }
    }

    private static func parts(of matcher: LabelMatcher) -> (type: UInt64, value: [UInt8]) {
        switch matcher.condition {
        case .equal(let value): (0, value)
        case .notEqual(let value): (1, value)
        case .matches(let expression): (2, Array(expression.pattern.utf8))
        case .doesNotMatch(let expression): (3, Array(expression.pattern.utf8))
        }
    }

    private static func encode(_ request: ReadRequest) -> [UInt8] {
        var message: [UInt8] = []
        for query in request.queries {
            var bytes: [UInt8] = []
            ProtobufMessage.append(1, varint: UInt64(bitPattern: query.startMilliseconds), to: &bytes)
            ProtobufMessage.append(2, varint: UInt64(bitPattern: query.endMilliseconds), to: &bytes)
            for matcher in query.matchers {
                let (type, value) = self.parts(of: matcher)
                var part: [UInt8] = []
                ProtobufMessage.append(1, varint: type, to: &part)
                ProtobufMessage.append(2, matcher.name, to: &part)
                ProtobufMessage.append(3, value, to: &part)
                ProtobufMessage.append(3, part, to: &bytes)
            }
            var hints: [UInt8] = []
            ProtobufMessage.append(3, varint: UInt64(bitPattern: query.hints.startMilliseconds), to: &hints)
            ProtobufMessage.append(4, varint: UInt64(bitPattern: query.hints.endMilliseconds), to: &hints)
            ProtobufMessage.append(4, hints, to: &bytes)
            ProtobufMessage.append(1, bytes, to: &message)
        }
        for type in request.acceptedResponseTypes { ProtobufMessage.append(2, varint: type, to: &message) }
        return message
    }
}
