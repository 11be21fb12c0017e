import Dispatch

/// Runs blocking test code (sockets, processes) off the cooperative pool, which has few threads.
package func blocking<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { waiter in
        DispatchQueue.global().async {
            waiter.resume(with: Swift.Result { try work() })
        }
    }
}
