import TenantConfiguration
import Translator

extension SeriesGuards {
    /// The tenant's guards, but for the times of samples, which are relative to each request's.
    init(_ limits: CardinalityLimits) {
        self.init()
        self.maxLabelNameBytes = limits.maxLabelNameBytes
        self.maxLabelValueBytes = limits.maxLabelValueBytes
        self.maxSeriesPerRequest = limits.maxSeriesPerRequest
        self.dropped = Set(limits.dropping.map(Self.reason))
    }

    private static func reason(_ kind: CardinalityLimits.Guard) -> RefusalSummary.Reason {
        switch kind {
        case .labelsPerSeries: .tooManyLabels
        case .labelNameBytes: .labelNameOverLimit
        case .labelValueBytes: .labelValueOverLimit
        case .seriesPerRequest: .tooManySeries
        case .sampleAge: .sampleTooOld
        case .sampleFuture: .sampleTooNew
        }
    }
}

extension CardinalityLimits {
    /// When samples may be of that come now; nil if at any time.
    func times(nowMilliseconds now: Int64) -> ClosedRange<Int64>? {
        guard self.maxSampleAge != nil || self.maxSampleFuture != nil else { return nil }
        // Ten years at most, so no sum overflows.
        let oldest = self.maxSampleAge.map { now - $0.milliseconds } ?? .min
        let newest = self.maxSampleFuture.map { now + $0.milliseconds } ?? .max
        return oldest...newest
    }
}

extension Duration {
    fileprivate var milliseconds: Int64 {
        let (seconds, attoseconds) = self.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
