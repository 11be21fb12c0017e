extension WriteContent {
    /// Takes back the samples of the series at hand that are of another time, and counts why.
    mutating func keepSamples(of times: ClosedRange<Int64>, _ position: Int32) {
        self.filterSamples { sample, content in
            guard !times.contains(sample.timestamp) else { return true }
            let isOld = sample.timestamp < times.lowerBound
            let reason: RefusalSummary.Reason = isOld ? .sampleTooOld : .sampleTooNew
            guard !content.isDropped(reason) else {
                content.drop(reason, samples: 1, histograms: sample.isHistogram ? 1 : 0)
                return false
            }
            let limit = isOld ? "max_sample_age" : "max_sample_future"
            content.refusals.add(
                reason,
                samples: 1,
                detail: "timeseries[\(position)]: a sample at \(sample.timestamp) is beyond \(limit)"
            )
            return false
        }
    }

    /// Counts samples that a guard leaves out.
    mutating func drop(_ reason: RefusalSummary.Reason, samples: Int, histograms: Int) {
        self.counts.droppedByGuards[reason, default: 0] += samples
        self.counts.droppedHistograms += histograms
    }
}
