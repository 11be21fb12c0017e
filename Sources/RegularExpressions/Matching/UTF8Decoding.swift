/// The scalar at `position`, which moves past it.
///
/// A byte that does not begin a whole, valid sequence is read alone, as U+FFFD, as Go's `utf8.DecodeRune` does.
@inline(__always)
func decodeScalar(_ bytes: Span<UInt8>, _ position: inout Int) -> UInt32 {
    let first = UInt32(bytes[position])
    position += 1
    if first < 0x80 { return first }
    let length: Int
    switch first {
    case 0xC2...0xDF: length = 1
    case 0xE0...0xEF: length = 2
    case 0xF0...0xF4: length = 3
    default: return ScalarSet.replacement
    }
    guard bytes.count - position >= length else { return ScalarSet.replacement }
    var scalar = first & (0x3F >> UInt32(length))
    for offset in 0..<length {
        let byte = UInt32(bytes[position + offset])
        guard byte & 0xC0 == 0x80 else { return ScalarSet.replacement }
        scalar = scalar << 6 | byte & 0x3F
    }
    // Overlong forms, surrogates, and what lies above U+10FFFF.
    let isValid =
        switch length {
        case 2: scalar >= 0x800 && !(0xD800...0xDFFF).contains(scalar)
        case 3: (0x1_0000...ScalarSet.maximum).contains(scalar)
        default: true
        }
    guard isValid else { return ScalarSet.replacement }
    position += length
    return scalar
}
