import FoundationEssentials
import Glibc
import Logging

/// Tells systemd what the process is about: one datagram a change, to the socket that the environment names.
///
/// - Source: sd_notify(3), systemd.service(5) "Type=".
struct ServiceManager: Sendable {
    enum Change {
        /// Everything is open, or a reload is over; `status` is what `systemctl status` shows.
        case ready(status: String)
        case reloading
        /// The end is near, and takes this long at most.
        case stopping(within: Duration)
    }

    /// The bytes of the socket's name as the kernel has them; absent: nobody wants to know.
    private let name: [UInt8]?
    private let logger: Logger

    init(logger: Logger) {
        self.name = Self.socketName(ProcessInfo.processInfo.environment["NOTIFY_SOCKET"] ?? "")
        self.logger = logger
    }

    /// A path, or a name beside the file system, which is written with an `@` and begins with NUL. Other kinds (`vsock:`) are
    /// for whole machines.
    private static func socketName(_ variable: String) -> [UInt8]? {
        switch variable.utf8.first {
        case UInt8(ascii: "/"): Array(variable.utf8)
        case UInt8(ascii: "@"): [0] + variable.utf8.dropFirst()
        default: nil
        }
    }

    /// Never fails: a service manager that cannot be told is no reason not to serve.
    func tell(_ change: Change) {
        guard let name else { return }
        let failure = Self.send(Self.message(change), to: name)
        guard failure != 0 else { return }
        self.logger.warning("the service manager could not be told", metadata: ["errno": .stringConvertible(failure)])
    }

    private static func message(_ change: Change) -> String {
        switch change {
        case .ready(let status): return "READY=1\nSTATUS=\(status)"
        case .reloading:
            var now = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &now)
            return "RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)\nSTATUS=reloading"
        case .stopping(let limit):
            return "STOPPING=1\nEXTEND_TIMEOUT_USEC=\(limit.components.seconds * 1_000_000)\nSTATUS=draining"
        }
    }

    /// - Returns: the error's number, or 0.
    private static func send(_ text: String, to name: [UInt8]) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard name.count <= MemoryLayout.size(ofValue: address.sun_path) else { return ENAMETOOLONG }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: name) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)

        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        // Not waiting: a service manager that does not read is no reason not to serve.
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        let sent = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe sendto(descriptor, bytes, bytes.count, flags, generic, length)
            }
        }
        return sent == bytes.count ? 0 : errno
    }
}
