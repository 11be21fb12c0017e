/// Walks the fields of one protobuf message in place.
///
/// Knows all wire types, so that unknown fields, groups included, can be skipped. Never copies and never allocates; a
/// malformed message ends in `ProtocolError.malformedProtobuf` with the byte offset in the whole input.
struct ProtobufReader: ~Escapable {
    let bytes: RawSpan
    private(set) var position: Int
    private let end: Int

    enum WireType: UInt8 {
        case varint = 0, fixed64 = 1, lengthDelimited = 2, startGroup = 3, endGroup = 4, fixed32 = 5
    }

    struct Field {
        var number: Int
        var wireType: WireType
    }

    /// How deep groups may nest; deeper input is refused, so that it cannot exhaust the stack.
    private static let maximumGroupDepth = 32

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.position = 0
        self.end = bytes.byteCount
    }

    /// A reader of the sub-message in `range`, offsets of the same input.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.byteCount)
        self.bytes = bytes
        self.position = range.lowerBound
        self.end = range.upperBound
    }

    /// The next field's key; `nil` at the end of the message. The field's value must be read or skipped next.
    @_lifetime(self: copy self)
    mutating func nextField() throws(ProtocolError) -> Field? {
        guard self.position < self.end else { return nil }
        let start = self.position
        let key = try self.varint()
        guard let wireType = WireType(rawValue: UInt8(key & 7)), wireType != .endGroup else {
            throw .malformedProtobuf(offset: start, .wireType)
        }
        guard key <= UInt64(UInt32.max), key >> 3 != 0 else { throw .malformedProtobuf(offset: start, .fieldNumber) }
        return Field(number: Int(key >> 3), wireType: wireType)
    }

    // MARK: Shortcuts for what comes most often; a field of another form leaves the reader where it is

    var isAtEnd: Bool { self.position == self.end }

    @inline(__always)
    func nextKeyIs(_ key: UInt8) -> Bool {
        unsafe self.position < self.end
            && self.bytes.unsafeLoad(fromUncheckedByteOffset: self.position, as: UInt8.self) == key
    }

    /// Goes on past fields that are known without reading them.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func skipRead(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= self.end - self.position)
        self.position += byteCount
    }

    /// The next field, if it has this key of one byte and is a message of fewer than 128 bytes.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func nextShortMessage(key: UInt8) -> Range<Int>? {
        let start = self.position
        guard self.end - start >= 2,
            unsafe self.bytes.unsafeLoad(fromUncheckedByteOffset: start, as: UInt8.self) == key
        else { return nil }
        let count = Int(unsafe self.bytes.unsafeLoad(fromUncheckedByteOffset: start + 1, as: UInt8.self))
        guard count < 0x80, self.end - start - 2 >= count else { return nil }
        self.position = start + 2 + count
        return start + 2..<self.position
    }

    /// The next field, if it has this key of one byte, which must be of eight fixed bytes.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func nextFixed64(key: UInt8) -> UInt64? {
        guard self.end - self.position >= 9,
            unsafe self.bytes.unsafeLoad(fromUncheckedByteOffset: self.position, as: UInt8.self) == key
        else { return nil }
        let value = unsafe self.bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: self.position + 1,
            as: UInt64.self
        )
        self.position += 9
        return UInt64(littleEndian: value)
    }

    /// The next field, if it has this key of one byte, which must be of a varint.
    @_lifetime(self: copy self)
    @inline(__always)
    mutating func nextVarint(key: UInt8) throws(ProtocolError) -> UInt64? {
        guard self.position < self.end,
            unsafe self.bytes.unsafeLoad(fromUncheckedByteOffset: self.position, as: UInt8.self) == key
        else { return nil }
        self.position += 1
        return try self.varint()
    }

    @_lifetime(self: copy self)
    mutating func varint() throws(ProtocolError) -> UInt64 {
        let start = self.position
        guard start < self.end else { throw .malformedProtobuf(offset: start, .truncated) }
        let first = unsafe self.bytes.unsafeLoad(fromUncheckedByteOffset: start, as: UInt8.self)
        if first < 0x80 {
            self.position = start + 1
            return UInt64(first)
        }
        var value = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        var index = start + 1
        while true {
            guard index < self.end else { throw .malformedProtobuf(offset: start, .truncated) }
            let byte = unsafe self.bytes.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
            index += 1
            if shift == 63, byte > 1 { throw .malformedProtobuf(offset: start, .varint) }
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { break }
            shift += 7
        }
        self.position = index
        return value
    }

    @_lifetime(self: copy self)
    mutating func fixed64() throws(ProtocolError) -> UInt64 {
        guard self.end - self.position >= 8 else { throw .malformedProtobuf(offset: self.position, .truncated) }
        let value = unsafe self.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: self.position, as: UInt64.self)
        self.position += 8
        return UInt64(littleEndian: value)
    }

    /// The range of a string, bytes or sub-message, as offsets of the whole input.
    @_lifetime(self: copy self)
    mutating func lengthDelimited() throws(ProtocolError) -> Range<Int> {
        let start = self.position
        let count = try self.varint()
        guard count <= UInt64(self.end - self.position) else {
            throw .malformedProtobuf(offset: start, .truncated)
        }
        let lower = self.position
        self.position = lower + Int(count)
        return lower..<self.position
    }

    /// The range of the value of a known string or message field whose key was just read.
    @_lifetime(self: copy self)
    mutating func message(_ field: Field) throws(ProtocolError) -> Range<Int> {
        guard field.wireType == .lengthDelimited else { throw .malformedProtobuf(offset: self.position, .fieldType) }
        return try self.lengthDelimited()
    }

    /// Skips the value of a field whose key was just read.
    @_lifetime(self: copy self)
    mutating func skip(_ field: Field) throws(ProtocolError) {
        switch field.wireType {
        case .varint: _ = try self.varint()
        case .fixed64: try self.advance(8)
        case .fixed32: try self.advance(4)
        case .lengthDelimited: _ = try self.lengthDelimited()
        case .startGroup: try self.skipGroup(field.number)
        case .endGroup: throw .malformedProtobuf(offset: self.position, .wireType)
        }
    }

    @_lifetime(self: copy self)
    private mutating func advance(_ count: Int) throws(ProtocolError) {
        guard self.end - self.position >= count else { throw .malformedProtobuf(offset: self.position, .truncated) }
        self.position += count
    }

    /// Skips to the end of a group, nested groups included.
    @_lifetime(self: copy self)
    private mutating func skipGroup(_ number: Int) throws(ProtocolError) {
        var open = [number]
        while let current = open.last {
            let start = self.position
            let key = try self.varint()
            guard let wireType = WireType(rawValue: UInt8(key & 7)), key <= UInt64(UInt32.max), key >> 3 != 0 else {
                throw .malformedProtobuf(offset: start, .wireType)
            }
            switch wireType {
            case .startGroup:
                guard open.count < Self.maximumGroupDepth else { throw .malformedProtobuf(offset: start, .nesting) }
                open.append(Int(key >> 3))
            case .endGroup:
                guard Int(key >> 3) == current else { throw .malformedProtobuf(offset: start, .wireType) }
                open.removeLast()
            default:
                try self.skip(Field(number: Int(key >> 3), wireType: wireType))
            }
        }
    }
}
