#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How many files and sockets the process may have open.
///
/// Peers open connections, and a process that has none left cannot call the store, nor read a renewed certificate: so the
/// listener gets what is left when everything else has its own.
enum OpenFiles {
    /// What calls to the store, the admin listener, files and the process itself may need.
    private static let kept = 1024

    /// Raises the limit of this process as far as connections need it and the system allows it; few systems start a process
    /// with more than 1024.
    ///
    /// - Parameter connections: how many the listener is to take.
    /// - Returns: how many it can take; three quarters of the limit at least.
    static func makeRoom(for connections: Int) -> Int {
        var limits = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(kind, &limits) == 0 else { return connections }
        let wanted = rlim_t(connections + Self.kept)
        if limits.rlim_cur < wanted {
            var raised = limits
            raised.rlim_cur = min(wanted, limits.rlim_max)
            if unsafe setrlimit(kind, &raised) == 0 { limits = raised }
        }
        return self.room(limit: Int(clamping: limits.rlim_cur), for: connections)
    }

    /// What is left of a limit for connections.
    static func room(limit: Int, for connections: Int) -> Int {
        min(connections, max(1, limit - min(Self.kept, limit / 4)))
    }
}
