@testable import TimestreamLocal

/// A statement in Timestream's SQL: parsed, compiled and run by the local engine on a small table, its answer read by our
/// client.
///
/// The engine may refuse it, but never for a reason of its own.
enum StatementTarget {
    static func run(_ input: [UInt8]) {
        guard (try? UTF8Span(validating: input.span)) != nil, input.count <= SQLParser.maximumBytes else { return }
        _ = try? self.table.page(String(decoding: input, as: UTF8.self), maximumRows: 50)
    }

    /// A series of each type of value.
    private static let table = EngineTable([Array(Self.records.utf8)])

    private static let records = """
        {"DatabaseName": "metrics", "TableName": "prometheus",
         "CommonAttributes": {"Dimensions": [{"Name": "job", "Value": "node"}], "TimeUnit": "MILLISECONDS"},
         "Records": [
          {"Dimensions": [{"Name": "host", "Value": "a"}], "MeasureName": "cpu", "MeasureValue": "0.5", "Time": "1760000000000"},
          {"Dimensions": [{"Name": "host", "Value": "a"}], "MeasureName": "cpu", "MeasureValue": "-0.0", "Time": "1760000001000"},
          {"Dimensions": [{"Name": "host", "Value": "é%_"}], "MeasureName": "cpu", "MeasureValue": "1e300", "Time": "0"},
          {"MeasureName": "promx_special", "MeasureValue": "9218868437227405314", "MeasureValueType": "BIGINT", "Time": "1"},
          {"MeasureName": "text", "MeasureValue": "a\\u0000'b", "MeasureValueType": "VARCHAR", "Time": "2"},
          {"MeasureName": "flag", "MeasureValue": "true", "MeasureValueType": "BOOLEAN", "Time": "3"},
          {"MeasureName": "many", "MeasureValueType": "MULTI", "Time": "4", "MeasureValues": [
           {"Name": "x", "Value": "1", "Type": "BIGINT"}, {"Name": "y", "Value": "z", "Type": "VARCHAR"}]}]}
        """
}
