import CLinux
import Glibc

/// Keeps the process' memory, which holds private keys, AWS keys and what callers send, out of core dumps.
enum CoreDumps {
    /// Called before anything secret is read; holds until the process ends, and not for programs that it starts.
    ///
    /// A limit of zero alone would not do: it stops the kernel from writing a file, but a `core_pattern` that is a pipe or
    /// a socket (systemd-coredump, apport) gets the whole memory whatever the limit is. A process that is not dumpable
    /// leaves nothing on any of these ways. The price: what tells of its inside under `/proc/PID` (`environ`, `mem`,
    /// `maps`, `fd`) belongs to root then, so profilers and debuggers need root too; `status`, `stat` and `limits` are
    /// read by everybody as before. Other processes of the gateway's user shall not read keys there, so there is no
    /// switch for it. The limit is set all the same: it is what an operator can see in `/proc/PID/limits`, and what
    /// programs that the gateway starts (`credential_process`) inherit.
    static func forbid() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        let isLimited = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none) == 0
        if clinux_forbid_dumps() != 0 || !isLimited {
            standardError("warning: core dumps cannot be turned off: \(unsafe String(cString: strerror(errno)))")
        }
    }
}
