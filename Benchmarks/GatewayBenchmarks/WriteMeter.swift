import Common

/// What `WriteRecords` calls would be billed, from their bodies.
///
/// - Source: Timestream developer guide, "Metering and pricing: Writes": 8 bytes for the time, the bytes of the names and
///   values of the dimensions, of the measure's name, and of its value (8 for DOUBLE and BIGINT); `CommonAttributes` once a
///   call; the sum of a call in units of 1 KiB, rounded up.
struct WriteMeter: Sendable {
    private(set) var calls = 0
    private(set) var records = 0
    private(set) var bodyBytes = 0
    private(set) var meteredBytes = 0
    private(set) var writeUnits = 0

    mutating func add(_ body: [UInt8]) throws(JSONError) {
        var size = 0
        var count = 0
        var reader = try JSONReader(body)
        try reader.document(MemberNames(["CommonAttributes", "Records"])) { (reader, member) throws(JSONError) in
            if member == 0 {
                size += try Self.recordBytes(&reader)
            } else {
                try reader.array { (reader) throws(JSONError) in
                    size += try Self.recordBytes(&reader)
                    count += 1
                }
            }
        }
        self.calls += 1
        self.records += count
        self.bodyBytes += body.count
        self.meteredBytes += size
        self.writeUnits += (size + 1023) / 1024
    }

    /// Of a record, or of what is common to records.
    private static func recordBytes(_ reader: inout JSONReader) throws(JSONError) -> Int {
        var size = 0
        let members = MemberNames(["Dimensions", "MeasureName", "MeasureValue", "Time", "MeasureValues"])
        try reader.object(members) { (reader, member) throws(JSONError) in
            switch member {
            case 0:
                try reader.array { (reader) throws(JSONError) in
                    try reader.object(MemberNames(["Name", "Value"])) { (reader, _) throws(JSONError) in
                        size += try reader.text().count
                    }
                }
            case 1: size += try reader.text().count
            case 2, 3:
                try reader.skip()
                size += 8
            default: throw reader.expected("a record of one measure")
            }
        }
        return size
    }

    // MARK: From process to process

    init() {}

    /// - Parameter line: as `line` has it.
    init?(line: String) {
        let numbers = line.split { $0 == " " || $0.isNewline }.compactMap { Int($0) }
        guard numbers.count == 5 else { return nil }
        self.calls = numbers[0]
        self.records = numbers[1]
        self.bodyBytes = numbers[2]
        self.meteredBytes = numbers[3]
        self.writeUnits = numbers[4]
    }

    var line: String {
        "\(self.calls) \(self.records) \(self.bodyBytes) \(self.meteredBytes) \(self.writeUnits)"
    }
}
