import Glibc

/// A thread of its own for work that blocks, outside the event loops and the shared pool.
package enum WorkerThread {
    private final class Work: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs the work on a new detached thread that ends with it.
    ///
    /// - Returns: `false` if the system gives no thread; the work is then not run.
    package static func start(_ work: @escaping @Sendable () -> Void) -> Bool {
        let retained = unsafe Unmanaged.passRetained(Work(work))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
                return nil
            },
            unsafe retained.toOpaque()
        )
        guard status == 0 else {
            unsafe retained.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
