import Common

/// Why samples of a request are not stored although the request could be read: counts by reason, and the first few in words.
package struct RefusalSummary: Sendable, Equatable {
    /// A closed set: also the metric label `reason`.
    package enum Reason: String, Sendable, CaseIterable {
        case missingMetricName = "missing_metric_name"
        case emptyLabelName = "empty_label_name"
        case duplicateLabelName = "duplicate_label_name"
        case invalidUTF8 = "invalid_utf8"
        /// A reference of remote write 2.0 that its table of symbols does not have, or a name without its value.
        case invalidReference = "invalid_reference"
        case tooManyLabels = "too_many_labels"
        case nameTooLong = "name_too_long"
        case labelNameOverLimit = "label_name_over_limit"
        case labelValueOverLimit = "label_value_over_limit"
        case tooManySeries = "too_many_series"
        case sampleTooOld = "sample_too_old"
        case sampleTooNew = "sample_too_new"
        case recordTooLarge = "record_too_large"
        /// The table takes no more dimensions, not even the overflow column.
        case tooManyDimensions = "too_many_dimensions"
        /// NaN or an infinity, where the tenant's mapping says `special_values: refuse`.
        case specialValue = "special_value"
        case timestampOutOfRange = "timestamp_out_of_range"
        case conflictingSample = "conflicting_sample"
        case invalidHistogram = "invalid_histogram"
        /// Rejected by Timestream (419).
        case rejectedByStore = "rejected_by_store"
        /// Refused by Timestream as invalid, alone (400).
        case invalidForStore = "invalid_for_store"
    }

    /// How many are told in words.
    package static let maximumDetails = 3
    private static let maximumDetailBytes = 160

    package private(set) var samplesByReason: [Reason: Int] = [:]
    package private(set) var details: [String] = []

    package init() {}

    package var samples: Int { self.samplesByReason.values.reduce(0, +) }
    package var isEmpty: Bool { self.samplesByReason.isEmpty }
    /// Whether the next refusal will be told in words.
    var wantsDetail: Bool { self.details.count < Self.maximumDetails }

    /// Notes `samples` lost samples; the words are made only for the first few.
    package mutating func add(_ reason: Reason, samples: Int, detail: @autoclosure () -> String) {
        self.samplesByReason[reason, default: 0] += samples
        if self.wantsDetail {
            self.details.append(oneLine(detail(), limitBytes: Self.maximumDetailBytes))
        }
    }

    /// Takes over what another part of the same request lost.
    package mutating func add(_ other: RefusalSummary) {
        self.samplesByReason.merge(other.samplesByReason, uniquingKeysWith: +)
        self.details += other.details.prefix(Self.maximumDetails - min(self.details.count, Self.maximumDetails))
    }

    /// One line for the sender: counts by reason, then the first few in words.
    package var description: String {
        let counts = self.samplesByReason.sorted { $0.key.rawValue < $1.key.rawValue }
            .map { "\($0.key.rawValue)=\($0.value)" }
            .joined(separator: " ")
        return ([counts] + self.details).joined(separator: "; ")
    }
}
