import Glibc

/// Time that only moves forward, for deadlines and durations.
enum MonotonicTime {
    static func nanoseconds() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}

/// The time of day, for what is stored and shown.
enum WallTime {
    static func nanoseconds() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }

    static func milliseconds() -> Int64 { Self.nanoseconds() / 1_000_000 }
    static func seconds() -> Int64 { Self.nanoseconds() / 1_000_000_000 }
}
