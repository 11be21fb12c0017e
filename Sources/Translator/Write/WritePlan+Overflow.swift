import Common

extension WritePlan {
    /// The same records once more, with labels in the overflow column that the table has no column for.
    ///
    /// - Parameters:
    ///   - records: those to write, in order.
    ///   - dimensions: brought up to date since this plan was made.
    /// - Returns: nil if it would be the same.
    func overflowing(_ records: [Int], _ dimensions: TableDimensions) -> WritePlan? {
        let lease = TableDimensions.Lease(dimensions)
        var labels = self.labels
        var fragments = self.fragments
        var isSeen = [Bool](repeating: false, count: labels.count)
        var hasChanged = false
        for record in records {
            let series = self.series[Int(self.records[record].series)]
            for index in Int(series.setStart)..<Int(series.setStart + series.setCount) {
                let number = Int(self.labelSets[index])
                guard !isSeen[number], !labels[number].isOverflow, labels[number].name != LabelTable.metricName else {
                    continue
                }
                isSeen[number] = true
                let (column, value) = self.dimension(labels[number])
                guard dimensions.place(of: column, lease) == .overflow else { continue }
                hasChanged = true
                let start = fragments.count
                let stored = OverflowText.append(ColumnName.label(ofDimension: column), value, to: &fragments)
                labels[number].isOverflow = true
                labels[number].fragmentStart = Int32(start)
                labels[number].fragmentCount = Int32(fragments.count - start)
                labels[number].storedBytes = Int32(stored + 1)
            }
        }
        guard hasChanged else { return nil }
        return WritePlan(self, records: records, labels: labels, fragments: fragments, lease: lease)
    }

    private static let members = MemberNames(["Name", "Value"])

    /// The column and the value of a label that has a column of its own, out of its JSON.
    private func dimension(_ label: LabelTable.Label) -> (column: [UInt8], value: [UInt8]) {
        let start = Int(label.fragmentStart)
        let json = Array(self.fragments[start..<start + Int(label.fragmentCount)])
        var column: [UInt8] = []
        var value: [UInt8] = []
        do throws(JSONError) {
            var reader = try JSONReader(json)
            try reader.document(Self.members) { (reader: inout JSONReader, member: Int) throws(JSONError) in
                let text = Array(try reader.string().utf8)
                if member == 0 { column = text } else { value = text }
            }
        } catch {
            preconditionFailure("a label's JSON is our own")
        }
        return (column, value)
    }

    /// A plan of some records of another one, with other columns for their labels.
    init(
        _ plan: WritePlan,
        records: [Int],
        labels: [LabelTable.Label],
        fragments: [UInt8],
        lease: TableDimensions.Lease
    ) {
        self.counts = plan.counts
        self.refusals = RefusalSummary()
        self.memoryBytes = plan.memoryBytes
        self.records = records.map { plan.records[$0] }
        self.series = plan.series
        self.labelSets = plan.labelSets
        self.labels = labels
        self.fragments = fragments
        self.table = plan.table
        self.histograms = plan.histograms
        self.histogramMessages = plan.histogramMessages
        self.lease = lease
        var batches: [Batch] = []
        for (number, record) in self.records.enumerated() {
            if let last = batches.last, last.form == record.form,
                last.records.count < WriteOptions.maximumRecords
            {
                batches[batches.count - 1].records = last.records.lowerBound..<number + 1
            } else {
                batches.append(Batch(records: number..<number + 1, form: record.form))
            }
        }
        self.batches = batches
    }
}
