import Common

/// The calls that the AWS connector's way of writing makes of the same samples: 100 records a call in the order in which
/// the samples came, each record with its metric name, its time and all its dimensions; nothing in common.
///
/// The bodies are written with the same JSON spelling as ours, without a blank, and floats as the standard library writes
/// them.
enum ConnectorLayout {
    static func bodies(_ series: [Series]) -> [[UInt8]] {
        var records: [[UInt8]] = []
        for one in series {
            for sample in one.samples where sample.value.isFinite {
                records.append(Self.record(one.labels, sample))
            }
        }
        return stride(from: 0, to: records.count, by: 100).map { start in
            var body = Array(#"{"DatabaseName":"metrics","TableName":"prometheus","Records":["#.utf8)
            body += records[start..<min(start + 100, records.count)].joined(separator: [UInt8(ascii: ",")])
            body += Array("]}".utf8)
            return body
        }
    }

    private static func record(
        _ labels: [(name: String, value: String)],
        _ sample: (milliseconds: Int64, value: Double)
    ) -> [UInt8] {
        var record = Array(#"{"Dimensions":["#.utf8)
        var measureName = ""
        var isFirst = true
        for (name, value) in labels {
            guard name != "__name__" else {
                measureName = value
                continue
            }
            if !isFirst { record.append(UInt8(ascii: ",")) }
            isFirst = false
            record += Array(#"{"Name":"#.utf8)
            JSONText.append(name, to: &record)
            record += Array(#","Value":"#.utf8)
            JSONText.append(value, to: &record)
            record.append(UInt8(ascii: "}"))
        }
        record += Array(#"],"MeasureName":"#.utf8)
        JSONText.append(measureName, to: &record)
        record += Array(#","MeasureValue":"\#(sample.value)","MeasureValueType":"DOUBLE""#.utf8)
        record += Array(#","Time":"\#(sample.milliseconds)","TimeUnit":"MILLISECONDS"}"#.utf8)
        return record
    }
}
