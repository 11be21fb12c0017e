/// One record that `WriteRecords` refused.
package struct RejectedRecord: Sendable, Equatable {
    /// Index in the request's `Records`; the service may leave it out.
    package var index: Int?
    package var reason: String
    package var existingVersion: Int?

    package init(index: Int?, reason: String, existingVersion: Int? = nil) {
        self.index = index
        self.reason = reason
        self.existingVersion = existingVersion
    }

    /// What kind of reason it is, by the words that the service has been seen to use.
    ///
    /// Source: Timestream developer guide, "Troubleshooting", RejectedRecordsException; texts from public reports.
    package enum Kind: String, Sendable, CaseIterable {
        /// The time is outside what the table's stores take.
        case timeWindow = "time_window"
        /// Another value is stored already, under this version or a higher one.
        case versionConflict = "version_conflict"
        /// A dimension, a measure or the record goes beyond a limit.
        case limit
        case other
    }

    package var kind: Kind {
        let text = self.reason.lowercased()
        if self.existingVersion != nil || text.contains("version") { return .versionConflict }
        if text.contains("time range") || text.contains("ingestion window") || text.contains("memory store") {
            return .timeWindow
        }
        let words = ["exceed", "limit", "maximum", "too many", "at most"]
        return words.contains { text.contains($0) } ? .limit : .other
    }
}
