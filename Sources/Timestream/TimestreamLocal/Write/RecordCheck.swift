import Common
import TimestreamModel

/// Merges, checks and canonises the records of a `WriteRecords` request.
///
/// What is checked here fails the whole request: nothing of it is stored. Where the reference leaves a rule open, the
/// stricter reading is taken, so that what passes here passes at the service:
/// - a member that stands in the record and in the common attributes: the record's is used; but a dimension in both is refused;
/// - the same dimension twice in one record, and an empty dimension value, are refused;
/// - booleans are `true` and `false`, in lower case.
///
/// The time window of the memory store is not enforced: old data is welcome here.
struct RecordCheck {
    private let request: WriteRecordsRequest
    private var batch: RecordBatch
    /// The common dimensions, each checked, sorted by name.
    private var common: [Pair] = []
    /// The dimensions of the record at hand.
    private var pairs: [Pair] = []

    private struct Pair {
        var name: Range<Int>
        var value: Range<Int>
    }

    /// - Throws: a `ValidationException`.
    static func batch(of request: WriteRecordsRequest, table: TableName) throws(ServiceError) -> RecordBatch {
        var check = RecordCheck(request: request, batch: RecordBatch(table: table))
        guard let records = request.records else { throw .isMissing("records") }
        guard (1...RecordRules.maximumRecords).contains(records.count) else {
            throw .constraint(
                "[\(records.count) records]",
                at: "records",
                records.isEmpty
                    ? "Member must have length greater than or equal to 1"
                    : "Member must have length less than or equal to \(RecordRules.maximumRecords)"
            )
        }
        check.batch.records.reserveCapacity(records.count)
        try check.checkCommon()
        for (index, record) in records.enumerated() {
            try check.append(record, path: "records.\(index + 1).member")
        }
        return check.batch
    }

    /// Checks the common attributes by themselves: a bad member fails the request even if no record uses it.
    private mutating func checkCommon() throws(ServiceError) {
        let common = self.request.common
        let path = "commonAttributes"
        self.common = try self.dimensions(common, path: path)
        _ = try self.nanosecondsPerUnit(common.timeUnit, path: path)
        _ = try self.type(common.measureValueType, at: "\(path).measureValueType")
        try self.checkVersion(common.version ?? 1, path: path)
        if let name = common.measureName { try self.checkMeasureName(name, path: "\(path).measureName") }
        if let value = common.measureValue { try self.checkLength(value, path: "\(path).measureValue") }
    }

    private func checkVersion(_ version: Int64, path: String) throws(ServiceError) {
        guard version >= 1 else {
            throw .constraint("\(version)", at: "\(path).version", "Member must have value greater than or equal to 1")
        }
    }

    private mutating func append(_ record: WriteRecordsRequest.Record, path: String) throws(ServiceError) {
        let common = self.request.common
        let own = try self.dimensions(record, path: path)
        self.pairs = self.common + own
        guard !self.pairs.isEmpty else {
            throw ServiceError(.validation, "At least one dimension is required for a record.")
        }
        guard self.pairs.count <= RecordRules.maximumDimensionsPerRecord else {
            throw .constraint(
                "[\(self.pairs.count) dimensions]",
                at: "\(path).dimensions",
                "Member must have length less than or equal to \(RecordRules.maximumDimensionsPerRecord)"
            )
        }
        if !own.isEmpty, !self.common.isEmpty {
            try self.sortPairs { name in
                "The dimension '\(name)' is in the record and in the common attributes."
            }
        }
        let name = try self.measureName(record.measureName ?? common.measureName, path: path)
        let unit = try self.nanosecondsPerUnit(record.timeUnit ?? common.timeUnit, path: path)
        let version = record.version ?? common.version ?? 1
        try self.checkVersion(version, path: path)
        let time = try self.time(record.time ?? common.time, nanosecondsPerUnit: unit)
        let (type, value, valueBytes) = try self.value(record, nanosecondsPerUnit: unit, path: path)

        let start = self.batch.keys.count
        StreamKey.append(self.request.bytes[name], to: &self.batch.keys)
        var sizeBytes = 8 + name.count + valueBytes
        for pair in self.pairs {
            StreamKey.append(self.request.bytes[pair.name], to: &self.batch.keys)
            StreamKey.append(self.request.bytes[pair.value], to: &self.batch.keys)
            sizeBytes += pair.name.count + pair.value.count
        }
        if case .multi(let measures) = value { try self.checkColumns(measures) }
        self.batch.records.append(
            RecordBatch.Record(
                key: start..<self.batch.keys.count,
                type: type,
                value: value,
                timeNanoseconds: time,
                version: version,
                sizeBytes: sizeBytes
            )
        )
    }

    // MARK: Dimensions

    /// The dimensions of a record or of the common attributes, each checked; sorted by name.
    private mutating func dimensions(
        _ record: WriteRecordsRequest.Record,
        path: String
    ) throws(ServiceError) -> [Pair] {
        guard let range = record.dimensions else { return [] }
        self.pairs.removeAll(keepingCapacity: true)
        for index in range {
            let dimension = self.request.dimensions[index]
            let place = index - range.lowerBound + 1
            guard let name = dimension.name, let value = dimension.value,
                self.isSound(dimension, name: self.request.bytes[name], value: value)
            else { throw self.fault(of: dimension, path: "\(path).dimensions.\(place).member") }
            self.pairs.append(Pair(name: name, value: value))
        }
        try self.sortPairs { name in "The dimension '\(name)' is there more than once." }
        return self.pairs
    }

    private func isSound(
        _ dimension: WriteRecordsRequest.Dimension,
        name: ArraySlice<UInt8>,
        value: JSONReader.Text
    ) -> Bool {
        RecordRules.isDimensionName(name) && name.count <= RecordRules.maximumDimensionNameBytes
            && !RecordRules.isReserved(name) && !value.isEmpty && value.count <= Int(UInt16.max)
            && dimension.type.map { self.request.bytes[$0].elementsEqual("VARCHAR".utf8) } != false
    }

    private func fault(of dimension: WriteRecordsRequest.Dimension, path: String) -> ServiceError {
        guard let name = dimension.name else { return .isMissing("\(path).name") }
        guard let value = dimension.value else { return .isMissing("\(path).value") }
        let text = self.text(name)
        if let type = dimension.type, !self.request.bytes[type].elementsEqual("VARCHAR".utf8) {
            return .constraint(
                self.text(type),
                at: "\(path).dimensionValueType",
                "Member must satisfy enum value set: [VARCHAR]"
            )
        }
        if name.isEmpty {
            return .constraint("", at: "\(path).name", "Member must have length greater than or equal to 1")
        }
        if name.count > RecordRules.maximumDimensionNameBytes {
            let limit = RecordRules.maximumDimensionNameBytes
            return .constraint(text, at: "\(path).name", "Member must have length less than or equal to \(limit)")
        }
        if value.isEmpty {
            return ServiceError(.validation, "The value of the dimension '\(text)' is empty.")
        }
        if value.count > Int(UInt16.max) {
            return ServiceError(.validation, "The value of the dimension '\(text)' is too long.")
        }
        if RecordRules.isReserved(self.request.bytes[name]) {
            return ServiceError(.validation, "The dimension name '\(text)' is reserved.")
        }
        return ServiceError(
            .validation,
            "The dimension name is invalid. Dimension name can only contain alphanumeric characters and underscores. "
                + "It can only start with an alphabet and cannot end with an underscore."
        )
    }

    /// Sorts `pairs` by the bytes of their names; a name that is there twice is refused.
    private mutating func sortPairs(_ reason: (String) -> String) throws(ServiceError) {
        let bytes = self.request.bytes
        var isSorted = true
        for index in self.pairs.indices.dropFirst() {
            let left = bytes[self.pairs[index - 1].name]
            guard left.lexicographicallyPrecedes(bytes[self.pairs[index].name]) else {
                isSorted = false
                break
            }
        }
        if isSorted { return }
        self.pairs.sort { bytes[$0.name].lexicographicallyPrecedes(bytes[$1.name]) }
        for index in self.pairs.indices.dropFirst()
        where bytes[self.pairs[index].name] == bytes[self.pairs[index - 1].name] {
            throw ServiceError(.validation, reason(self.text(self.pairs[index].name)))
        }
    }

    // MARK: Other members

    private func measureName(_ name: JSONReader.Text?, path: String) throws(ServiceError) -> JSONReader.Text {
        guard let name else { throw ServiceError(.validation, "Measure name is required for a record.") }
        try self.checkMeasureName(name, path: "\(path).measureName")
        return name
    }

    private func checkMeasureName(_ name: JSONReader.Text, path: String) throws(ServiceError) {
        guard !name.isEmpty else {
            throw .constraint("", at: path, "Member must have length greater than or equal to 1")
        }
        guard name.count <= RecordRules.maximumMeasureNameBytes else {
            let limit = RecordRules.maximumMeasureNameBytes
            throw .constraint(self.text(name), at: path, "Member must have length less than or equal to \(limit)")
        }
        guard !RecordRules.isReserved(self.request.bytes[name]) else {
            throw ServiceError(.validation, "The measure name '\(self.text(name))' is reserved.")
        }
    }

    private func nanosecondsPerUnit(_ unit: JSONReader.Text?, path: String) throws(ServiceError) -> Int64 {
        guard let unit else { return 1_000_000 }
        switch self.text(unit) {
        case "MILLISECONDS": return 1_000_000
        case "SECONDS": return 1_000_000_000
        case "MICROSECONDS": return 1000
        case "NANOSECONDS": return 1
        case let other:
            throw .constraint(
                other,
                at: "\(path).timeUnit",
                "Member must satisfy enum value set: [MILLISECONDS, SECONDS, MICROSECONDS, NANOSECONDS]"
            )
        }
    }

    private func time(_ time: JSONReader.Text?, nanosecondsPerUnit unit: Int64) throws(ServiceError) -> Int64 {
        guard let time, time.count <= RecordRules.maximumTimeBytes,
            let value = NumberText.integer(self.request.bytes[time]), value >= 0,
            case let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: unit), !overflow
        else { throw ServiceError(.validation, "Invalid time for record.") }
        return nanoseconds
    }

    private func type(
        _ type: JSONReader.Text?,
        at path: @autoclosure () -> String
    ) throws(ServiceError) -> MeasureType? {
        guard let type else { return nil }
        guard let known = MeasureType(wireName: self.request.bytes[type]) else {
            throw .constraint(
                self.text(type),
                at: path(),
                "Member must satisfy enum value set: [DOUBLE, BIGINT, VARCHAR, BOOLEAN, TIMESTAMP, MULTI]"
            )
        }
        return known
    }

    /// The record's value, and how many bytes of it are metered.
    private func value(
        _ record: WriteRecordsRequest.Record,
        nanosecondsPerUnit unit: Int64,
        path: String
    ) throws(ServiceError) -> (MeasureType, MeasureValue, Int) {
        let common = self.request.common
        let declared = record.measureValueType ?? common.measureValueType
        let type = try self.type(declared, at: "\(path).measureValueType") ?? .double
        let single = record.measureValue ?? common.measureValue
        let several = record.measureValues ?? common.measureValues
        switch type {
        case .timestamp:
            throw ServiceError(.validation, "TIMESTAMP is an invalid measure value type")
        case .multi:
            guard single == nil else {
                throw ServiceError(.validation, "A record of type MULTI has measure values, not a measure value.")
            }
            guard let several, !several.isEmpty else {
                throw ServiceError(.validation, "A record of type MULTI needs at least one measure value.")
            }
            return try self.multi(several, nanosecondsPerUnit: unit, path: path)
        case .double, .bigint, .varchar, .boolean:
            guard several == nil else {
                throw ServiceError(.validation, "Measure values are only allowed in records of type MULTI.")
            }
            guard let single else { throw ServiceError(.validation, "Measure value is required for a record.") }
            try self.checkLength(single, path: "\(path).measureValue")
            let value = try self.parse(single, type: type, nanosecondsPerUnit: unit)
            return (type, value, Self.meteredBytes(value, type: type))
        }
    }

    private func multi(
        _ range: Range<Int>,
        nanosecondsPerUnit unit: Int64,
        path: String
    ) throws(ServiceError) -> (MeasureType, MeasureValue, Int) {
        guard range.count <= RecordRules.maximumMeasuresPerMultiRecord else {
            let limit = RecordRules.maximumMeasuresPerMultiRecord
            throw ServiceError(.validation, "A record can have at most \(limit) measure values.")
        }
        var values: [MultiValue] = []
        var sizeBytes = 0
        for index in range {
            let measure = self.request.measures[index]
            let path = "\(path).measureValues.\(index - range.lowerBound + 1).member"
            guard let name = measure.name else { throw .isMissing("\(path).name") }
            guard let text = measure.value else { throw .isMissing("\(path).value") }
            guard let type = try self.type(measure.type, at: "\(path).type") else { throw .isMissing("\(path).type") }
            guard type != .multi else {
                throw ServiceError(.validation, "MULTI is an invalid type inside measure values.")
            }
            try self.checkMeasureName(name, path: "\(path).name")
            try self.checkLength(text, path: "\(path).value")
            let value = try self.parse(text, type: type, nanosecondsPerUnit: unit)
            sizeBytes += name.count + Self.meteredBytes(value, type: type)
            values.append(MultiValue(name: Array(self.request.bytes[name]), type: type, value: value))
        }
        values.sort { $0.name.lexicographicallyPrecedes($1.name) }
        for index in values.indices.dropFirst() where values[index].name == values[index - 1].name {
            let name = String(decoding: values[index].name, as: UTF8.self)
            throw ServiceError(.validation, "The measure '\(name)' is there more than once.")
        }
        return (.multi, .multi(values), sizeBytes)
    }

    /// A column has one name: a measure of a MULTI record cannot have that of a dimension.
    private func checkColumns(_ measures: [MultiValue]) throws(ServiceError) {
        for pair in self.pairs {
            let name = self.request.bytes[pair.name]
            guard measures.contains(where: { $0.name.elementsEqual(name) }) else { continue }
            throw ServiceError(.validation, "'\(self.text(pair.name))' is a dimension and a measure of one record.")
        }
    }

    private func checkLength(_ value: JSONReader.Text, path: String) throws(ServiceError) {
        guard !value.isEmpty else {
            throw .constraint("", at: path, "Member must have length greater than or equal to 1")
        }
        guard value.count <= RecordRules.maximumMeasureValueBytes else {
            let limit = RecordRules.maximumMeasureValueBytes
            throw .constraint(self.text(value), at: path, "Member must have length less than or equal to \(limit)")
        }
    }

    private func parse(
        _ text: JSONReader.Text,
        type: MeasureType,
        nanosecondsPerUnit unit: Int64
    ) throws(ServiceError) -> MeasureValue {
        let bytes = self.request.bytes[text]
        guard let value = MeasureValue(bytes, type: type, nanosecondsPerUnit: unit) else {
            throw ServiceError(
                .validation,
                "Invalid value \(self.text(text)) for \(type.sqlName) measure value type."
            )
        }
        return value
    }

    private static func meteredBytes(_ value: MeasureValue, type: MeasureType) -> Int {
        switch value {
        case .text(let text): text.count
        case .word: type == .boolean ? 1 : 8
        case .multi: 0
        }
    }

    /// A text for a message, cut where it is long.
    private func text(_ text: JSONReader.Text) -> String {
        guard text.count > 256 else { return String(decoding: self.request.bytes[text], as: UTF8.self) }
        return String(decoding: self.request.bytes[text.prefix(256)], as: UTF8.self) + "…"
    }
}
