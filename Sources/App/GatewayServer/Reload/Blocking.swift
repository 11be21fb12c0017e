import NIOPosix

/// Work that reads files, on threads that nothing else waits for.
enum Blocking {
    static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        do {
            return try await NIOThreadPool.singleton.runIfActive { work() }
        } catch {
            preconditionFailure("the process' own thread pool never ends")
        }
    }
}
