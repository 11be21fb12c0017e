package import Common

extension WritePlan {
    /// The body of one call, with all records of the batch.
    package func body(ofBatch batch: Int) -> FrozenBytes {
        let batch = self.batches[batch]
        return self.body(of: batch.records, form: batch.form)
    }

    /// The body of a call with only some records of a batch, to find those that the service refuses.
    package func body(of records: Range<Int>, ofBatch batch: Int) -> FrozenBytes {
        precondition(self.batches[batch].records.lowerBound <= records.lowerBound)
        precondition(self.batches[batch].records.upperBound >= records.upperBound)
        return self.body(of: records, form: self.batches[batch].form)
    }

    /// What all records of a call have in common; the rest stands in each record.
    private struct Shared {
        /// Labels of every record, in the order that all label sets have.
        var labels: [Int32] = []
        var metric: Int32?
        var timestamp: Int64?
    }

    /// Writes a `WriteRecords` body. What is left to the service's defaults: `MeasureValueType` DOUBLE, `TimeUnit`
    /// MILLISECONDS, `Version` 1.
    private func body(of range: Range<Int>, form: Form) -> FrozenBytes {
        let shared = self.shared(of: range)
        var output = OutputBuffer(capacity: self.table.count + 512 + range.count * 256)
        output.append(self.table)
        self.appendCommonAttributes(shared, form: form, to: &output)
        output.append(#""Records":["#)
        for number in range {
            self.appendRecord(self.records[number], shared, form: form, to: &output)
        }
        output.removeLast(ifEqualTo: UInt8(ascii: ","))
        output.append("]}")
        return output.freeze()
    }

    private func shared(of range: Range<Int>) -> Shared {
        var shared = Shared()
        guard let firstNumber = range.first else { return shared }
        let first = self.records[firstNumber]
        let firstSeries = self.series[Int(first.series)]
        var labels = self.labelSet(of: firstSeries).filter {
            $0 != firstSeries.metric && !self.labels[Int($0)].isOverflow
        }
        var hasOneMetric = true
        var hasOneTime = true
        var previous: Int32 = first.series
        for number in range.dropFirst() {
            let record = self.records[number]
            hasOneTime = hasOneTime && record.timestamp == first.timestamp
            guard record.series != previous else { continue }
            previous = record.series
            let series = self.series[Int(record.series)]
            hasOneMetric = hasOneMetric && series.metric == firstSeries.metric
            // Sets are in one order: what comes later here comes later there.
            var place = Int(series.setStart)
            let end = place + Int(series.setCount)
            var kept = 0
            // By number: a loop over the list itself would copy it when it changes.
            for candidate in 0..<labels.count {
                let label = labels[candidate]
                var index = place
                while index < end, self.labelSets[index] != label { index += 1 }
                guard index < end else { continue }
                place = index + 1
                labels[kept] = label
                kept += 1
            }
            labels.removeLast(labels.count - kept)
        }
        shared.labels = labels
        shared.metric = hasOneMetric ? firstSeries.metric : nil
        shared.timestamp = hasOneTime ? first.timestamp : nil
        return shared
    }

    private func labelSet(of series: WriteContent.Series) -> ArraySlice<Int32> {
        self.labelSets[Int(series.setStart)..<Int(series.setStart + series.setCount)]
    }

    private func appendCommonAttributes(_ shared: Shared, form: Form, to output: inout OutputBuffer) {
        output.append(#""CommonAttributes":{"#)
        if !shared.labels.isEmpty || (form != .number && shared.metric != nil) {
            output.append(#""Dimensions":["#)
            for label in shared.labels { self.appendFragment(label, to: &output) }
            if form != .number, let metric = shared.metric { self.appendMetricDimension(metric, to: &output) }
            output.removeLast(ifEqualTo: UInt8(ascii: ","))
            output.append("],")
        }
        switch form {
        case .special:
            output.append(#""MeasureName":"promx_special","MeasureValueType":"BIGINT","#)
        case .histogram:
            output.append(#""MeasureValueType":"MULTI","#)
        case .number:
            guard let metric = shared.metric else { break }
            output.append(#""MeasureName":"#)
            self.appendFragment(metric, to: &output)
        }
        if let timestamp = shared.timestamp { self.appendTime(timestamp, to: &output) }
        output.removeLast(ifEqualTo: UInt8(ascii: ","))
        output.append("},")
    }

    private func appendRecord(_ record: Record, _ shared: Shared, form: Form, to output: inout OutputBuffer) {
        let series = self.series[Int(record.series)]
        output.append("{")
        let ownLabels = Int(series.setCount) - 1 - shared.labels.count
        let needsMetricDimension = form != .number && shared.metric == nil
        // Numbers of series without labels get the dimension that Timestream demands; other forms have their metric's.
        let needsPlaceholder = series.setCount == 1 && form == .number
        if ownLabels > 0 || needsMetricDimension || needsPlaceholder {
            output.append(#""Dimensions":["#)
            if ownLabels > 0 {
                var next = 0
                var hasOverflow = false
                for label in self.labelSet(of: series) {
                    if next < shared.labels.count, shared.labels[next] == label {
                        next += 1
                    } else if self.labels[Int(label)].isOverflow {
                        hasOverflow = true
                    } else if label != series.metric {
                        self.appendFragment(label, to: &output)
                    }
                }
                if hasOverflow { self.appendOverflow(series, to: &output) }
            }
            if needsMetricDimension { self.appendMetricDimension(series.metric, to: &output) }
            if needsPlaceholder { output.append(#"{"Name":"promx_empty","Value":"1"}"#) }
            output.removeLast(ifEqualTo: UInt8(ascii: ","))
            output.append("],")
        }
        if form == .number, shared.metric == nil {
            output.append(#""MeasureName":"#)
            self.appendFragment(series.metric, to: &output)
        }
        switch form {
        case .number:
            output.append(#""MeasureValue":""#)
            DecimalText.append(Double(bitPattern: record.bits), to: &output)
            output.append("\",")
        case .special:
            output.append(#""MeasureValue":""#)
            DecimalText.append(Int64(bitPattern: record.bits), to: &output)
            output.append("\",")
        case .histogram:
            self.appendHistogram(record, to: &output)
        }
        if shared.timestamp == nil { self.appendTime(record.timestamp, to: &output) }
        output.removeLast(ifEqualTo: UInt8(ascii: ","))
        output.append("},")
    }

    private func appendHistogram(_ record: Record, to output: inout OutputBuffer) {
        let (number, part) = record.histogram
        let histogram = self.histograms[number]
        let range = Int(histogram.start)..<Int(histogram.start + histogram.count)
        let message = self.histogramMessages.span.extracting(range)
        guard let reader = try? HistogramReader(unsafe message.bytes, range: 0..<range.count),
            let written = HistogramRecord(message, reader, dimensionBytes: Int(histogram.dimensionBytes))
        else { preconditionFailure("a histogram is checked and measured when it is read") }
        written.appendMembers(part: part, of: message, to: &output)
        output.append(UInt8(ascii: ","))
    }

    private func appendTime(_ timestamp: Int64, to output: inout OutputBuffer) {
        output.append(#""Time":""#)
        DecimalText.append(timestamp, to: &output)
        output.append("\",")
    }

    /// A label's JSON and a comma.
    private func appendFragment(_ label: Int32, to output: inout OutputBuffer) {
        let label = self.labels[Int(label)]
        output.append(self.fragments, Int(label.fragmentStart)..<Int(label.fragmentStart + label.fragmentCount))
        output.append(UInt8(ascii: ","))
    }

    /// The dimension that holds the labels without a column of their own.
    private func appendOverflow(_ series: WriteContent.Series, to output: inout OutputBuffer) {
        output.append(#"{"Name":"promx_overflow","Value":""#)
        for label in self.labelSet(of: series) where self.labels[Int(label)].isOverflow {
            self.appendFragment(label, to: &output)
        }
        output.removeLast(ifEqualTo: UInt8(ascii: ","))
        output.append("\"},")
    }

    /// The dimension that holds the metric name of a special value.
    private func appendMetricDimension(_ metric: Int32, to output: inout OutputBuffer) {
        let label = self.labels[Int(metric)]
        output.append(#"{"Name":"promx_metric","Value":"#)
        output.append(self.fragments, Int(label.fragmentStart)..<Int(label.fragmentStart + label.fragmentCount))
        output.append("},")
    }
}
