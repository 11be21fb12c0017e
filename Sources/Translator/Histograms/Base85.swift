/// Bytes as text of 85 letters, five for four bytes, as Python's `base64.b85encode` writes them.
///
/// None of the letters needs an escape in JSON or SQL: no quotation marks, no backslash. Of 4 bytes left over at the end,
/// n become n + 1 letters.
/// - Source: the alphabet of RFC 1924.
enum Base85 {
    static let alphabet = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~".utf8
    )

    /// The digit of each letter; 255 for what is none.
    private static let digits: [UInt8] = {
        var digits = [UInt8](repeating: 255, count: 256)
        for (digit, letter) in Self.alphabet.enumerated() { digits[Int(letter)] = UInt8(digit) }
        return digits
    }()

    static func digit(of letter: UInt8) -> UInt8? {
        let digit = Self.digits[Int(letter)]
        return digit == 255 ? nil : digit
    }

    static func letters(forBytes count: Int) -> Int {
        count / 4 * 5 + (count % 4 == 0 ? 0 : count % 4 + 1)
    }

    static func append(_ bytes: Span<UInt8>, to output: inout OutputBuffer) {
        output.reserve(self.letters(forBytes: bytes.count))
        var index = 0
        while index < bytes.count {
            let count = min(4, bytes.count - index)
            var word: UInt32 = 0
            for offset in 0..<4 { word = word << 8 | (offset < count ? UInt32(bytes[index + offset]) : 0) }
            self.append(word, letters: count + 1, to: &output)
            index += count
        }
    }

    /// Appends the first letters of a word's five.
    static func append(_ word: UInt32, letters count: Int, to output: inout OutputBuffer) {
        var divisor: UInt32 = 85 * 85 * 85 * 85
        var rest = word
        for _ in 0..<count {
            let (digit, remainder) = rest.quotientAndRemainder(dividingBy: divisor)
            output.append(self.alphabet[Int(digit)])
            rest = remainder
            divisor /= 85
        }
    }

    /// Appends the bytes that a text stands for.
    ///
    /// - Returns: false if it is no such text; then some bytes may have been appended.
    static func decode(_ text: Span<UInt8>, to output: inout [UInt8]) -> Bool {
        guard text.count % 5 != 1 else { return false }
        var index = 0
        while index < text.count {
            let count = min(5, text.count - index)
            guard let word = self.word(text, index, count) else { return false }
            for shift in 0..<count - 1 {
                output.append(UInt8(truncatingIfNeeded: word >> UInt32(24 - shift * 8)))
            }
            index += count
        }
        return true
    }

    /// The word of up to five letters; missing ones count as the highest digit, which undoes their being cut off.
    static func word(_ text: Span<UInt8>, _ start: Int, _ count: Int) -> UInt32? {
        var word: UInt64 = 0
        for offset in 0..<5 {
            let digit = offset < count ? self.digits[Int(text[start + offset])] : 84
            guard digit < 85 else { return nil }
            word = word * 85 + UInt64(digit)
        }
        return UInt32(exactly: word)
    }
}
