package import Foundation

/// What a program wrote, and how it ended.
package struct ProgramResult: Sendable {
    /// The exit status, or the negative number of the signal that ended it.
    package var status: Int32
    package var output: String
    package var errors: String
}

/// Runs a program to its end, or to the time-out.
///
/// The program begins with no signal blocked or ignored: the pool's threads block most signals, and a child that inherits
/// that cannot be told to end.
package func run(
    _ program: String,
    _ arguments: [String],
    input: String? = nil,
    timeout: TimeInterval = 20
) async throws -> ProgramResult {
    try await blocking {
        let running = try RunningProgram(program, arguments)
        return try running.finish(input: Array((input ?? "").utf8), deadline: Date(timeIntervalSinceNow: timeout))
    }
}

/// A child process whose standard streams are pipes of ours.
private struct RunningProgram {
    private let id: pid_t
    private let input: Int32
    private let output: Int32
    private let errors: Int32

    init(_ program: String, _ arguments: [String]) throws {
        let (inputEnd, input) = try Self.pipe()
        let (output, outputEnd) = try Self.pipe()
        let (errors, errorsEnd) = try Self.pipe()
        defer { for end in [inputEnd, outputEnd, errorsEnd] { close(end) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, inputEnd, 0)
        posix_spawn_file_actions_adddup2(&actions, outputEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, errorsEnd, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
        var id: pid_t = 0
        let status = Self.withStrings([program] + arguments) { arguments in
            Self.withStrings(environment) { posix_spawnp(&id, program, &actions, &attributes, arguments, $0) }
        }
        guard status == 0 else {
            for end in [input, output, errors] { close(end) }
            throw TestSupportError("\(program) does not start: \(String(cString: strerror(status)))")
        }
        (self.id, self.input, self.output, self.errors) = (id, input, output, errors)
    }

    /// Feeds it, reads what it writes, and waits for its end; kills it at the deadline.
    func finish(input: [UInt8], deadline: Date) throws -> ProgramResult {
        var rest = input[...]
        var texts: [Int32: [UInt8]] = [:]
        var open = Set([self.input, self.output, self.errors])
        defer { for descriptor in open { close(descriptor) } }
        if rest.isEmpty, open.remove(self.input) != nil { close(self.input) }
        while open.contains(self.output) || open.contains(self.errors), deadline.timeIntervalSinceNow > 0 {
            var polled = open.map { pollfd(fd: $0, events: Int16($0 == self.input ? POLLOUT : POLLIN), revents: 0) }
            poll(&polled, nfds_t(polled.count), Int32(max(1, deadline.timeIntervalSinceNow * 1000)))
            for item in polled where item.revents != 0 {
                let isDone: Bool
                if item.fd == self.input {
                    let count = rest.withUnsafeBytes { write(item.fd, $0.baseAddress, $0.count) }
                    rest = rest.dropFirst(max(count, 0))
                    isDone = rest.isEmpty || (count < 0 && errno != EAGAIN)
                } else {
                    var buffer = [UInt8](repeating: 0, count: 65536)
                    let count = read(item.fd, &buffer, buffer.count)
                    texts[item.fd, default: []] += buffer.prefix(max(count, 0))
                    isDone = count <= 0
                }
                guard isDone else { continue }
                open.remove(item.fd)
                close(item.fd)
            }
        }
        return ProgramResult(
            status: self.wait(deadline),
            output: String(decoding: texts[self.output] ?? [], as: UTF8.self),
            errors: String(decoding: texts[self.errors] ?? [], as: UTF8.self)
        )
    }

    private func wait(_ deadline: Date) -> Int32 {
        var status: Int32 = 0
        while waitpid(self.id, &status, WNOHANG) == 0 {
            if deadline.timeIntervalSinceNow < 0 {
                kill(self.id, SIGKILL)
                waitpid(self.id, &status, 0)
                break
            }
            Thread.sleep(forTimeInterval: 0.002)
        }
        return status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F)
    }

    /// - Returns: the end to read from, and the end to write to.
    private static func pipe() throws -> (Int32, Int32) {
        // A program that ends without reading its input must not end the tests.
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw TestSupportError("no pipe: \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    private static func withStrings<Result>(
        _ strings: [String],
        _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
    ) rethrows -> Result {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return try body(copies + [nil])
    }
}
