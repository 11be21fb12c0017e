extension CardinalityLimits {
    /// Reads the guards among the `limits`; what is absent stays as it is.
    mutating func read(_ reader: inout MappingReader) {
        // More than Timestream itself takes would guard against nothing.
        self.maxLabelNameBytes = reader.limit("max_label_name_bytes", in: 1...60, default: self.maxLabelNameBytes)
        self.maxLabelValueBytes = reader.limit("max_label_value_bytes", in: 1...2048, default: self.maxLabelValueBytes)
        self.maxSeriesPerRequest = reader.limit(
            "max_series_per_request",
            in: 1...100_000_000,
            default: self.maxSeriesPerRequest
        )
        let time = Duration.seconds(1)...Duration.seconds(10 * 366 * 86_400)
        self.maxSampleAge = reader.durationLimit("max_sample_age", in: time, default: self.maxSampleAge)
        self.maxSampleFuture = reader.durationLimit("max_sample_future", in: time, default: self.maxSampleFuture)
        if let field = reader.field("on_violation") { self.readViolations(field) }
    }

    /// One word for all guards, or a word for each of some.
    private mutating func readViolations(_ field: Field) {
        guard field.isMapping else {
            guard let violation = field.choice(Violation.self) else { return }
            self.dropping = violation == .drop ? Set(Guard.allCases) : []
            return
        }
        var reader = field.mapping()
        for kind in Guard.allCases {
            switch reader.field(kind.rawValue)?.choice(Violation.self) {
            case .drop: self.dropping.insert(kind)
            case .refuse: self.dropping.remove(kind)
            case nil: break
            }
        }
        reader.finish()
    }
}

extension MappingReader {
    /// A duration that `unlimited` lifts.
    fileprivate mutating func durationLimit(
        _ key: String,
        in range: ClosedRange<Duration>,
        default value: Duration?
    ) -> Duration? {
        guard let field = self.field(key) else { return value }
        if case .scalar(let scalar) = field.node.content, scalar.text == "unlimited" { return nil }
        return field.duration(in: range) ?? value
    }
}
