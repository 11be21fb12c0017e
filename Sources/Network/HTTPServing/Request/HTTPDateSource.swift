import Common

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The `Date` field's value, made once a second.
///
/// - Source: RFC 9110, section 5.6.7 (IMF-fixdate), section 6.6.1.
final class HTTPDateSource: Sendable {
    private let cached = Locked<(second: Int, text: String)>((.min, ""))

    func now() -> String {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        let second = time.tv_sec
        return self.cached.withLock { cached in
            if cached.second != second { cached = (second, Self.text(second)) }
            return cached.text
        }
    }

    /// - Parameter seconds: since 1970-01-01 UTC.
    static func text(_ seconds: Int) -> String {
        var parts = unsafe tm()
        var seconds = time_t(seconds)
        unsafe gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let day = unsafe "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)])"
        let time = unsafe "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return unsafe "\(day) \(parts.tm_year + 1900) \(time) GMT"
    }
}
