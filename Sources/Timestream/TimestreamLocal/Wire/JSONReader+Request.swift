import Common

extension JSONReader {
    /// Reads a request's body; every fault is a `SerializationException`, as at the service.
    static func request<Value>(
        _ body: [UInt8],
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(ServiceError) -> Value {
        do throws(JSONError) {
            var reader = try JSONReader(body)
            return try read(&reader)
        } catch {
            throw ServiceError(
                .serialization,
                "The request body is not the JSON expected: no \(error.expected) at byte \(error.offset)."
            )
        }
    }
}
