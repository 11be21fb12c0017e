extension TenantLimits {
    /// What counts where neither the tenant nor `defaults` says anything.
    static let builtIn = TenantLimits(
        writeRequestsPerSecond: 1200,
        writeRequestBurst: 1200,
        samplesPerSecond: 100_000,
        sampleBurst: 200_000,
        readRequestsPerSecond: 1200,
        readRequestBurst: 1200,
        concurrentWrites: 64,
        concurrentReads: 10,
        maxWait: .seconds(5),
        requestDeadline: .seconds(25),
        maxBodyBytes: 33_554_432,
        maxDecodedBytes: 33_554_432,
        maxLabelsPerSeries: 64,
        maxSamplesPerRead: 5_000_000,
        maxSeriesPerRead: 200_000,
        mode: .enforce,
        throttleStatus: 503
    )

    /// Reads `limits`; what is absent is inherited field by field.
    init(_ reader: consuming MappingReader, inherited: TenantLimits) {
        self = inherited
        guard !reader.isEmpty else { return }
        let rate = 1...1_000_000_000
        let bytes = 1024...1_073_741_824
        self.writeRequestsPerSecond = reader.limit(
            "write_requests_per_second",
            in: rate,
            default: self.writeRequestsPerSecond
        )
        self.writeRequestBurst = reader.integer("write_request_burst", in: rate, default: self.writeRequestBurst)
        self.samplesPerSecond = reader.limit("samples_per_second", in: rate, default: self.samplesPerSecond)
        self.sampleBurst = reader.integer("sample_burst", in: rate, default: self.sampleBurst)
        self.decodedBytesPerSecond = reader.limit(
            "decoded_bytes_per_second",
            in: 1...1_000_000_000_000,
            default: self.decodedBytesPerSecond
        )
        self.decodedByteBurst = reader.integer(
            "decoded_byte_burst",
            in: 1...1_000_000_000_000,
            default: self.decodedByteBurst
        )
        self.readRequestsPerSecond = reader.limit(
            "read_requests_per_second",
            in: rate,
            default: self.readRequestsPerSecond
        )
        self.readRequestBurst = reader.integer("read_request_burst", in: rate, default: self.readRequestBurst)
        self.concurrentWrites = reader.limit("concurrent_writes", in: 1...1_000_000, default: self.concurrentWrites)
        self.concurrentReads = reader.limit("concurrent_reads", in: 1...1_000_000, default: self.concurrentReads)
        let maxWait = reader.field("max_wait")
        self.maxWait = maxWait?.duration(in: .zero...Duration.seconds(600)) ?? self.maxWait
        let requestDeadline = reader.field("request_deadline")
        self.requestDeadline =
            requestDeadline?.duration(in: .milliseconds(100)...Duration.seconds(600)) ?? self.requestDeadline
        self.maxBodyBytes = reader.integer("max_body_bytes", in: bytes, default: self.maxBodyBytes)
        self.maxDecodedBytes = reader.integer("max_decoded_bytes", in: bytes, default: self.maxDecodedBytes)
        self.maxLabelsPerSeries = reader.integer(
            "max_labels_per_series",
            in: 1...1000,
            default: self.maxLabelsPerSeries
        )
        self.maxSamplesPerRead = reader.integer("max_samples_per_read", in: rate, default: self.maxSamplesPerRead)
        self.maxSeriesPerRead = reader.integer(
            "max_series_per_read",
            in: 1...100_000_000,
            default: self.maxSeriesPerRead
        )
        self.mode = reader.choice("mode", default: self.mode)
        if let status = reader.field("throttle_status")?.word(of: ["503", "429"]).flatMap({ Int($0) }) {
            self.throttleStatus = status
        }
        self.per = reader.choice("per", default: self.per)
        self.cardinality.read(&reader)
        reader.finish()
        if let place = (maxWait ?? requestDeadline)?.place, self.maxWait > self.requestDeadline {
            let (wait, deadline) = (DurationText.text(self.maxWait), DurationText.text(self.requestDeadline))
            reader.context.report(
                place,
                "max_wait (\(wait)) is longer than request_deadline (\(deadline))",
                remedy: "a request waits within its deadline: shorten max_wait, or lengthen request_deadline"
            )
        }
    }
}

extension MappingSettings {
    static let builtIn = MappingSettings(specialValues: .store, longNames: .refuse, maxDimensions: 120)

    /// Reads `mapping`; what is absent is inherited field by field.
    init(_ reader: consuming MappingReader, inherited: MappingSettings) {
        self = inherited
        guard !reader.isEmpty else { return }
        self.specialValues = reader.choice("special_values", default: self.specialValues)
        self.longNames = reader.choice("long_names", default: self.longNames)
        self.colons = reader.choice("colons", default: self.colons)
        // 128 is what a Timestream table can have.
        self.maxDimensions = reader.integer("max_dimensions", in: 1...128, default: self.maxDimensions)
        if let names = reader.field("dimensions")?.list(of: "label names", example: "[job, instance]") {
            self.dimensions = names.compactMap {
                $0.text("a label name", remedy: "write it letter by letter; there are no patterns")
            }
        }
        reader.finish()
    }
}
