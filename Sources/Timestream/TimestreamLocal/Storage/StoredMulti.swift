/// The BLOB that holds the measures of a MULTI record: for each, the column's number in two bytes, a length in two bytes,
/// and the value: eight bytes of a word, or the bytes of a text. Sorted by column number.
enum StoredMulti {
    static func encode(_ measures: [(column: Int64, value: MeasureValue)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (column, value) in measures.sorted(by: { $0.column < $1.column }) {
            bytes.append(UInt8(truncatingIfNeeded: column >> 8))
            bytes.append(UInt8(truncatingIfNeeded: column))
            switch value {
            case .word(let word):
                bytes += [0, 8]
                for shift in stride(from: 56, through: 0, by: -8) {
                    bytes.append(UInt8(truncatingIfNeeded: word >> Int64(shift)))
                }
            case .text(let text):
                bytes.append(UInt8(truncatingIfNeeded: text.count >> 8))
                bytes.append(UInt8(truncatingIfNeeded: text.count))
                bytes += text
            case .multi: preconditionFailure("a measure of a MULTI record is no MULTI itself")
            }
        }
        return bytes
    }

    /// The bytes of one column's value; `nil` if the record has none.
    static func find(_ column: Int64, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var index = 0
        while index + 4 <= bytes.count {
            let number = unsafe Int64(bytes[index]) << 8 | Int64(bytes[index + 1])
            let count = unsafe Int(bytes[index + 2]) << 8 | Int(bytes[index + 3])
            let end = index + 4 + count
            guard number < column else {
                guard number == column, end <= bytes.count else { return nil }
                return unsafe UnsafeRawBufferPointer(rebasing: bytes[index + 4..<end])
            }
            index = end
        }
        return nil
    }

    static func word(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        var word: Int64 = 0
        for index in 0..<min(bytes.count, 8) { word = unsafe word << 8 | Int64(bytes[index]) }
        return word
    }
}
