/// Writes series as frames of a streamed answer: their length, a checksum, and a `ChunkedReadResponse` of one series.
///
/// - Source: `storage/remote/chunked.go` and `prompb/remote.proto` of Prometheus.
struct FrameWriter: ~Copyable {
    /// The longest series.
    ///
    /// Prometheus' own server begins another frame at 1 MiB, but its client takes every frame for a series of its own: a
    /// query would then see a long series twice, and `sum` would count it twice where the parts meet. So each series is
    /// one frame, and no longer than that client takes: 50,000,000 bytes, unless `chunked_read_limit` says otherwise.
    static let maximumSeriesBytes = 48_000_000
    /// Longer chunk lists become pieces of their own instead of being copied.
    private static let joinedBytes = 64 << 10

    private let maximumSeriesBytes: Int
    private var encoder = XORChunkEncoder()
    private var histogramEncoder = HistogramChunkEncoder()
    private var histogram = NativeHistogram()
    /// Whether the last sample was a histogram.
    private var isInHistograms = false
    private var queryIndex = 0
    /// The labels of the series at hand, as fields of its message.
    private var labels: [UInt8] = []
    /// Its chunks, as fields of its message.
    private var chunks: [UInt8] = []
    private var pieces: [[UInt8]] = []
    private var output: [UInt8] = []
    private(set) var pendingBytes = 0

    init(maximumSeriesBytes: Int = Self.maximumSeriesBytes) {
        self.maximumSeriesBytes = maximumSeriesBytes
    }

    /// What the writer holds: the open frame, and the frames nobody has taken.
    var memoryBytes: Int { self.chunks.capacity + self.pendingBytes + self.histogramEncoder.memoryBytes }

    // MARK: Series

    /// Begins a series; the one before must have been ended.
    mutating func begin(_ series: SeriesSet.Series, in set: SeriesSet, queryIndex: Int) {
        self.queryIndex = queryIndex
        self.labels.removeAll(keepingCapacity: true)
        ProtobufBytes.append(labelsOf: series, in: set, to: &self.labels)
    }

    /// Adds samples of the series, which come after those before; a chunk ends where floats and histograms meet.
    ///
    /// - Throws: `ReadError.seriesTooLong`; for a set whose histograms were read by us, nothing else.
    mutating func append(_ series: SeriesSet.Series, in set: SeriesSet) throws {
        let samples = series.samples.span
        var next = 0
        for entry in series.histograms {
            var end = next
            while end < samples.count, samples[end].timestampMilliseconds < entry.timestampMilliseconds { end += 1 }
            try self.append(samples.extracting(next..<end))
            next = end
            if self.encoder.count > 0 { try self.finishChunk() }
            try set.histograms.read(entry, into: &self.histogram)
            let time = entry.timestampMilliseconds
            if let chunk = self.histogramEncoder.append(self.histogram, timestampMilliseconds: time) {
                try self.append(chunk)
            }
            self.isInHistograms = true
        }
        try self.append(samples.extracting(next..<samples.count))
    }

    private mutating func append(_ samples: Span<SeriesSet.Sample>) throws(ReadError) {
        guard samples.count > 0 else { return }
        if self.isInHistograms { try self.finishHistograms() }
        for index in samples.indices {
            if self.encoder.isFull { try self.finishChunk() }
            let sample = samples[index]
            self.encoder.append(timestamp: sample.timestampMilliseconds, bits: sample.bits)
        }
    }

    /// Ends the series.
    ///
    /// - Parameter isListed: whether one without samples is told, in a frame without chunks.
    /// - Throws: `ReadError.seriesTooLong`
    mutating func end(isListed: Bool = false) throws(ReadError) {
        if self.encoder.count > 0 { try self.finishChunk() }
        if self.isInHistograms { try self.finishHistograms() }
        if !self.chunks.isEmpty || isListed { self.finishFrame() }
    }

    /// The frames so far, in pieces to be sent in order.
    mutating func take() -> [[UInt8]] {
        if !self.output.isEmpty { self.pieces.append(self.output) }
        let pieces = self.pieces
        self.pieces = []
        self.output = []
        self.pendingBytes = 0
        return pieces
    }

    // MARK: Chunks and frames

    private mutating func finishChunk() throws(ReadError) {
        let byteCount = self.encoder.byteCount
        let times = (self.encoder.firstTimestamp, self.encoder.lastTimestamp)
        try self.appendChunk(from: times.0, to: times.1, encoding: XORChunkEncoder.encoding, byteCount: byteCount)
        self.encoder.finish(into: &self.chunks)
    }

    private mutating func finishHistograms() throws(ReadError) {
        if let chunk = self.histogramEncoder.finish() { try self.append(chunk) }
        self.isInHistograms = false
    }

    private mutating func append(_ chunk: HistogramChunk) throws(ReadError) {
        try self.appendChunk(
            from: chunk.minimumTimeMilliseconds,
            to: chunk.maximumTimeMilliseconds,
            encoding: chunk.encoding,
            byteCount: chunk.data.count
        )
        self.chunks += chunk.data
    }

    /// Adds a chunk, but for its bytes.
    private mutating func appendChunk(
        from first: Int64,
        to last: Int64,
        encoding: UInt64,
        byteCount: Int
    ) throws(ReadError) {
        let messageCount =
            Self.size(of: first) + Self.size(of: last) + Self.size(of: Int64(encoding))
            + ProtobufBytes.fieldSize(byteCount)
        let seriesCount = self.labels.count + self.chunks.count + ProtobufBytes.fieldSize(messageCount)
        guard seriesCount <= self.maximumSeriesBytes else { throw .seriesTooLong(limitBytes: self.maximumSeriesBytes) }
        ProtobufBytes.append(key: 2, messageCount, to: &self.chunks)
        ProtobufBytes.append(field: 1, integer: first, to: &self.chunks)
        ProtobufBytes.append(field: 2, integer: last, to: &self.chunks)
        ProtobufBytes.append(field: 3, integer: Int64(encoding), to: &self.chunks)
        ProtobufBytes.append(key: 4, byteCount, to: &self.chunks)
    }

    private static func size(of integer: Int64) -> Int {
        integer == 0 ? 0 : 1 + ProtobufBytes.varintSize(UInt64(bitPattern: integer))
    }

    private mutating func finishFrame() {
        let seriesCount = self.labels.count + self.chunks.count
        var head: [UInt8] = []
        ProtobufBytes.append(key: 1, seriesCount, to: &head)
        head += self.labels
        var tail: [UInt8] = []
        ProtobufBytes.append(field: 2, integer: Int64(self.queryIndex), to: &tail)
        var checksum = CRC32(.castagnoli)
        checksum.update(head)
        checksum.update(self.chunks)
        checksum.update(tail)

        let before = self.output.count
        ProtobufBytes.append(varint: UInt64(head.count + self.chunks.count + tail.count), to: &self.output)
        unsafe withUnsafeBytes(of: checksum.value.bigEndian) { unsafe self.output.append(contentsOf: $0) }
        self.output += head
        self.pendingBytes += self.output.count - before + self.chunks.count + tail.count
        if self.chunks.count < Self.joinedBytes {
            self.output += self.chunks
            self.chunks.removeAll(keepingCapacity: true)
        } else {
            self.pieces.append(self.output)
            self.pieces.append(self.chunks)
            self.output = []
            self.chunks = []
        }
        self.output += tail
    }
}
