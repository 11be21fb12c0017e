import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Sees to it that memory which was freed goes back to the system.
///
/// glibc keeps what threads have freed for each of them apart, so that what a few large requests took once is still resident
/// when the next ones, on other threads, take theirs: the process would hold a multiple of what is in flight.
package enum FreedMemory {
    /// Leases of less leave nothing that is worth it.
    static let leastBytes = 8 << 20
    private static let isAwaited = Atomic<Bool>(false)

    /// Lets a thread keep less for itself: no more heaps than processors, and what is very large stands in none of them.
    /// Before there are many threads.
    package static func boundWhatIsKept() {
        // As <malloc.h> has them.
        let (mmapThreshold, arenaMax): (CInt, CInt) = (-3, -8)
        typealias Function = @convention(c) (CInt, CInt) -> CInt
        guard let symbol = unsafe self.symbol("mallopt") else { return }
        let mallopt = unsafe unsafeBitCast(symbol, to: Function.self)
        _ = mallopt(arenaMax, CInt(clamping: max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        _ = mallopt(mmapThreshold, 4 << 20)
    }

    /// Gives back what is free a moment from now, when the request that ends has let go of its last; several requests share
    /// one time.
    static func giveBackSoon() {
        guard self.isAwaited.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else {
            return
        }
        Task.detached(priority: .utility) {
            try? await Task.sleep(for: .milliseconds(500))
            self.isAwaited.store(false, ordering: .relaxed)
            self.giveBack()
        }
    }

    private static func giveBack() {
        typealias Function = @convention(c) (Int) -> CInt
        guard let symbol = unsafe self.symbol("malloc_trim") else { return }
        let trim = unsafe unsafeBitCast(symbol, to: Function.self)
        _ = trim(0)
    }

    /// A function of glibc's <malloc.h>, which Swift's module of it lacks; absent with another C library.
    ///
    /// Safe because: both functions may be called at any time, from any thread, and their types are those of the header.
    private static func symbol(_ name: String) -> UnsafeMutableRawPointer? {
        #if canImport(Glibc)
            unsafe dlsym(nil, name)
        #else
            nil
        #endif
    }
}
