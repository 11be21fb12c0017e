package import RegularExpressions
package import TimestreamModel

/// Why a remote read request has no answer.
///
/// Only `.store` may pass by itself or be mended by an operator; every other case is the query's own fault.
package enum ReadError: Error, Sendable, CustomStringConvertible {
    /// Timestream did not answer the query; `.cancelled` if nobody waits for the answer any more.
    case store(TimestreamError)
    /// The body is no snappy block, or no `ReadRequest`.
    case malformedBody(ProtocolError)
    /// The client accepts none of the response types there are.
    case unsupportedResponseTypes
    /// `matcher` is the matcher's place, such as `queries[0].matchers[1]`, and its text.
    case unknownMatcherType(UInt64, matcher: String)
    case invalidUTF8(matcher: String)
    case badPattern(matcher: String, RegularExpressionError)
    /// A query without any matcher: Prometheus never sends one, and answers none itself.
    case noMatchers(query: String)
    case tooManyQueries(Int, limit: Int)
    case tooManySamples(limit: Int)
    case tooManySeries(limit: Int)
    /// The chunks of one series do not fit into a frame that Prometheus takes.
    case seriesTooLong(limitBytes: Int)
    /// The process has no memory left for the result; `isForGood` if it never has so much.
    case overMemory(isForGood: Bool)

    /// One line, safe to show to the tenant.
    package var description: String {
        switch self {
        case .store(let error):
            error.description
        case .malformedBody(let error):
            error.description
        case .unsupportedResponseTypes:
            "none of the accepted response types is supported; this server answers SAMPLES and STREAMED_XOR_CHUNKS"
        case .unknownMatcherType(let type, let matcher):
            "matcher \(matcher) has the unknown type \(type); known are EQ, NEQ, RE and NRE"
        case .invalidUTF8(let matcher):
            "matcher \(matcher) is not valid UTF-8"
        case .badPattern(let matcher, let error):
            "matcher \(matcher) is no RE2 regular expression: \(error.description)"
        case .noMatchers(let query):
            "\(query) has no matcher and would read the whole table; name a metric or a label"
        case .tooManyQueries(let count, let limit):
            "the request has \(count) queries; the limit is \(limit)"
        case .tooManySamples(let limit):
            "the result has more than \(limit) samples (limit max_samples_per_read); ask for less"
        case .tooManySeries(let limit):
            "the result has more than \(limit) series (limit max_series_per_read); ask for less"
        case .seriesTooLong(let limit):
            "a series has more than \(limit) bytes of chunks, and Prometheus takes no longer one; ask for a shorter time"
        case .overMemory(let isForGood):
            isForGood
                ? "the result needs more memory than the gateway may use (max_bytes_in_flight); ask for less"
                : "the gateway holds as many bytes as it may (max_bytes_in_flight); try again later"
        }
    }
}

/// What an answer to one remote read request may hold, over all its queries; a histogram counts as one sample.
package struct ReadLimits: Sendable {
    package var maxSamples: Int
    package var maxSeries: Int

    package init(maxSamples: Int, maxSeries: Int) {
        self.maxSamples = maxSamples
        self.maxSeries = maxSeries
    }

    /// Decoded bytes of a `ReadRequest`; a thousand times what Prometheus sends.
    static let maximumDecodedBytes = 1 << 20
    /// What hardly any request is larger than.
    static let usualDecodedBytes = 32 << 10
    /// Queries of one request; Prometheus sends one.
    static let maximumQueries = 64
    /// Of these, how many are read at the same time at most: each holds what it has read, and pages on their way.
    static let queriesAtOnce = 4
    /// Floats that a streamed answer reads and holds in one piece, or histograms that take as much memory.
    static let samplesPerRun = 200_000
    /// Series that it reads in one piece: more cannot be named in one statement.
    static let seriesPerRun = 4_000
}

/// The answer to a remote read request.
package enum ReadAnswer: Sendable {
    /// A snappy block of a `prometheus.ReadResponse`.
    case samples(body: [UInt8], counts: ReadCounts)
    /// Frames of `prometheus.ChunkedReadResponse`, which are made while they are sent.
    case stream(StreamedRead)
}

/// What an answer holds, and what it lacks.
package struct ReadCounts: Sendable, Equatable {
    /// Floats and histograms.
    package var samples = 0
    /// Times of series at which some parts of a histogram were found, but not all.
    package var incompleteHistograms = 0
    /// Stored texts that are no histogram's part, and histograms that are none.
    package var malformedHistograms = 0

    mutating func add(_ set: SeriesSet) {
        self.samples += set.sampleCount
        self.incompleteHistograms += set.histograms.incomplete
        self.malformedHistograms += set.histograms.malformed
    }
}
