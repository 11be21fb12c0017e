/// Puts the texts of histograms together again, in whatever order they come.
struct HistogramAssembler: Sendable {
    private struct Key: Hashable {
        var series: Int32
        var timestampMilliseconds: Int64
        var checksum: UInt32
        var partCount: Int
    }

    /// Parts of a histogram that is not complete yet; empty ones are still to come.
    private var pending: [Key: [[UInt8]]] = [:]
    private var pendingBytes = 0
    private var set = HistogramSet()
    private var scratch: [UInt8] = []

    /// What a part takes beside its bytes while it waits.
    private static let bytesOfPart = 96

    /// What the histograms and the waiting parts take.
    var memoryBytes: Int {
        self.set.memoryBytes + self.pendingBytes + self.set.series.count * MemoryLayout<[HistogramSet.Entry]>.stride
    }

    /// What the histograms of so many rows take at most, whose texts have so many bytes.
    static func memoryBytes(rows: Int, textBytes: Int) -> Int {
        // Of five letters four bytes, half as many again while their array grows.
        let (others, overflows) = rows.multipliedReportingOverflow(by: HistogramSet.bytesOfEntry + Self.bytesOfPart)
        let (bytes, wraps) = others.addingReportingOverflow(textBytes / 4)
        let (sum, carries) = bytes.addingReportingOverflow(textBytes)
        return overflows || wraps || carries ? .max : sum
    }

    /// Takes the text of a record. A part that was seen already changes nothing.
    ///
    /// - Parameter series: a number of the caller's, small and not negative.
    mutating func add(_ text: Span<UInt8>, series: Int32, timestampMilliseconds: Int64) {
        guard let head = HistogramText.Head(text) else {
            self.set.malformed += 1
            return
        }
        self.scratch.removeAll(keepingCapacity: true)
        guard HistogramText.decodeBody(text, to: &self.scratch) else {
            self.set.malformed += 1
            return
        }
        if head.partCount > 1 {
            let key = Key(
                series: series,
                timestampMilliseconds: timestampMilliseconds,
                checksum: head.checksum,
                partCount: head.partCount
            )
            guard self.join(head.part, of: key) else { return }
        }
        self.finish(head.checksum, series, timestampMilliseconds)
    }

    /// Keeps the part in `scratch`; once all parts are there, `scratch` is the whole message.
    private mutating func join(_ part: Int, of key: Key) -> Bool {
        // A histogram of several parts has no empty one.
        guard !self.scratch.isEmpty else {
            self.set.malformed += 1
            return false
        }
        var parts = self.pending.removeValue(forKey: key) ?? []
        if parts.isEmpty {
            parts = [[UInt8]](repeating: [], count: key.partCount)
            self.pendingBytes += key.partCount * Self.bytesOfPart
        }
        if parts[part - 1].isEmpty {
            parts[part - 1] = self.scratch
            self.pendingBytes += self.scratch.count
        }
        guard parts.allSatisfy({ !$0.isEmpty }) else {
            self.pending[key] = parts
            return false
        }
        self.scratch = Array(parts.joined())
        self.pendingBytes -= self.scratch.count + key.partCount * Self.bytesOfPart
        return true
    }

    /// Adds the message in `scratch`, if it is what its texts say and a histogram.
    private mutating func finish(_ checksum: UInt32, _ series: Int32, _ timestampMilliseconds: Int64) {
        let start = self.set.bytes.count
        guard CRC32.value(of: self.scratch.span, .zlib) == checksum,
            let reader = Self.appendMessage(self.scratch, to: &self.set.bytes)
        else {
            self.set.malformed += 1
            return
        }
        while self.set.series.count <= Int(series) { self.set.series.append([]) }
        self.set.count += 1
        self.set.series[Int(series)].append(
            HistogramSet.Entry(
                timestampMilliseconds: timestampMilliseconds,
                start: start,
                headBytes: Int32(reader.headBytes),
                tailBytes: Int32(reader.tailBytes)
            )
        )
    }

    /// Appends a stored message in canonical form, which it has unless somebody else has written it.
    private static func appendMessage(_ message: [UInt8], to output: inout [UInt8]) -> HistogramReader? {
        let bytes = unsafe message.span.bytes
        let range = 0..<message.count
        guard let reader = try? HistogramReader(bytes, range: range), reader.fault == nil,
            (try? reader.appendMessage(of: bytes, range: range, to: &output)) != nil
        else { return nil }
        return reader
    }

    /// All histograms of which every part was found.
    consuming func finish() -> HistogramSet {
        for index in self.set.series.indices {
            var entries: [HistogramSet.Entry] = []
            swap(&entries, &self.set.series[index])
            self.set.normalize(&entries)
            swap(&entries, &self.set.series[index])
        }
        self.set.incomplete = self.countIncomplete()
        return self.set
    }

    /// Parts may also be left over because they came twice, or because another histogram of that time was there first.
    private func countIncomplete() -> Int {
        struct Point: Hashable {
            var series: Int32
            var timestampMilliseconds: Int64
        }
        let points = Set(
            self.pending.keys.map { Point(series: $0.series, timestampMilliseconds: $0.timestampMilliseconds) }
        )
        return points.count { point in
            guard Int(point.series) < self.set.series.count else { return true }
            return !self.set.hasEntry(at: point.timestampMilliseconds, in: self.set.series[Int(point.series)])
        }
    }
}
