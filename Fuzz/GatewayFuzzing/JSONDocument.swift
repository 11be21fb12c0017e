import Foundation

/// JSON as a reader that is not ours sees it.
enum JSONDocument {
    /// - Returns: nil if Foundation does not take the bytes for one JSON object.
    static func object(_ bytes: [UInt8]) -> [String: Any]? {
        guard (try? UTF8Span(validating: bytes.span)) != nil else { return nil }
        return try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    }
}
