import Common

/// A `WriteRecords` request as it stands in its JSON: texts are ranges of the reader's bytes, nothing is merged or checked.
struct WriteRecordsRequest {
    struct Dimension {
        var name: JSONReader.Text?
        var value: JSONReader.Text?
        var type: JSONReader.Text?
    }

    struct Measure {
        var name: JSONReader.Text?
        var value: JSONReader.Text?
        var type: JSONReader.Text?
    }

    struct Record {
        /// Ranges of `dimensions` and `measures`.
        var dimensions: Range<Int>?
        var measureValues: Range<Int>?
        var measureName: JSONReader.Text?
        var measureValue: JSONReader.Text?
        var measureValueType: JSONReader.Text?
        var time: JSONReader.Text?
        var timeUnit: JSONReader.Text?
        var version: Int64?
    }

    private(set) var database: String?
    private(set) var table: String?
    private(set) var common = Record()
    private(set) var records: [Record]?
    private(set) var dimensions: [Dimension] = []
    private(set) var measures: [Measure] = []
    /// The document, with its strings unescaped.
    private(set) var bytes: [UInt8] = []

    private static let topNames = MemberNames(["DatabaseName", "TableName", "Records", "CommonAttributes"])
    private static let recordNames = MemberNames([
        "Dimensions", "MeasureName", "MeasureValue", "MeasureValueType", "MeasureValues", "Time", "TimeUnit", "Version",
    ])
    private static let dimensionNames = MemberNames(["Name", "Value", "DimensionValueType"])
    private static let measureNames = MemberNames(["Name", "Value", "Type"])

    /// - Throws: `SerializationException` for what is not JSON, or not of the right kind.
    init(_ body: [UInt8]) throws(ServiceError) {
        self = try JSONReader.request(body) { (reader) throws(JSONError) in
            var request = WriteRecordsRequest()
            try request.read(&reader)
            return request
        }
    }

    private init() {}

    private mutating func read(_ reader: inout JSONReader) throws(JSONError) {
        try reader.document(Self.topNames) { (reader, member) throws(JSONError) in
            switch member {
            case 0: self.database = try reader.string()
            case 1: self.table = try reader.string()
            case 2:
                var records: [Record] = []
                try reader.array { (reader) throws(JSONError) in
                    records.append(try self.record(&reader))
                }
                self.records = records
            default: self.common = try self.record(&reader)
            }
        }
        self.bytes = reader.bytes
    }

    private mutating func record(_ reader: inout JSONReader) throws(JSONError) -> Record {
        var record = Record()
        try reader.object(Self.recordNames) { (reader, member) throws(JSONError) in
            switch member {
            case 0: record.dimensions = try self.readDimensions(&reader)
            case 1: record.measureName = try reader.text()
            case 2: record.measureValue = try reader.text()
            case 3: record.measureValueType = try reader.text()
            case 4: record.measureValues = try self.readMeasures(&reader)
            case 5: record.time = try reader.text()
            case 6: record.timeUnit = try reader.text()
            default: record.version = try reader.integer()
            }
        }
        return record
    }

    private mutating func readDimensions(_ reader: inout JSONReader) throws(JSONError) -> Range<Int> {
        let start = self.dimensions.count
        try reader.array { (reader) throws(JSONError) in
            var dimension = Dimension()
            try reader.object(Self.dimensionNames) { (reader, member) throws(JSONError) in
                switch member {
                case 0: dimension.name = try reader.text()
                case 1: dimension.value = try reader.text()
                default: dimension.type = try reader.text()
                }
            }
            self.dimensions.append(dimension)
        }
        return start..<self.dimensions.count
    }

    private mutating func readMeasures(_ reader: inout JSONReader) throws(JSONError) -> Range<Int> {
        let start = self.measures.count
        try reader.array { (reader) throws(JSONError) in
            var measure = Measure()
            try reader.object(Self.measureNames) { (reader, member) throws(JSONError) in
                switch member {
                case 0: measure.name = try reader.text()
                case 1: measure.value = try reader.text()
                default: measure.type = try reader.text()
                }
            }
            self.measures.append(measure)
        }
        return start..<self.measures.count
    }
}
