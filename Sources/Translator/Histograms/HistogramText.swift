/// A histogram's canonical message as the text of one or more VARCHAR values.
///
/// Each text says by itself what it is a part of: one digit for the number of parts, one for its own number, and the
/// checksum of the whole message in five letters; then its bytes. So parts can be put together in any order, parts of
/// different histograms are never joined, and a text that somebody else wrote is told apart. Digits are those of
/// `Base85`; the number of parts is never zero, which leaves room for other forms.
struct HistogramText: Sendable, Equatable {
    /// More parts than this are refused: a histogram of them would take most of a call.
    static let maximumParts = 16
    static let headBytes = 7

    /// How many texts there are; at least one, even of an empty message.
    let partCount: Int
    private let checksum: UInt32
    private let bytesPerPart: Int
    private let messageBytes: Int

    /// Plans the texts of a message.
    ///
    /// - Parameters:
    ///   - message: the canonical form without its timestamp.
    ///   - availableBytes: the longest text that a record has room for.
    /// - Returns: nil if the message does not fit into `maximumParts` such texts.
    init?(_ message: Span<UInt8>, availableBytes: Int) {
        guard let count = Self.partCount(messageBytes: message.count, availableBytes: availableBytes) else {
            return nil
        }
        self.partCount = count
        self.bytesPerPart = count == 1 ? message.count : Self.bytesPerPart(availableBytes)
        self.checksum = CRC32.value(of: message, .zlib)
        self.messageBytes = message.count
    }

    /// How many texts a message becomes; to be asked before it is written, which a large one may not be worth.
    ///
    /// - Returns: nil if it does not fit into `maximumParts` texts of `availableBytes`.
    static func partCount(messageBytes: Int, availableBytes: Int) -> Int? {
        guard availableBytes >= Self.headBytes else { return nil }
        if Base85.letters(forBytes: messageBytes) <= availableBytes - Self.headBytes { return 1 }
        let bytesPerPart = Self.bytesPerPart(availableBytes)
        guard bytesPerPart > 0 else { return nil }
        let count = (messageBytes - 1) / bytesPerPart + 1
        return count <= Self.maximumParts ? count : nil
    }

    private static func bytesPerPart(_ availableBytes: Int) -> Int {
        (availableBytes - Self.headBytes) / 5 * 4
    }

    /// Bytes of a part's text.
    ///
    /// - Parameter part: from 1 to `partCount`.
    func bytes(ofPart part: Int) -> Int {
        Self.headBytes + Base85.letters(forBytes: self.range(ofPart: part).count)
    }

    /// Appends a part's text, which needs no escapes in JSON.
    ///
    /// - Parameters:
    ///   - part: from 1 to `partCount`.
    ///   - message: the one that was planned for.
    func append(part: Int, of message: Span<UInt8>, to output: inout OutputBuffer) {
        precondition(message.count == self.messageBytes)
        output.append(Base85.alphabet[self.partCount])
        output.append(Base85.alphabet[part])
        Base85.append(self.checksum, letters: 5, to: &output)
        Base85.append(message.extracting(self.range(ofPart: part)), to: &output)
    }

    private func range(ofPart part: Int) -> Range<Int> {
        precondition(part >= 1 && part <= self.partCount)
        let start = (part - 1) * self.bytesPerPart
        return start..<min(start + self.bytesPerPart, self.messageBytes)
    }

    // MARK: Reading

    /// What a text says that it is.
    struct Head: Hashable, Sendable {
        var partCount: Int
        var part: Int
        var checksum: UInt32

        /// - Returns: nil if the text is none of ours.
        init?(_ text: Span<UInt8>) {
            guard text.count >= HistogramText.headBytes,
                let partCount = Base85.digit(of: text[0]), partCount >= 1, partCount <= HistogramText.maximumParts,
                let part = Base85.digit(of: text[1]), part >= 1, part <= partCount,
                let checksum = Base85.word(text, 2, 5)
            else { return nil }
            self.partCount = Int(partCount)
            self.part = Int(part)
            self.checksum = checksum
        }
    }

    /// Appends a part's bytes.
    ///
    /// - Returns: false if the text behind the head is none of ours.
    static func decodeBody(_ text: Span<UInt8>, to output: inout [UInt8]) -> Bool {
        Base85.decode(text.extracting(Self.headBytes..<text.count), to: &output)
    }
}
