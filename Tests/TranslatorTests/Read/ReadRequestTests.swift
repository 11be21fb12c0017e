import RegularExpressions
import Testing

@testable import Translator

@Suite("A remote read request is decoded")
struct ReadRequestTests {
    @Test("the reference's test vector has one query, two matchers and two accepted types")
    func vector() throws {
        let request = try ReadRequest.decode(
            bytes(
                hexadecimal: "0a2c0880d095ffbc3110e0a499ffbc311a0e12085f5f6e616d655f5f1a0275701a0c080212036a6f62"
                    + "1a03617c6212020100"
            )
        )
        let query = try #require(request.queries.first)
        #expect(request.queries.count == 1)
        #expect(query.startMilliseconds == 1_700_000_000_000)
        #expect(query.endMilliseconds == 1_700_000_060_000)
        #expect(query.matchers.map(\.name) == [Array("__name__".utf8), Array("job".utf8)])
        guard case .equal(let metric) = query.matchers[0].condition,
            case .matches(let job) = query.matchers[1].condition
        else {
            Issue.record("wrong matcher types")
            return
        }
        #expect(metric == Array("up".utf8))
        #expect(job.pattern == "a|b")
        #expect(request.acceptedResponseTypes == [1, 0])
    }

    @Test("fields that are not known are skipped, and numbers come packed, unpacked and mixed")
    func unknownFields() throws {
        var builder = ReadRequestBuilder()
        builder.unknown()
        builder.accept(packed: [1, 7])
        builder.query(-5...10, [.init("a", .notEqual, "b")], hints: 1...2, function: "rate")
        builder.accept(0)
        builder.unknown()
        let request = try ReadRequest.decode(builder.bytes)
        #expect(request.acceptedResponseTypes == [1, 7, 0])
        #expect(request.queries.count == 1)
        #expect(request.queries[0].startMilliseconds == -5)
        #expect(request.queries[0].hints.startMilliseconds == 1)
        #expect(request.queries[0].hints.endMilliseconds == 2)
    }

    @Test(
        "the first type that both sides know is chosen; a client that names none takes samples",
        arguments: [([], true), ([0], true), ([1, 0], true), ([9, 0], true), ([1], false), ([9], false)]
            as [([UInt64], Bool)]
    )
    func negotiation(accepted: [UInt64], isSupported: Bool) {
        var request = ReadRequest()
        request.acceptedResponseTypes = accepted
        #expect((request.responseType(supported: [.samples]) == .samples) == isSupported)
    }

    @Test("the order of preference is the client's")
    func preference() {
        var request = ReadRequest()
        request.acceptedResponseTypes = [1, 0]
        #expect(request.responseType(supported: [.samples, .streamedXORChunks]) == .streamedXORChunks)
    }

    @Test(
        "the hints cut the range, if they are any",
        arguments: [
            Cut((0, 100), hints: (10, 20), (10, 20)),
            Cut((50, 100), hints: (10, 60), (50, 60)),
            Cut((0, 100), hints: (90, 200), (90, 100)),
            Cut((0, 100), hints: (0, 0), (0, 100)),
            Cut((0, 100), hints: (5, 0), (0, 100)),
            Cut((0, 100), hints: (60, 50), (0, 100)),
            Cut((0, 100), hints: (-50, 50), (0, 50)),
            Cut((50, 100), hints: (200, 300), nil),
            Cut((100, 50), hints: (0, 0), nil),
            Cut((-100, -1), hints: (0, 0), nil),
            Cut((-100, 7), hints: (0, 0), (0, 7)),
            Cut((.min, .max), hints: (0, 0), (0, 9_223_372_036_854)),
            Cut((.min, .max), hints: (.min, .max), (0, 9_223_372_036_854)),
        ]
    )
    func range(cut: Cut) {
        var query = ReadRequest.Query()
        query.startMilliseconds = cut.query.0
        query.endMilliseconds = cut.query.1
        query.hints = .init(startMilliseconds: cut.hints.0, endMilliseconds: cut.hints.1)
        #expect(query.range == cut.expected.map { $0.0...$0.1 })
    }

    @Test("a matcher type that does not exist is refused, and the matcher named", arguments: [4, 99, -1] as [Int64])
    func unknownMatcherType(type: Int64) throws {
        var query = ProtobufBuilder()
        query.field(3, ReadRequestBuilder.matcher(type: 0, name: Array("a".utf8), value: Array("b".utf8)))
        query.field(3, ReadRequestBuilder.matcher(type: type, name: Array("job".utf8), value: Array("x".utf8)))
        var request = ProtobufBuilder()
        request.field(1, query.bytes)
        let error = #expect(throws: ReadError.self) { try ReadRequest.decode(request.bytes) }
        #expect(error?.description.contains("queries[0].matchers[1] job") == true)
        #expect(error?.description.contains("type \(UInt64(bitPattern: type))") == true)
    }

    @Test("a pattern outside RE2 is refused, and the matcher named", arguments: ["a(", "(?=x)", "\\1", "[b-a]", "a**"])
    func badPattern(pattern: String) throws {
        var builder = ReadRequestBuilder()
        builder.query(0...1, [.init("job", .regex, pattern)])
        let error = #expect(throws: ReadError.self) { try ReadRequest.decode(builder.bytes) }
        guard case .badPattern(let matcher, _) = try #require(error) else {
            Issue.record("another error: \(error?.description ?? "")")
            return
        }
        #expect(matcher == "queries[0].matchers[0] job=~\"\(pattern)\"")
    }

    @Test(
        "names and values that are not UTF-8 are refused",
        arguments: [[0xFF], [0xC3], [0xED, 0xA0, 0x80]] as [[UInt8]]
    )
    func invalidUTF8(text: [UInt8]) {
        for matcher in [
            ReadRequestBuilder.Matcher(name: text, .equal, value: [0x61]),
            ReadRequestBuilder.Matcher(name: [0x61], .notRegex, value: text),
        ] {
            var builder = ReadRequestBuilder()
            builder.query(0...1, [matcher])
            let error = #expect(throws: ReadError.self) { try ReadRequest.decode(builder.bytes) }
            guard case .invalidUTF8(let place) = error else {
                Issue.record("another error: \(error?.description ?? "")")
                return
            }
            #expect(place == "queries[0].matchers[0]")
        }
    }

    @Test("too many queries are refused before any of them is looked at")
    func tooManyQueries() {
        var builder = ReadRequestBuilder()
        for _ in 0..<65 { builder.query(0...1, [.init("a", .equal, "b")]) }
        let error = #expect(throws: ReadError.self) { try ReadRequest.decode(builder.bytes) }
        guard case .tooManyQueries(65, 64) = error else {
            Issue.record("another error: \(error?.description ?? "")")
            return
        }
    }

    @Test("cut anywhere, a request is either a shorter one or malformed, and never traps")
    func truncated() {
        var builder = ReadRequestBuilder()
        builder.query(1...2, [.init("__name__", .equal, "up"), .init("job", .notEqual, "b")], hints: 1...2)
        builder.accept(packed: [1, 0])
        var malformed = 0
        for count in 0..<builder.bytes.count {
            do {
                _ = try ReadRequest.decode(Array(builder.bytes.prefix(count)))
            } catch ReadError.malformedBody(.malformedProtobuf(let offset, _)) {
                #expect(offset <= count)
                malformed += 1
            } catch {
                Issue.record("another error: \(error)")
            }
        }
        #expect(malformed > builder.bytes.count / 2)
    }

    @Test("with any byte changed, a request never traps, and an error is one line that names its cause")
    func mutated() {
        var builder = ReadRequestBuilder()
        builder.query(1...2, [.init("__name__", .equal, "up"), .init("job", .notEqual, "b")], hints: 1...2)
        builder.accept(packed: [1, 0])
        for index in builder.bytes.indices {
            for value in UInt8.min...UInt8.max {
                var mutated = builder.bytes
                mutated[index] = value
                do {
                    let request = try ReadRequest.decode(mutated)
                    #expect(request.queries.count <= 1)
                } catch {
                    #expect(!error.description.isEmpty)
                }
            }
        }
    }

    /// A query's range and that of its hints, and what is read.
    struct Cut: Sendable {
        var query: (Int64, Int64)
        var hints: (Int64, Int64)
        var expected: (Int64, Int64)?

        init(_ query: (Int64, Int64), hints: (Int64, Int64), _ expected: (Int64, Int64)?) {
            self.query = query
            self.hints = hints
            self.expected = expected
        }
    }
}
