package import TimestreamModel

/// The messages that remote write has.
package enum WriteProtocol: Sendable, CaseIterable {
    /// `prometheus.WriteRequest`.
    case version1
    /// `io.prometheus.write.v2.Request`.
    case version2
}

/// How a tenant's samples become records.
package struct WriteOptions: Sendable {
    package var table: TableName
    /// NaN, stale markers and infinities: stored as records of their own, or dropped and counted.
    package var dropsSpecialValues: Bool
    /// The same values refused with 400, whatever `dropsSpecialValues` says.
    package var refusesSpecialValues: Bool
    /// A name that Timestream cannot hold: dropped and counted, or refused with 400.
    package var dropsLongNames: Bool
    /// The colons of recording rules in measure names: escaped, or as they are.
    package var escapesColons: Bool
    /// Which label names have a column of their own; nil if all have.
    package var dimensions: TableDimensions?
    /// `__name__` included; never more than `maximumLabels` count.
    package var maxLabelsPerSeries: Int
    package var guards = SeriesGuards()

    package init(
        table: TableName,
        dropsSpecialValues: Bool,
        dropsLongNames: Bool,
        maxLabelsPerSeries: Int,
        refusesSpecialValues: Bool = false,
        escapesColons: Bool = false,
        dimensions: TableDimensions? = nil
    ) {
        self.escapesColons = escapesColons
        self.dimensions = dimensions
        self.table = table
        self.dropsSpecialValues = dropsSpecialValues
        self.refusesSpecialValues = refusesSpecialValues
        self.dropsLongNames = dropsLongNames
        self.maxLabelsPerSeries = maxLabelsPerSeries
    }

    var leavesOutSpecialValues: Bool { self.dropsSpecialValues || self.refusesSpecialValues }

    /// Records a `WriteRecords` call takes (developer guide, "Quotas").
    package static let maximumRecords = 100
    /// Labels that a series can have whatever is configured: the dimensions that a table takes, one of them for the metric
    /// name of special values, and `__name__` (developer guide, "Quotas").
    package static let maximumLabels = 128
    /// What a record's names and label values may take of its 2 KB, beside time, value and our own dimension.
    package static let maximumLabelBytes = 2048 - 8 - 8 - 64
    /// Writes reach from 1970-01-01 to 2262-04-11 (developer guide, "Supported data types").
    package static let timestampsMilliseconds: ClosedRange<Int64> = 0...9_223_372_036_854
}

/// What a tenant's operator does not want in the table although Timestream would take it.
package struct SeriesGuards: Sendable, Equatable {
    /// Bytes of a label's name; `__name__` is exempt.
    package var maxLabelNameBytes: Int?
    /// Bytes of a label's value, and of a metric's name.
    package var maxLabelValueBytes: Int?
    /// Entries of `timeseries` in one request; those beyond it go, those before it are stored.
    package var maxSeriesPerRequest: Int?
    /// When samples may be of; nil if at any time.
    package var timestampsMilliseconds: ClosedRange<Int64>?
    /// What is left out and counted in `WriteCounts.droppedByGuards`, not refused.
    package var dropped: Set<RefusalSummary.Reason> = []

    /// What a guard can find.
    package static let reasons: [RefusalSummary.Reason] = [
        .tooManyLabels, .labelNameOverLimit, .labelValueOverLimit, .tooManySeries, .sampleTooOld, .sampleTooNew,
    ]

    package init() {}
}

/// What a request holds, stored or not.
package struct WriteCounts: Sendable, Equatable {
    package var series = 0
    /// Floats.
    package var samples = 0
    package var exemplars = 0
    /// Exemplars that are malformed.
    package var refusedExemplars = 0
    /// Samples with a start timestamp (remote write 2.0), which is not stored.
    package var startTimestamps = 0
    /// Native histograms.
    package var histograms = 0
    package var metadata = 0
    /// Left out by the tenant's `special_values: drop`.
    package var droppedSpecialValues = 0
    /// Left out by the tenant's `long_names: drop`.
    package var droppedLongNames = 0
    /// Left out by guards that drop, by reason.
    package var droppedByGuards: [RefusalSummary.Reason: Int] = [:]
    /// The same sample twice in the request: stored once.
    package var repeatedSamples = 0
    /// How many of those left out, and of those repeated, are native histograms.
    package var droppedHistograms = 0
    package var repeatedHistograms = 0

    package init() {}

    /// Everything left out by the tenant's own options.
    package var dropped: Int {
        self.droppedSpecialValues + self.droppedLongNames + self.droppedByGuards.values.reduce(0, +)
    }
}
