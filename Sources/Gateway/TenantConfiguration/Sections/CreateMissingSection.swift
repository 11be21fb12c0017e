extension CreateMissingSettings {
    /// Reads `create_missing`; an empty mapping is enough.
    ///
    /// - Source: Timestream developer guide, "Quotas", for the bounds.
    init(_ reader: consuming MappingReader) {
        self.memoryStoreHours = reader.integer("memory_store_hours", in: 1...8766, default: 24)
        self.magneticStoreDays = reader.integer("magnetic_store_days", in: 1...73_000, default: 365)
        // Backfill, and what a sender kept during an outage longer than the memory store reaches back.
        self.magneticStoreWrites = reader.field("magnetic_store_writes")?.boolean() ?? true
        self.partitionKey = reader.field("partition_key").flatMap { PartitionKey($0.mapping()) }
        reader.finish()
    }
}

extension CreateMissingSettings.PartitionKey {
    fileprivate init?(_ reader: consuming MappingReader) {
        let dimension = reader.required("dimension", remedy: "add dimension: NAME, such as job")
        self.dimension = dimension?.dimensionName() ?? ""
        self.isRequired = reader.field("required")?.boolean() ?? false
        reader.finish()
        if self.dimension.isEmpty { return nil }
    }
}

extension Field {
    /// The name of a dimension.
    ///
    /// - Source: Timestream developer guide, "Quotas" and "Naming constraints": 60 bytes, and names of the service's own.
    fileprivate func dimensionName() -> String? {
        self.text(
            "the name of a dimension",
            remedy: "use a label's name: 1 to 60 letters, digits and _, and none of Timestream's own"
        ) { text in
            (1...60).contains(text.utf8.count) && !["time", "measure_name"].contains(text)
                && !text.hasPrefix("ts_") && !text.hasPrefix("measure_value")
                && text.utf8.allSatisfy { ASCII.isLetterOrDigit($0) || $0 == UInt8(ascii: "_") }
        }
    }
}
