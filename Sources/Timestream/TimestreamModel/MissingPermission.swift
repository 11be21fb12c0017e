/// What an IAM policy does not allow, read from the words of an access-denied error.
///
/// The words are observed: `User: ARN is not authorized to perform: ACTION [on resource: ARN] [because no
/// identity-based policy allows the ACTION action | with an explicit deny in …]`.
package struct MissingPermission: Sendable, Equatable {
    /// Such as `timestream:WriteRecords`.
    package var action: String
    /// An ARN; `nil` if the service does not tell it.
    package var resource: String?
    /// Whether a policy forbids it, so that allowing it elsewhere does not help.
    package var isExplicitlyDenied: Bool

    /// - Returns: `nil` if the words are others.
    package init?(message: String) {
        guard let action = Self.word(after: "to perform: ", in: message), Self.isAction(action) else { return nil }
        self.action = action
        self.resource = Self.word(after: "on resource: ", in: message).flatMap { $0.hasPrefix("arn:") ? $0 : nil }
        self.isExplicitlyDenied = message.contains("explicit deny")
    }

    /// What an operator does about it.
    package var remedy: String {
        if self.isExplicitlyDenied { return "a policy denies \(self.action): remove that statement" }
        // The operation has no resource: a statement that names a table never matches it.
        let isForAll = self.action == "timestream:DescribeEndpoints"
        let resource = isForAll ? "*" : self.resource ?? "the table's ARN"
        let statement = #"{"Effect": "Allow", "Action": "\#(self.action)", "Resource": "\#(resource)"}"#
        return "add to the policy of the tenant's credentials: \(statement)"
    }

    private static func word(after marker: String, in message: String) -> String? {
        let bytes = Array(message.utf8)
        let marker = Array(marker.utf8)
        guard let start = bytes.firstRange(of: marker)?.upperBound else { return nil }
        var word = bytes[start...].prefix { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") && $0 != 0x5C }
        while let last = word.last, ".,;".utf8.contains(last) { word.removeLast() }
        return word.isEmpty || word.count > 512 ? nil : String(decoding: word, as: UTF8.self)
    }

    private static func isAction(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        return parts.count == 2
            && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == UInt8(ascii: "-") }
            }
    }
}

extension TimestreamError {
    /// Whether the service says that it takes no new customers, and that this account is none of the old ones.
    ///
    /// Source: Timestream developer guide, "Amazon Timestream for LiveAnalytics availability change" (20 June 2025). The
    /// text is not documented; public reports have `Only existing Timestream for LiveAnalytics customers can access the
    /// service.`
    package var isClosedToNewCustomers: Bool {
        guard self.code == .accessDenied else { return false }
        let text = self.message.lowercased()
        return text.contains("new customers") || text.contains("only existing") && text.contains("customers")
    }
}
