import Common

/// The bodies of the calls we build ourselves; those of `WriteRecords` come from the translator.
enum RequestBody {
    static func query(_ statement: String, clientToken: String, nextToken: String?) -> FrozenBytes {
        self.object(
            [("QueryString", statement), ("ClientToken", clientToken)] + (nextToken.map { [("NextToken", $0)] } ?? [])
        )
    }

    static func cancelQuery(id: String) -> FrozenBytes {
        self.object([("QueryId", id)])
    }

    static let describeEndpoints = FrozenBytes(Array("{}".utf8))

    /// A random UUID, version 4, for `ClientToken`.
    static func makeClientToken() -> String {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return [bytes[0..<4], bytes[4..<6], bytes[6..<8], bytes[8..<10], bytes[10..<16]]
            .map { hexadecimal(Array($0)) }.joined(separator: "-")
    }

    private static func object(_ members: [(name: String, text: String)]) -> FrozenBytes {
        var json: [UInt8] = [UInt8(ascii: "{")]
        for (index, member) in members.enumerated() {
            if index > 0 { json.append(UInt8(ascii: ",")) }
            JSONText.append(member.name, to: &json)
            json.append(UInt8(ascii: ":"))
            JSONText.append(member.text, to: &json)
        }
        json.append(UInt8(ascii: "}"))
        return FrozenBytes(json)
    }
}
