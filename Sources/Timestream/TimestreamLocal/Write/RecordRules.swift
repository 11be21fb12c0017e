/// What names and sizes Timestream takes. Source: developer guide, "Quotas"; `WriteRecords` API reference.
enum RecordRules {
    static let maximumRecords = 100
    static let maximumDimensionsPerRecord = 128
    static let maximumDimensionsPerTable = 128
    static let maximumMeasureNamesPerTable = 8192
    static let maximumMultiColumnsPerTable = 1024
    static let maximumMeasuresPerMultiRecord = 256
    static let maximumDimensionNameBytes = 60
    static let maximumMeasureNameBytes = 256
    static let maximumMeasureValueBytes = 2048
    static let maximumRecordBytes = 2048
    static let maximumTimeBytes = 256

    /// Names that columns of ours have, or could have.
    static func isReserved(_ name: ArraySlice<UInt8>) -> Bool {
        switch name.first {
        case UInt8(ascii: "t"):
            name.elementsEqual("time".utf8) || name.starts(with: "ts_".utf8)
        case UInt8(ascii: "m"):
            name.starts(with: "measure_name".utf8) || name.starts(with: "measure_value".utf8)
        default: false
        }
    }

    /// The strict form that the service named in its error text: letters, digits, underscores; a letter first, no
    /// underscore last. What passes here passes there.
    static func isDimensionName(_ name: ArraySlice<UInt8>) -> Bool {
        guard let first = name.first, let last = name.last, Self.isLetter(first), last != UInt8(ascii: "_") else {
            return false
        }
        return name.allSatisfy { Self.isLetter($0) || $0 &- UInt8(ascii: "0") < 10 || $0 == UInt8(ascii: "_") }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    /// `[a-zA-Z0-9_.-]{3,256}`
    static func isResourceName(_ name: String) -> Bool {
        (3...256).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                Self.isLetter($0) || $0 &- UInt8(ascii: "0") < 10
                    || [UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-")].contains($0)
            }
    }
}
