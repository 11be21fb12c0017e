import Common
import Glibc
package import UpstreamHTTP

/// What providers look at and whom they ask, for one tenant.
package struct CredentialSurroundings: Sendable {
    /// The process' environment, as it was at the start.
    package var environment: [String: String]
    /// The tenant's region: where its roles are assumed.
    package var region: String
    /// What assumed roles' sessions are called where nothing else is said.
    package var sessionName: String
    package var sts: SecurityTokenService
    /// For metadata services on this host or link; must not use a proxy.
    package var metadata: UpstreamClient
    /// Of the instance metadata service, instead of the one that the environment names, or the usual one.
    package var metadataEndpoint: String?
    /// Where the container's relative address starts.
    var containerEndpoint = "http://169.254.170.2"
    /// Stretches the short time-outs of metadata services, for machines that have more to do.
    var timeoutFactor = 1

    package init(
        environment: [String: String],
        region: String,
        sessionName: String,
        sts: SecurityTokenService,
        metadata: UpstreamClient,
        metadataEndpoint: String? = nil
    ) {
        self.environment = environment
        self.region = region
        self.sessionName = sessionName
        self.sts = sts
        self.metadata = metadata
        self.metadataEndpoint = metadataEndpoint
    }

    /// A variable; `nil` if it is not set, or empty.
    func variable(_ name: String) -> String? {
        self.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    func isSet(_ name: String) -> Bool {
        self.variable(name)?.lowercased() == "true"
    }

    /// Puts the home folder in place of `~` at the front.
    func path(_ text: String) -> String? {
        guard text == "~" || text.hasPrefix("~/") else { return text }
        guard let home = self.variable("HOME") else { return nil }
        return home + text.dropFirst()
    }
}

/// Work that blocks, on a thread of its own.
enum BlockingWork {
    static func run<Success: Sendable>(
        _ work: @escaping @Sendable () -> Result<Success, CredentialError>
    ) async -> Result<Success, CredentialError> {
        await withCheckedContinuation { waiter in
            if !WorkerThread.start({ waiter.resume(returning: work()) }) {
                waiter.resume(returning: .failure(CredentialError(.unreachable, "the system gives no thread")))
            }
        }
    }
}

/// Files of credentials and tokens: small, and read anew each time, since others replace them.
enum SmallFile {
    static let limitBytes = 1 << 20

    /// The bytes of a file; `nil` if there is none.
    static func read(_ path: String) async throws(CredentialError) -> [UInt8]? {
        try await BlockingWork.run { Self.readHere(path) }.get()
    }

    /// The text of a file that has to be there, without the line end it may have.
    ///
    /// - Parameter what: as a noun, for messages.
    static func token(_ path: String, _ what: String) async throws(CredentialError) -> String {
        guard let bytes = try await Self.read(path) else {
            throw CredentialError(.misconfigured, "\(what) \(path) does not exist")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CredentialError(.misconfigured, "\(what) \(path) is not UTF-8")
        }
        let trimmed = trimmingBlanks(text)
        guard !trimmed.isEmpty else { throw CredentialError(.misconfigured, "\(what) \(path) is empty") }
        guard trimmed.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F || $0 == 0x20 }) else {
            throw CredentialError(.misconfigured, "\(what) \(path) holds more than one line of ASCII")
        }
        return trimmed
    }

    private static func readHere(_ path: String) -> Result<[UInt8]?, CredentialError> {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return .success(nil) }
            return .failure(Self.fault(path, errno))
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return .failure(Self.fault(path, errno)) }
            guard count > 0 else { return .success(bytes) }
            bytes += chunk[..<count]
            guard bytes.count <= Self.limitBytes else {
                return .failure(CredentialError(.misconfigured, "\(path) is larger than \(Self.limitBytes) bytes"))
            }
        }
    }

    private static func fault(_ path: String, _ code: Int32) -> CredentialError {
        CredentialError(.misconfigured, "cannot read \(path): \(unsafe String(cString: strerror(code)))")
    }
}

/// The text without blanks and line ends around it.
func trimmingBlanks(_ text: some StringProtocol) -> String {
    func isBlank(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || ("\u{09}"..."\u{0D}").contains(scalar) }
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isBlank($0) }), let last = scalars.lastIndex(where: { !isBlank($0) })
    else { return "" }
    return String(String.UnicodeScalarView(scalars[first...last]))
}
