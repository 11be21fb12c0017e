/// How Prometheus names become Timestream names, and back.
///
/// A name that Timestream surely takes is used as it is. Any other is escaped: `promx_`, then letters and digits as they
/// are, `__` for an underscore, and `_HH` (two upper-case hexadecimal digits) for every other byte; an underscore at the
/// end becomes `_5F`, since a dimension name must not end in one. A plain name that starts with `promx_` is escaped too,
/// so the mapping can be undone for every name. Our own columns start with `promx_` and are no escape of anything.
package enum ColumnName {
    /// What escaped names and our own columns start with.
    package static let prefix = Array("promx_".utf8)

    /// The measure under which NaN, stale markers and infinities are stored, as the BIGINT of their bit pattern.
    package static let specialMeasure = "promx_special"
    /// The dimension that holds the metric name of such a record.
    package static let specialMetricDimension = "promx_metric"
    /// The dimension that a series without labels has, since Timestream demands one.
    package static let noLabelsDimension = "promx_empty"
    /// The dimension that holds labels which have no column of their own; see `OverflowText`.
    package static let overflowDimension = "promx_overflow"
    /// The value of `noLabelsDimension`.
    package static let noLabelsValue = "1"
    /// The measure name of a series without `__name__`.
    package static let noNameMeasure = "promx_unnamed"

    /// Longest names in UTF-8 bytes (developer guide, "Quotas").
    package static let maximumDimensionNameBytes = 60
    package static let maximumMeasureNameBytes = 256

    /// Whether a label's name can be a dimension's name as it is.
    package static func isPlainDimension(_ name: some BidirectionalCollection<UInt8>) -> Bool {
        guard let first = name.first, let last = name.last, Self.isLetter(first), last != underscore else {
            return false
        }
        for byte in name where !Self.isLetter(byte) && !Self.isDigit(byte) && byte != underscore { return false }
        return !Self.isReserved(name)
    }

    /// Whether a metric's name can be a measure's name as it is. Dots and dashes pass, and the colons of recording rules
    /// unless the tenant's mapping has them escaped.
    package static func isPlainMeasure(
        _ name: some BidirectionalCollection<UInt8>,
        escapesColons: Bool = false
    ) -> Bool {
        guard !name.isEmpty else { return false }
        for byte in name {
            guard Self.isLetter(byte) || Self.isDigit(byte) else {
                switch byte {
                case underscore, UInt8(ascii: "."), UInt8(ascii: "-"): continue
                case UInt8(ascii: ":") where !escapesColons: continue
                default: return false
                }
            }
        }
        return !Self.isReserved(name)
    }

    /// The dimension of a label name. May be longer than Timestream allows: check the length of what is returned.
    package static func dimension(forLabel name: [UInt8]) -> [UInt8] {
        Self.isPlainDimension(name) ? name : Self.escape(name)
    }

    /// The measure of a metric name. May be longer than Timestream allows.
    package static func measure(forMetric name: [UInt8], escapesColons: Bool = false) -> [UInt8] {
        Self.isPlainMeasure(name, escapesColons: escapesColons) ? name : Self.escape(name)
    }

    /// The label of a dimension: undoes the escape, and leaves every other name as it is.
    package static func label(ofDimension stored: [UInt8]) -> [UInt8] {
        guard let decoded = Self.unescape(stored), Self.dimension(forLabel: decoded) == stored else { return stored }
        return decoded
    }

    /// The metric name of a measure, whether its colons are escaped or not.
    package static func metric(ofMeasure stored: [UInt8]) -> [UInt8] {
        guard let decoded = Self.unescape(stored), Self.measure(forMetric: decoded, escapesColons: true) == stored
        else {
            return stored
        }
        return decoded
    }

    private static let underscore = UInt8(ascii: "_")

    private static func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte &- UInt8(ascii: "0") < 10
    }

    /// Developer guide, "Quotas": reserved identifiers and prefixes; and our own prefix.
    private static func isReserved(_ name: some BidirectionalCollection<UInt8>) -> Bool {
        switch name.first {
        case UInt8(ascii: "t"):
            name.elementsEqual("time".utf8) || name.starts(with: "ts_".utf8)
        case UInt8(ascii: "m"):
            name.starts(with: "measure_name".utf8) || name.starts(with: "measure_value".utf8)
        case UInt8(ascii: "p"):
            name.starts(with: Self.prefix)
        default:
            false
        }
    }

    private static func escape(_ name: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        var result = Self.prefix
        for (index, byte) in name.enumerated() {
            if Self.isLetter(byte) || Self.isDigit(byte) {
                result.append(byte)
            } else if byte == underscore && index != name.count - 1 {
                result += [underscore, underscore]
            } else {
                result += [underscore, digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return result
    }

    private static func unescape(_ stored: [UInt8]) -> [UInt8]? {
        guard stored.starts(with: Self.prefix) else { return nil }
        let text = stored[Self.prefix.count...]
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        var result: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            guard byte == underscore else {
                result.append(byte)
                index += 1
                continue
            }
            guard index + 1 < text.endIndex else { return nil }
            if text[index + 1] == underscore {
                result.append(underscore)
                index += 2
                continue
            }
            guard index + 2 < text.endIndex, let high = value(text[index + 1]), let low = value(text[index + 2]) else {
                return nil
            }
            result.append(high << 4 | low)
            index += 3
        }
        return result
    }
}
