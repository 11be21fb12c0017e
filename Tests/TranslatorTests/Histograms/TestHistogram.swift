/// A histogram of the tests: every field of the message, with an encoder and a parser that share no code with the product's.
struct TestHistogram: Equatable {
    enum Count: Equatable {
        case integer(UInt64)
        case float(UInt64)
    }

    struct Span: Equatable {
        var offset: Int32
        var length: UInt32
    }

    struct Side: Equatable {
        var spans: [Span] = []
        var deltas: [Int64] = []
        var counts: [UInt64] = []
    }

    var count: Count?
    var sum: UInt64 = 0
    var schema: Int32 = 0
    var zeroThreshold: UInt64 = 0
    var zeroCount: Count?
    var negative = Side()
    var positive = Side()
    var resetHint: Int32 = 0
    var timestamp: Int64 = 0
    var bounds: [UInt64] = []
    var startTimestamp: Int64 = 0

    static let stale: UInt64 = 0x7FF0_0000_0000_0002

    var isFloat: Bool { if case .float = self.count { true } else { false } }

    // MARK: Writing

    /// The canonical form, with its timestamp.
    var message: [UInt8] { Array(self.fields.map(\.bytes).joined()) }

    /// The canonical form without its timestamp: what is stored.
    var storedMessage: [UInt8] {
        var copy = self
        copy.timestamp = 0
        return copy.message
    }

    /// The fields of the message in canonical order; each span is a field.
    var fields: [(number: Int, bytes: [UInt8])] {
        var fields: [(number: Int, bytes: [UInt8])] = []
        func add(_ number: Int, varint value: UInt64) { fields.append((number, Wire.field(number, varint: value))) }
        func add(_ number: Int, bits: UInt64) { fields.append((number, Wire.field(number, bits: bits))) }
        func add(_ number: Int, packed: [UInt8]) {
            if !packed.isEmpty { fields.append((number, Wire.field(number, packed))) }
        }
        func add(_ count: Count?, _ integer: Int, _ float: Int) {
            switch count {
            case nil: break
            case .integer(let value): add(integer, varint: value)
            case .float(let bits): add(float, bits: bits)
            }
        }
        add(self.count, 1, 2)
        if self.sum != 0 { add(3, bits: self.sum) }
        if self.schema != 0 { add(4, varint: Wire.zigzag(Int64(self.schema))) }
        if self.zeroThreshold != 0 { add(5, bits: self.zeroThreshold) }
        add(self.zeroCount, 6, 7)
        for (side, first) in [(self.negative, 8), (self.positive, 11)] {
            for span in side.spans {
                var inner: [UInt8] = []
                if span.offset != 0 { inner += Wire.field(1, varint: Wire.zigzag(Int64(span.offset))) }
                if span.length != 0 { inner += Wire.field(2, varint: UInt64(span.length)) }
                fields.append((first, Wire.field(first, inner)))
            }
            add(first + 1, packed: side.deltas.flatMap { Wire.varint(Wire.zigzag($0)) })
            add(first + 2, packed: side.counts.flatMap(Wire.double))
        }
        if self.resetHint != 0 { add(14, varint: UInt64(bitPattern: Int64(self.resetHint))) }
        if self.timestamp != 0 { add(15, varint: UInt64(bitPattern: self.timestamp)) }
        add(16, packed: self.bounds.flatMap(Wire.double))
        if self.startTimestamp != 0 { add(17, varint: UInt64(bitPattern: self.startTimestamp)) }
        return fields
    }

    // MARK: Parsing

    init() {}

    /// Parses a message whose lists are packed.
    init(parsing message: [UInt8]) {
        var rest = message[...]
        func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64 {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while true {
                let byte = rest.removeFirst()
                value |= UInt64(byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { return value }
            }
        }
        func signed(_ value: UInt64) -> Int64 {
            value % 2 == 0 ? Int64(value / 2) : -Int64(value / 2) - 1
        }
        func double(_ rest: inout ArraySlice<UInt8>) -> UInt64 {
            let bits = rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
            rest = rest.dropFirst(8)
            return bits
        }
        while !rest.isEmpty {
            let key = varint(&rest)
            var scalar: UInt64 = 0
            var list: ArraySlice<UInt8> = []
            switch key & 7 {
            case 0: scalar = varint(&rest)
            case 1: scalar = double(&rest)
            default:
                let count = Int(varint(&rest))
                list = rest.prefix(count)
                rest = rest.dropFirst(count)
            }
            var doubles: [UInt64] = []
            var deltas: [Int64] = []
            var span = Span(offset: 0, length: 0)
            switch key >> 3 {
            case 8, 11:
                while !list.isEmpty {
                    let inner = varint(&list)
                    let value = varint(&list)
                    if inner >> 3 == 1 { span.offset = Int32(signed(value)) } else { span.length = UInt32(value) }
                }
            case 9, 12: while !list.isEmpty { deltas.append(signed(varint(&list))) }
            case 10, 13, 16: while !list.isEmpty { doubles.append(double(&list)) }
            default: break
            }
            switch key >> 3 {
            case 1: self.count = .integer(scalar)
            case 2: self.count = .float(scalar)
            case 3: self.sum = scalar
            case 4: self.schema = Int32(signed(scalar))
            case 5: self.zeroThreshold = scalar
            case 6: self.zeroCount = .integer(scalar)
            case 7: self.zeroCount = .float(scalar)
            case 8: self.negative.spans.append(span)
            case 9: self.negative.deltas = deltas
            case 10: self.negative.counts = doubles
            case 11: self.positive.spans.append(span)
            case 12: self.positive.deltas = deltas
            case 13: self.positive.counts = doubles
            case 14: self.resetHint = Int32(truncatingIfNeeded: scalar)
            case 15: self.timestamp = Int64(bitPattern: scalar)
            case 16: self.bounds = doubles
            case 17: self.startTimestamp = Int64(bitPattern: scalar)
            default: preconditionFailure("field \(key >> 3)")
            }
        }
    }
}

/// Protobuf, written by the rules of its own description.
enum Wire {
    static func varint(_ value: UInt64) -> [UInt8] {
        value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + self.varint(value >> 7)
    }

    /// In ten bytes, however small the value is.
    static func longVarint(_ value: UInt64) -> [UInt8] {
        (0..<9).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 7)) | 0x80 } + [UInt8(value >> 63)]
    }

    static func double(_ bits: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64($0 * 8)) }
    }

    static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value < 0 ? -(value + 1) &* 2 &+ 1 : value &* 2)
    }

    static func field(_ number: Int, varint value: UInt64) -> [UInt8] {
        self.varint(UInt64(number << 3)) + self.varint(value)
    }

    static func field(_ number: Int, bits: UInt64) -> [UInt8] {
        self.varint(UInt64(number << 3 | 1)) + self.double(bits)
    }

    static func field(_ number: Int, _ message: [UInt8]) -> [UInt8] {
        self.varint(UInt64(number << 3 | 2)) + self.varint(UInt64(message.count)) + message
    }
}
