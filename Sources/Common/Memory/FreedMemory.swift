import CLinux
import Glibc
import Synchronization

/// Sees to it that memory which was freed goes back to the system.
///
/// glibc keeps what threads have freed for each of them apart, so that what a few large requests took once is still resident
/// when the next ones, on other threads, take theirs: the process would hold a multiple of what is in flight.
package enum FreedMemory {
    /// Leases of less leave nothing that is worth it.
    package static let leastBytes = 8 << 20
    private static let isAwaited = Atomic<Bool>(false)

    /// Lets a thread keep less for itself: no more heaps than processors, and what is very large stands in none of them.
    /// Before there are many threads.
    package static func boundWhatIsKept() {
        _ = mallopt(M_ARENA_MAX, CInt(clamping: max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
        _ = mallopt(M_MMAP_THRESHOLD, 4 << 20)
    }

    /// Gives back what is free a moment from now, when the request that ends has let go of its last; several requests share
    /// one time.
    package static func giveBackSoon() {
        guard self.isAwaited.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else {
            return
        }
        // A thread of its own: it waits, and with many heaps the call takes its time.
        let isStarted = WorkerThread.start {
            usleep(500_000)
            self.isAwaited.store(false, ordering: .relaxed)
            malloc_trim(0)
        }
        if !isStarted { self.isAwaited.store(false, ordering: .relaxed) }
    }
}
