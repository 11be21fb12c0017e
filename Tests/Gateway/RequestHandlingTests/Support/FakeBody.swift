import Common

/// A request body that keeps count of who asked for it.
final class FakeBody: IncomingBody {
    let declaredLength: Int?
    private let result: Result<[UInt8], IncomingBodyError>
    private let limits = Locked<[Int]>([])
    private let onCollect: @Sendable () async -> Void

    /// - Parameter declared: the `Content-Length`; by default the true one.
    init(
        _ bytes: [UInt8],
        declared: Int?? = .none,
        onCollect: @escaping @Sendable () async -> Void = {}
    ) {
        self.result = .success(bytes)
        self.declaredLength = declared ?? bytes.count
        self.onCollect = onCollect
    }

    init(failing error: IncomingBodyError, declared: Int? = nil) {
        self.result = .failure(error)
        self.declaredLength = declared
        self.onCollect = {}
    }

    /// The limit of each time the body was asked for.
    var collections: [Int] { self.limits.withLock { $0 } }

    func collect(limitBytes: Int) async throws(IncomingBodyError) -> [UInt8] {
        self.limits.withLock { $0.append(limitBytes) }
        await self.onCollect()
        let bytes = try self.result.get()
        guard bytes.count <= limitBytes else { throw .tooLarge(limitBytes: limitBytes, declared: self.declaredLength) }
        return bytes
    }
}
