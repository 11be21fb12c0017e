import Foundation
import Testing
import TimestreamModel

@testable import TimestreamLocal

/// A record, or the common attributes beside a good one, that must fail the whole request.
private struct Fault {
    var what: String
    /// The faulty record; the request's other record is sound.
    var record: String = Self.sound
    var common: String?
    /// Part of the message.
    var message: String

    static let sound =
        #"{"Dimensions":[{"Name":"job","Value":"b"}],"MeasureName":"up","MeasureValue":"1","Time":"2"}"#
}

private func record(
    dimensions: String = #"[{"Name":"job","Value":"b"}]"#,
    name: String? = #""up""#,
    value: String? = #""1""#,
    type: String? = nil,
    values: String? = nil,
    time: String? = #""2""#,
    more: String = ""
) -> String {
    var members = [#""Dimensions":\#(dimensions)"#]
    if let name { members.append(#""MeasureName":\#(name)"#) }
    if let value { members.append(#""MeasureValue":\#(value)"#) }
    if let type { members.append(#""MeasureValueType":"\#(type)""#) }
    if let values { members.append(#""MeasureValues":\#(values)"#) }
    if let time { members.append(#""Time":\#(time)"#) }
    if !more.isEmpty { members.append(more) }
    return "{\(members.joined(separator: ","))}"
}

private func dimension(_ name: String, _ value: String = "v") -> String {
    #"[{"Name":"\#(name)","Value":"\#(value)"}]"#
}

private func letters(_ count: Int) -> String { String(repeating: "a", count: count) }

private let member = "at 'records.2.member."

@Suite("A request with one bad record is refused as a whole")
struct RefusedRequestTests {
    private static let dimensionFaults: [Fault] = [
        Fault(what: "no dimensions", record: record(dimensions: "[]"), message: "At least one dimension is required"),
        Fault(
            what: "dimensions absent",
            record: #"{"MeasureName":"up","MeasureValue":"1","Time":"2"}"#,
            message: "At least one dimension is required"
        ),
        Fault(
            what: "empty name",
            record: record(dimensions: dimension("")),
            message: member + "dimensions.1.member.name'"
        ),
        Fault(
            what: "name of 61 bytes",
            record: record(dimensions: dimension(letters(61))),
            message: "less than or equal to 60"
        ),
        Fault(
            what: "name absent",
            record: record(dimensions: #"[{"Value":"v"}]"#),
            message: "Value null " + member + "dimensions.1.member.name'"
        ),
        Fault(
            what: "value absent",
            record: record(dimensions: #"[{"Name":"job"}]"#),
            message: "Value null " + member + "dimensions.1.member.value'"
        ),
        Fault(what: "empty value", record: record(dimensions: dimension("job", "")), message: "'job' is empty"),
        Fault(
            what: "value of 64 KiB",
            record: record(dimensions: dimension("job", letters(65536))),
            message: "'job' is too long"
        ),
        Fault(
            what: "type of value",
            record: record(dimensions: #"[{"Name":"job","Value":"v","DimensionValueType":"BIGINT"}]"#),
            message: "enum value set: [VARCHAR]"
        ),
        Fault(
            what: "twice in one record",
            record: record(
                dimensions: #"[{"Name":"a","Value":"1"},{"Name":"b","Value":"1"},{"Name":"a","Value":"2"}]"#
            ),
            message: "The dimension 'a' is there more than once"
        ),
        Fault(
            what: "129 dimensions",
            record: record(
                dimensions: "[" + (0..<129).map { #"{"Name":"d\#($0)","Value":"v"}"# }.joined(separator: ",") + "]"
            ),
            message: "less than or equal to 128"
        ),
        Fault(
            what: "the same in common attributes and record",
            common: #"{"Dimensions":[{"Name":"job","Value":"b"}]}"#,
            message: "'job' is in the record and in the common attributes"
        ),
        Fault(
            what: "twice in common attributes",
            common: #"{"Dimensions":[{"Name":"zone","Value":"1"},{"Name":"zone","Value":"1"}]}"#,
            message: "'zone' is there more than once"
        ),
    ]

    private static let nameFaults: [Fault] =
        ["1a", "_a", "a_", "a-b", "a.b", "a b", "a:b", "é", "a\\\"b", "a\\u0000b"].map {
            Fault(
                what: "dimension \($0)",
                record: record(dimensions: dimension($0)),
                message: "The dimension name is invalid."
            )
        }
        + ["time", "measure_name", "measure_name_x", "measure_value", "measure_value2", "ts_x"].flatMap { name in
            [
                Fault(
                    what: "dimension \(name)",
                    record: record(dimensions: dimension(name)),
                    message: "'\(name)' is reserved"
                ),
                Fault(what: "measure \(name)", record: record(name: "\"\(name)\""), message: "'\(name)' is reserved"),
                Fault(
                    what: "measure of MULTI \(name)",
                    record: record(
                        value: nil,
                        type: "MULTI",
                        values: #"[{"Name":"\#(name)","Value":"1","Type":"DOUBLE"}]"#
                    ),
                    message: "'\(name)' is reserved"
                ),
            ]
        }
        + [
            Fault(what: "no measure name", record: record(name: nil), message: "Measure name is required"),
            Fault(what: "empty measure name", record: record(name: "\"\""), message: member + "measureName'"),
            Fault(
                what: "measure name of 257 bytes",
                record: record(name: "\"\(letters(257))\""),
                message: "less than or equal to 256"
            ),
        ]

    private static let valueFaults: [Fault] =
        ([
            (
                "DOUBLE",
                ["NaN", "Infinity", "-Infinity", "inf", "1e999", "0x1p3", "1_0", " 1", "1 ", "1,5", ".", "e5", "1e"]
            ),
            ("BIGINT", ["None", "1.0", "1e3", "9223372036854775808", "-9223372036854775809", "-", " 1"]),
            ("BOOLEAN", ["True", "1", "yes", "FALSE"]),
        ] as [(String, [String])]).flatMap { type, texts in
            texts.map {
                Fault(
                    what: "\(type) \($0)",
                    record: record(value: "\"\($0)\"", type: type),
                    message: "Invalid value \($0) for \(type.lowercased()) measure value type."
                )
            }
        }
        + [
            Fault(what: "no value", record: record(value: nil), message: "Measure value is required"),
            Fault(what: "empty value", record: record(value: "\"\""), message: member + "measureValue'"),
            Fault(
                what: "value of 2,049 bytes",
                record: record(value: "\"\(letters(2049))\"", type: "VARCHAR"),
                message: "less than or equal to 2048"
            ),
            Fault(
                what: "TIMESTAMP alone",
                record: record(type: "TIMESTAMP"),
                message: "TIMESTAMP is an invalid measure value type"
            ),
            Fault(what: "unknown type", record: record(type: "FLOAT"), message: "Value 'FLOAT' " + member),
            Fault(what: "type in small letters", record: record(type: "double"), message: "Value 'double' " + member),
            Fault(
                what: "unknown type, common",
                common: #"{"MeasureValueType":"FLOAT"}"#,
                message: "'commonAttributes."
            ),
        ]

    private static let multiFaults: [Fault] = [
        Fault(what: "no values", record: record(value: nil, type: "MULTI"), message: "at least one measure value"),
        Fault(
            what: "an empty list",
            record: record(value: nil, type: "MULTI", values: "[]"),
            message: "at least one measure value"
        ),
        Fault(
            what: "a single value too",
            record: record(type: "MULTI", values: #"[{"Name":"a","Value":"1","Type":"DOUBLE"}]"#),
            message: "MULTI has measure values, not a measure value"
        ),
        Fault(
            what: "values without MULTI",
            record: record(values: #"[{"Name":"a","Value":"1","Type":"DOUBLE"}]"#),
            message: "only allowed in records of type MULTI"
        ),
        Fault(
            what: "MULTI inside",
            record: record(value: nil, type: "MULTI", values: #"[{"Name":"a","Value":"1","Type":"MULTI"}]"#),
            message: "MULTI is an invalid type inside"
        ),
        Fault(
            what: "no type",
            record: record(value: nil, type: "MULTI", values: #"[{"Name":"a","Value":"1"}]"#),
            message: member + "measureValues.1.member.type'"
        ),
        Fault(
            what: "the same twice",
            record: record(
                value: nil,
                type: "MULTI",
                values: #"[{"Name":"a","Value":"1","Type":"DOUBLE"},{"Name":"a","Value":"1","Type":"DOUBLE"}]"#
            ),
            message: "The measure 'a' is there more than once"
        ),
        Fault(
            what: "a measure with a dimension's name",
            record: record(value: nil, type: "MULTI", values: #"[{"Name":"job","Value":"1","Type":"DOUBLE"}]"#),
            message: "'job' is a dimension and a measure of one record"
        ),
        Fault(
            what: "NaN inside",
            record: record(value: nil, type: "MULTI", values: #"[{"Name":"a","Value":"NaN","Type":"DOUBLE"}]"#),
            message: "Invalid value NaN for double"
        ),
        Fault(
            what: "a negative timestamp inside",
            record: record(value: nil, type: "MULTI", values: #"[{"Name":"a","Value":"-1","Type":"TIMESTAMP"}]"#),
            message: "Invalid value -1 for timestamp"
        ),
        Fault(
            what: "257 measures",
            record: record(
                value: nil,
                type: "MULTI",
                values: "["
                    + (0..<257).map { #"{"Name":"m\#($0)","Value":"1","Type":"BIGINT"}"# }.joined(separator: ",") + "]"
            ),
            message: "at most 256"
        ),
    ]

    private static let timeFaults: [Fault] =
        ["", "x", "1.0", "1e3", "-1", "9223372036855", "99999999999999999999", " 1"].map {
            Fault(what: "time '\($0)'", record: record(time: "\"\($0)\""), message: "Invalid time for record.")
        }
        + [
            Fault(what: "no time", record: record(time: nil), message: "Invalid time for record."),
            Fault(
                what: "time of 257 digits",
                record: record(time: "\"\(String(repeating: "0", count: 256))1\""),
                message: "Invalid time for record."
            ),
            Fault(
                what: "seconds beyond 2262",
                record: record(time: #""9223372037""#, more: #""TimeUnit":"SECONDS""#),
                message: "Invalid time for record."
            ),
            Fault(
                what: "unknown unit",
                record: record(more: #""TimeUnit":"MINUTES""#),
                message: "Value 'MINUTES' " + member + "timeUnit'"
            ),
            Fault(
                what: "unknown unit, common, though no record uses it",
                record: record(more: #""TimeUnit":"SECONDS""#),
                common: #"{"TimeUnit":"MINUTES"}"#,
                message: "'commonAttributes.timeUnit'"
            ),
            Fault(what: "version 0", record: record(more: #""Version":0"#), message: "greater than or equal to 1"),
            Fault(what: "version -5", record: record(more: #""Version":-5"#), message: "greater than or equal to 1"),
            Fault(
                what: "version 0, common, though the record has another",
                record: record(more: #""Version":2"#),
                common: #"{"Version":0}"#,
                message: "'commonAttributes.version'"
            ),
        ]

    @Test("bad dimensions, names, values, times and versions each fail the request, and nothing of it is stored")
    func faults() async throws {
        try await withEngine { engine in
            let faults =
                Self.dimensionFaults + Self.nameFaults + Self.valueFaults + Self.multiFaults + Self.timeFaults
            for fault in faults {
                // The sound record has a dimension of its own, so that common dimensions do not meet it.
                let common = fault.common.map { ",\"CommonAttributes\":\($0)" } ?? ""
                let sound =
                    #"{"Dimensions":[{"Name":"other","Value":"a"}],"MeasureName":"up","MeasureValue":"1","Time":"1"}"#
                let answer = await engine.call(
                    "WriteRecords",
                    #"{"DatabaseName":"prom","TableName":"metrics"\#(common),"Records":[\#(sound),\#(fault.record)]}"#
                )
                #expect(answer.status == 400, "\(fault.what)")
                #expect(answer.error == "ValidationException", "\(fault.what)")
                #expect(answer.message?.contains(fault.message) == true, "\(fault.what): \(answer.message ?? "")")
            }
            #expect(await engine.query(#"SELECT count(*) FROM "prom"."metrics""#).rows == [["0"]])
            // Not even a name is left of them.
            let columns = await engine.query(#"DESCRIBE "prom"."metrics""#)
            #expect(columns.rows.map(\.first) == ["measure_name", "time"])
        }
    }

    @Test("one to a hundred records, a database and a table are needed")
    func shape() async throws {
        try await withEngine { engine in
            let sound = Fault.sound
            let cases: [(body: String, error: String, message: String)] = [
                (#"{"DatabaseName":"prom","TableName":"metrics","Records":[]}"#, "ValidationException", "at 'records'"),
                (#"{"DatabaseName":"prom","TableName":"metrics"}"#, "ValidationException", "Value null at 'records'"),
                (#"{"TableName":"metrics","Records":[\#(sound)]}"#, "ValidationException", "'databaseName'"),
                (#"{"DatabaseName":"prom","Records":[\#(sound)]}"#, "ValidationException", "'tableName'"),
                (
                    #"{"DatabaseName":"prom","TableName":"metrics","Records":[\#(Array(repeating: sound, count: 101).joined(separator: ","))]}"#,
                    "ValidationException", "less than or equal to 100"
                ),
                (
                    #"{"DatabaseName":"nope","TableName":"metrics","Records":[\#(sound)]}"#,
                    "ResourceNotFoundException", "nope"
                ),
                (
                    #"{"DatabaseName":"prom","TableName":"nope","Records":[\#(sound)]}"#, "ResourceNotFoundException",
                    "nope"
                ),
                (
                    #"{"DatabaseName":"prom","TableName":"METRICS","Records":[\#(sound)]}"#,
                    "ResourceNotFoundException", "METRICS"
                ),
                ("", "SerializationException", "an object"), ("[]", "SerializationException", "an object"),
                (#"{"DatabaseName":1}"#, "SerializationException", "a string"),
                (#"{"DatabaseName":"a","DatabaseName":"a"}"#, "SerializationException", "only once"),
                (#"{"DatabaseName":"prom"} {}"#, "SerializationException", "the end"),
                (#"{"Records":[{"Version":1.5}]}"#, "SerializationException", "whole number"),
                (#"{"Records":[{"Time":5}]}"#, "SerializationException", "a string"),
            ]
            for (body, error, message) in cases {
                let answer = await engine.call("WriteRecords", body)
                #expect(answer.error == error, "\(body.prefix(100))")
                #expect(answer.message?.contains(message) == true, "\(body.prefix(100)): \(answer.message ?? "")")
                #expect(answer.status == (error == "ResourceNotFoundException" ? 404 : 400))
            }
            #expect(await engine.query(#"SELECT count(*) FROM "prom"."metrics""#).rows == [["0"]])
            let hundred = Array(repeating: sound, count: 100).joined(separator: ",")
            let most = await engine.call(
                "WriteRecords",
                #"{"DatabaseName":"prom","TableName":"metrics","Records":[\#(hundred)],"Unknown":{"a":[null]}}"#
            )
            #expect(most.status == 200)
        }
    }

    @Test("a body over the limit is refused, and a message repeats no more than a little of what was sent")
    func sizes() async throws {
        try await withEngine { engine in
            let long = letters(3 << 20)
            let answer = await engine.call("CreateDatabase", #"{"DatabaseName":"\#(long)"}"#)
            #expect(answer.error == "ValidationException")
            #expect(answer.body.count < 8192)
            let tooLarge = await engine.call("WriteRecords", bytes: Array(repeating: 0x20, count: (4 << 20) + 1))
            #expect(tooLarge.status == 413)
        }
    }
}
