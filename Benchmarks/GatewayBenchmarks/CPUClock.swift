import Glibc

/// CPU time that has been used, user and system.
enum CPUClock {
    case thread, process

    var nanoseconds: Int {
        var time = timespec()
        clock_gettime(self == .thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// CPU nanoseconds of this thread per unit of work: the median of nine rounds after one to warm up.
    static func nanoseconds(per units: Int, _ work: () throws -> Void) rethrows -> Int {
        try work()
        var times: [Int] = []
        for _ in 0..<9 {
            let start = Self.thread.nanoseconds
            try work()
            times.append(Self.thread.nanoseconds - start)
        }
        return times.sorted()[4] / units
    }
}
