/// The answer to `DescribeEndpoints`: an address, and how long it may be used.
struct EndpointAnswer: Equatable {
    /// Absolute URL.
    var url: String
    var validFor: Duration

    /// - Throws: `JSONFault` if the answer has no address.
    static func parse(_ body: [UInt8]) throws(JSONFault) -> EndpointAnswer {
        var reader = JSONReader(body)
        var answer: EndpointAnswer?
        var key: [UInt8] = []
        var isFirst = true
        try reader.take(UInt8(ascii: "{"))
        while try reader.nextMember(&key, &isFirst) {
            guard key.elementsEqual("Endpoints".utf8) else {
                try reader.skipValue()
                continue
            }
            var isFirstEndpoint = true
            try reader.take(UInt8(ascii: "["))
            while try reader.nextElement(&isFirstEndpoint) {
                let found = try Self.endpoint(&reader)
                // Any of several may be used; we take the first, as botocore does.
                answer = answer ?? found
            }
        }
        try reader.end()
        guard let answer else { throw JSONFault(offset: reader.position, message: "no endpoint in the answer") }
        return answer
    }

    private static func endpoint(_ reader: inout JSONReader) throws(JSONFault) -> EndpointAnswer {
        var address = ""
        var minutes = 0
        var key: [UInt8] = []
        var isFirst = true
        try reader.take(UInt8(ascii: "{"))
        while try reader.nextMember(&key, &isFirst) {
            switch String(decoding: key, as: UTF8.self) {
            case "Address": address = try reader.string()
            case "CachePeriodInMinutes": minutes = try reader.integer()
            default: try reader.skipValue()
            }
        }
        guard !address.isEmpty else { throw JSONFault(offset: reader.position, message: "an endpoint without address") }
        let url = address.hasPrefix("http://") || address.hasPrefix("https://") ? address : "https://\(address)"
        // The number is a peer's: from one minute to a week.
        return EndpointAnswer(url: url, validFor: .seconds(60 * min(max(minutes, 1), 10_080)))
    }
}
