/// Histograms that were read back, as canonical messages one after another.
struct HistogramSet: Sendable {
    struct Entry: Sendable {
        /// Since 1970-01-01 UTC.
        var timestampMilliseconds: Int64
        /// Where its message starts in `bytes`.
        var start: Int
        /// Bytes of the fields before the place of the timestamp, and after it.
        var headBytes: Int32
        var tailBytes: Int32

        var range: Range<Int> { self.start..<self.start + Int(self.headBytes) + Int(self.tailBytes) }
    }

    var bytes: [UInt8] = []
    /// By the numbers under which they were added; of each series in order of time, no time twice.
    var series: [[Entry]] = []
    /// Times of series at which there are parts of histograms, but no whole one.
    var incomplete = 0
    /// Texts that are none of ours, and histograms that are none.
    var malformed = 0

    var hasFaults: Bool { self.incomplete > 0 || self.malformed > 0 }

    /// What a histogram takes beside its message, in an array that has grown by doubling.
    static let bytesOfEntry = 64
    /// How many there are.
    var count = 0

    var memoryBytes: Int { self.bytes.capacity + self.count * Self.bytesOfEntry }

    // MARK: Order

    /// Puts a series' histograms in order of time, for instance after two series have become one; of several at one time
    /// the shortest one stays, or the one whose bytes come first, so that nothing depends on the order of the rows.
    func normalize(_ entries: inout [Entry]) {
        let isAscending = zip(entries, entries.dropFirst()).allSatisfy { earlier, later in
            earlier.timestampMilliseconds < later.timestampMilliseconds
        }
        if isAscending { return }
        entries.sort { left, right in
            if left.timestampMilliseconds != right.timestampMilliseconds {
                return left.timestampMilliseconds < right.timestampMilliseconds
            }
            if left.range.count != right.range.count { return left.range.count < right.range.count }
            return self.bytes[left.range].lexicographicallyPrecedes(self.bytes[right.range])
        }
        var kept = 0
        for index in entries.indices {
            if kept > 0, entries[kept - 1].timestampMilliseconds == entries[index].timestampMilliseconds { continue }
            entries[kept] = entries[index]
            kept += 1
        }
        entries.removeSubrange(kept...)
    }

    /// Takes out the histograms at whose time there is a float: Prometheus lets the float win.
    ///
    /// - Parameter samples: in order of time, as the histograms are.
    static func remove(from entries: inout [Entry], atTimesOf samples: [SeriesSet.Sample]) {
        var index = 0
        entries.removeAll { entry in
            while index < samples.count, samples[index].timestampMilliseconds < entry.timestampMilliseconds {
                index += 1
            }
            return index < samples.count && samples[index].timestampMilliseconds == entry.timestampMilliseconds
        }
    }

    func hasEntry(at timestampMilliseconds: Int64, in entries: [Entry]) -> Bool {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].timestampMilliseconds < timestampMilliseconds { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].timestampMilliseconds == timestampMilliseconds
    }

    // MARK: Messages

    /// Bytes of the `Histogram` message with its timestamp.
    func messageBytes(of entry: Entry) -> Int {
        let timestamp = UInt64(bitPattern: entry.timestampMilliseconds)
        return entry.range.count + (timestamp == 0 ? 0 : 1 + ProtobufBytes.varintSize(timestamp))
    }

    /// Appends the canonical `Histogram` message with its timestamp: a member of `TimeSeries.histograms`.
    func appendMessage(of entry: Entry, to output: inout [UInt8]) {
        let tail = entry.start + Int(entry.headBytes)
        output += self.bytes[entry.start..<tail]
        if entry.timestampMilliseconds != 0 {
            output.append(UInt8(HistogramField.timestamp.rawValue << 3))
            ProtobufBytes.append(varint: UInt64(bitPattern: entry.timestampMilliseconds), to: &output)
        }
        output += self.bytes[tail..<entry.range.upperBound]
    }

    /// Takes out a histogram's values, for the chunk encoder.
    ///
    /// - Throws: never for an entry of this set.
    func read(_ entry: Entry, into histogram: inout NativeHistogram) throws(ProtocolError) {
        try histogram.read(unsafe self.bytes.span.bytes, range: entry.range)
    }
}
