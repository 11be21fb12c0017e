#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A value that one thread at a time may look at, by a POSIX mutex.
///
/// Used like `Synchronization.Mutex`, which on Linux waits inside its own library, where the thread sanitizer cannot see
/// it: whoever had to wait for one is reported as racing. Held only for short decisions: no `await`, no callback and no
/// logging inside.
@safe package final class Locked<Value: ~Copyable>: @unchecked Sendable {
    // Safe because: both are allocated by `init` and freed by `deinit` only; the value is touched only with the mutex
    // held, and enters and leaves it only by `sending`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    package init(_ value: consuming sending Value) {
        unsafe self.mutex = .allocate(capacity: 1)
        unsafe self.mutex.initialize(to: pthread_mutex_t())
        unsafe self.value = .allocate(capacity: 1)
        unsafe self.value.initialize(to: value)
        let status = unsafe pthread_mutex_init(self.mutex, nil)
        precondition(status == 0, "no mutex to be had: error \(status)")
    }

    deinit {
        unsafe pthread_mutex_destroy(self.mutex)
        unsafe self.mutex.deallocate()
        unsafe self.value.deinitialize(count: 1)
        unsafe self.value.deallocate()
    }

    /// Runs `body` with the value, while nobody else can. Must not be called inside `body` on the same object.
    package func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        let status = unsafe pthread_mutex_lock(self.mutex)
        precondition(status == 0, "the mutex cannot be locked: error \(status)")
        defer { unsafe pthread_mutex_unlock(self.mutex) }
        return try unsafe body(&self.value.pointee)
    }
}
