import TimestreamModel

/// What Timestream's refusal of a statement says about the table, as far as its words tell.
///
/// Query has no error codes of its own for these: all are ValidationExceptions, told apart by their text.
/// - Source: texts that the service was seen to send, such as `line 1:76: Column 'x' does not exist`.
enum QueryRefusal: Equatable {
    case missingColumn([UInt8])
    /// The table or the database is not there.
    case missingTable
    /// The statement, for some other reason: syntax, a pattern, resources.
    case statement

    /// - Returns: nil if the error is not about the statement.
    init?(_ error: TimestreamError) {
        switch error.code {
        case .validation:
            let message = Array(error.message.utf8)
            if let column = Self.between("Column '", "' does not exist", in: message) {
                self = .missingColumn(column)
            } else if Self.between("The table '", "' does not exist in database", in: message) != nil
                || Self.between("Requested database '", "' not found", in: message) != nil
            {
                self = .missingTable
            } else {
                self = .statement
            }
        case .queryExecution:
            self = .statement
        default:
            return nil
        }
    }

    /// What stands between the first `opening` and the last `closing`: a name may hold quotes itself.
    private static func between(_ opening: String, _ closing: String, in message: [UInt8]) -> [UInt8]? {
        let opening = Array(opening.utf8)
        let closing = Array(closing.utf8)
        guard let start = message.firstRange(of: opening)?.upperBound,
            let end = message[start...].lastRange(of: closing)
        else { return nil }
        return Array(message[start..<end])
    }
}

extension Collection where Element == UInt8, Index == Int {
    /// The start of the last place where `other` stands.
    fileprivate func lastRange(of other: [UInt8]) -> Int? {
        guard self.count >= other.count else { return nil }
        var start = self.endIndex - other.count
        while start >= self.startIndex {
            if self[start..<start + other.count].elementsEqual(other) { return start }
            start -= 1
        }
        return nil
    }
}
