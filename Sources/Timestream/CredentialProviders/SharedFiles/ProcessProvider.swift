import Common
import Glibc
import Synchronization

/// Runs the operator's command and takes the credentials that it prints.
///
/// The command is split as by a shell but no shell is run; it gets the gateway's environment, no input, and its own process
/// group, which is ended as a whole at the deadline. Its error output is the operator's: it goes where ours goes.
///
/// Source: AWS CLI user guide, "Sourcing credentials with an external process".
struct ProcessProvider: CredentialProvider {
    private static let timeout: Duration = .seconds(20)
    private static let limitBytes = 64 << 10

    let command: String
    let profile: String
    let environment: [String: String]

    func fetch(deadline: ContinuousClock.Instant) async throws(CredentialError) -> Credentials {
        let what = "the credential_process of the profile \"\(oneLine(self.profile, limitBytes: 80))\""
        guard let words = ShellWords.split(self.command), !words.isEmpty else {
            throw CredentialError(.misconfigured, "\(what) has a quote without an end, or no words")
        }
        let limit = min(deadline, .now + Self.timeout)
        let cancel = Cancellation()
        let variables = self.environment.map { "\($0.key)=\($0.value)" }
        let result = await withTaskCancellationHandler {
            await BlockingWork.run {
                Result { () throws(CredentialError) in
                    let child = try ChildProcess(words, variables, what)
                    return try child.output(limitBytes: Self.limitBytes, deadline: limit, cancel, what)
                }
            }
        } onCancel: {
            cancel.flag.store(true, ordering: .relaxed)
        }
        let output = try result.get()
        let answer = "the output of \(what)"
        let document = try CredentialDocument(output, from: answer)
        guard document.version == 1 else {
            throw CredentialError(.malformed, "\(answer) has another Version than 1")
        }
        return try document.credentials(.process, isTemporary: false, from: answer)
    }
}

private final class Cancellation: Sendable {
    let flag = Atomic<Bool>(false)
}

/// A child with its output on a pipe. Blocks, so it is used on a thread of its own.
private struct ChildProcess {
    private let pid: pid_t
    private let output: Int32

    init(_ words: [String], _ variables: [String], _ what: String) throws(CredentialError) {
        (self.pid, self.output) = try Self.starting.withLock { (_) throws(CredentialError) in
            try Self.start(words, variables, what)
        }
    }

    /// Held while a pipe's ends could leak into another child, which would keep this one's output from ending.
    private static let starting = Locked(())

    private static func start(
        _ words: [String],
        _ variables: [String],
        _ what: String
    ) throws(CredentialError) -> (pid_t, Int32) {
        var pipe: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&pipe) == 0 else { throw Self.fault(what, errno) }
        defer { close(pipe[1]) }
        for end in pipe { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }

        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, pipe[1], 1)
        // Connections are not closed on execution by themselves, and are nothing that the child should hold open.
        for descriptor in Self.descriptorsToClose { unsafe posix_spawn_file_actions_addclose(&actions, descriptor) }

        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))

        var pid: pid_t = 0
        let arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        let environment = unsafe variables.map { unsafe strdup($0) } + [nil]
        defer {
            for index in unsafe arguments.indices { unsafe free(arguments[index]) }
            for index in unsafe environment.indices { unsafe free(environment[index]) }
        }
        let status = unsafe posix_spawnp(&pid, words[0], &actions, &attributes, arguments, environment)
        guard status == 0 else {
            close(pipe[0])
            throw Self.fault(what, status)
        }
        return (pid, pipe[0])
    }

    /// From 3 to beyond the highest that is open, since more are opened meanwhile; closing one that is not is no error.
    private static var descriptorsToClose: ClosedRange<Int32> {
        var limits = rlimit()
        let limit = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 ? limits.rlim_cur : 1024
        var highest: Int32 = 3
        if let folder = unsafe opendir("/proc/self/fd") {
            defer { unsafe closedir(folder) }
            while let entry = unsafe readdir(folder) {
                let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                    unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
                }
                highest = max(highest, Int32(name) ?? 0)
            }
        }
        return 3...max(3, min(highest + 256, Int32(clamping: limit) - 1))
    }

    private static func fault(_ what: String, _ code: Int32) -> CredentialError {
        CredentialError(.misconfigured, "\(what) cannot be run: \(unsafe String(cString: strerror(code)))")
    }

    /// What it prints until it ends.
    func output(
        limitBytes: Int,
        deadline: ContinuousClock.Instant,
        _ cancel: Cancellation,
        _ what: String
    ) throws(CredentialError) -> [UInt8] {
        defer { close(self.output) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        var isOpen = true
        while true {
            if cancel.flag.load(ordering: .relaxed) {
                self.end()
                throw CredentialError(.cancelled, "cancelled while \(what) ran")
            }
            guard ContinuousClock.now < deadline else {
                self.end()
                throw CredentialError(.unreachable, "\(what) did not end in time")
            }
            if isOpen {
                var poll = pollfd(fd: self.output, events: Int16(POLLIN), revents: 0)
                guard unsafe Glibc.poll(&poll, 1, 50) > 0 else { continue }
                let count = unsafe read(self.output, &chunk, chunk.count)
                if count > 0 { bytes += chunk[..<count] }
                isOpen = count > 0 || (count < 0 && errno == EINTR)
                guard bytes.count <= limitBytes else {
                    self.end()
                    throw CredentialError(.malformed, "\(what) prints more than \(limitBytes) bytes")
                }
            } else if let status = self.status() {
                guard status == 0 else { throw CredentialError(.refused, "\(what) ended with \(Self.text(status))") }
                return bytes
            } else {
                // It has closed its output, and will end at once as a rule.
                usleep(5000)
            }
        }
    }

    /// As of `waitpid`; `nil` while it runs.
    private func status() -> Int32? {
        var status: Int32 = 0
        let result = unsafe waitpid(self.pid, &status, WNOHANG)
        if result == self.pid { return status }
        return result < 0 && errno != EINTR ? -1 : nil
    }

    private func end() {
        kill(-self.pid, SIGKILL)
        var status: Int32 = 0
        while unsafe waitpid(self.pid, &status, 0) < 0, errno == EINTR {}
    }

    private static func text(_ status: Int32) -> String {
        let signal = status & 0x7F
        return signal == 0 ? "status \(status >> 8 & 0xFF)" : "signal \(signal)"
    }
}
