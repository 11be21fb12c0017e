import Common

/// A body that came with its event.
struct EventBody: IncomingBody {
    let bytes: [UInt8]

    var declaredLength: Int? { self.bytes.count }

    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8] {
        guard self.bytes.count <= limitBytes else {
            throw .tooLarge(limitBytes: limitBytes, declared: self.bytes.count)
        }
        return self.bytes
    }
}
