import CCurl
import Common
import Glibc

/// A transfer on its way to the driver.
struct QueuedTransfer: Sendable {
    var id: TransferID
    var origin: String
    var request: UpstreamRequest
    var deadline: ContinuousClock.Instant
}

/// A transfer under way: what libcurl reads from and writes to. Lives on the driver's thread.
@safe final class Transfer {
    /// Answers with a longer head are refused.
    private static let maxHeadBytes = 128 << 10
    /// What libcurl reads an absent body from: with no pointer at all it would read standard input.
    private static let emptyBody: StaticString = ""

    let queued: QueuedTransfer
    let easy: EasyHandle
    private let maxResponseBytes: Int
    private var headers: [(name: String, value: String)] = []
    private var headBytes = 0
    private var headIsComplete = false
    private var body: [UInt8] = []
    private var isTooLarge = false

    init(_ queued: QueuedTransfer, easy: EasyHandle, maxResponseBytes: Int) {
        self.queued = queued
        self.easy = easy
        self.maxResponseBytes = maxResponseBytes
    }

    /// Tells libcurl what to do.
    ///
    /// - Parameter metrics: outlives every connection that the transfer may open.
    /// - Returns: `false` if libcurl refuses something.
    func configure(_ configuration: UpstreamConfiguration, metrics: UpstreamMetrics) -> Bool {
        self.easy.reset()
        self.configureFixedPart(configuration, metrics)

        let request = self.queued.request
        self.easy.set(CURLOPT_URL, request.url)
        unsafe self.easy.set(CURLOPT_PRIVATE, pointer: UnsafeRawPointer(bitPattern: UInt(self.queued.id.number)))
        self.easy.set(CURLOPT_TIMEOUT_MS, Self.milliseconds(until: self.queued.deadline))

        switch request.method {
        case "GET" where request.body == nil: self.easy.set(CURLOPT_HTTPGET, 1)
        case "HEAD": self.easy.set(CURLOPT_NOBODY, 1)
        default:
            self.easy.set(CURLOPT_POST, 1)
            if request.method != "POST" { self.easy.set(CURLOPT_CUSTOMREQUEST, request.method) }
            self.easy.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: request.body?.count ?? 0)
            if let body = request.body, body.count > 0 {
                // `queued` keeps the bytes alive as long as this transfer.
                unsafe body.withUnsafeBytes { unsafe self.easy.set(CURLOPT_POSTFIELDS, pointer: $0.baseAddress) }
            } else {
                unsafe self.easy.set(CURLOPT_POSTFIELDS, pointer: UnsafeRawPointer(Self.emptyBody.utf8Start))
            }
        }

        var lines = request.headers.map { $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)" }
        // What libcurl would add by itself.
        for name in ["accept", "content-type", "expect", "user-agent"]
        where !request.headers.contains(where: { $0.name.lowercased() == name }) {
            lines.append("\(name):")
        }
        self.easy.setHeaderLines(lines)

        let context = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
        unsafe self.easy.set(CURLOPT_HEADERDATA, pointer: context)
        unsafe self.easy.set(CURLOPT_WRITEDATA, pointer: context)
        unsafe self.easy.set(CURLOPT_HEADERFUNCTION) { data, size, count, context in
            unsafe Transfer.receive(data, size * count, context) { unsafe $0.receiveHeaderLine($1) }
        }
        unsafe self.easy.set(CURLOPT_WRITEFUNCTION) { data, size, count, context in
            unsafe Transfer.receive(data, size * count, context) { unsafe $0.receiveBody($1) }
        }
        return self.easy.isConfigured
    }

    private func configureFixedPart(_ configuration: UpstreamConfiguration, _ metrics: UpstreamMetrics) {
        // No signals: they would arrive in a process with other threads. The driver's thread blocks SIGPIPE itself.
        self.easy.set(CURLOPT_NOSIGNAL, 1)
        self.easy.set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        self.easy.set(CURLOPT_PROTOCOLS_STR, "http,https")
        self.easy.set(CURLOPT_FOLLOWLOCATION, 0)
        self.easy.set(CURLOPT_PATH_AS_IS, 1)
        self.easy.set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        self.easy.set(CURLOPT_SSL_VERIFYPEER, 1)
        self.easy.set(CURLOPT_SSL_VERIFYHOST, 2)
        self.easy.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        self.easy.set(CURLOPT_TCP_KEEPALIVE, 1)
        self.easy.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Self.milliseconds(configuration.connectTimeout)))
        self.easy.set(CURLOPT_MAXFILESIZE_LARGE, offset: configuration.maxResponseBytes)
        // Else removing a transfer whose name is still being looked up would block the thread until the look-up ends.
        self.easy.set(CURLOPT_QUICK_EXIT, 1)

        if let path = configuration.caBundlePath {
            self.easy.set(CURLOPT_CAINFO, path)
            self.easy.set(CURLOPT_PROXY_CAINFO, path)
        }
        // The empty text also keeps libcurl from the environment's proxies.
        self.easy.set(CURLOPT_PROXY, configuration.proxy ?? "")
        self.easy.set(CURLOPT_NOPROXY, "localhost,127.0.0.1,::1,169.254.169.254,169.254.170.2")
        self.easy.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        self.easy.set(CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))

        let context = unsafe UnsafeRawPointer(Unmanaged.passUnretained(metrics).toOpaque())
        unsafe self.easy.setSocketFunctions(
            open: { context, _, address in unsafe Transfer.openSocket(context, address) },
            close: { context, descriptor in unsafe Transfer.closeSocket(context, descriptor) },
            context: context
        )
    }

    /// The result of the transfer, once libcurl has ended it.
    func result(_ code: CURLcode) -> Result<UpstreamResponse, UpstreamError> {
        if code == CURLE_OK {
            // libcurl is content with a connection that closes in the middle of the head.
            guard self.headIsComplete else {
                let message = "\(self.queued.origin): the connection closed within the head of the answer"
                return .failure(UpstreamError(.connectionLost, message: message))
            }
            return .success(UpstreamResponse(status: self.easy.status, headers: self.headers, body: self.body))
        }
        let place = "\(self.queued.origin): \(self.easy.message(for: code))"
        if self.isTooLarge || code == CURLE_FILESIZE_EXCEEDED {
            let bound = "the answer is larger than \(self.maxResponseBytes) bytes or its head than \(Self.maxHeadBytes)"
            return .failure(UpstreamError(.responseTooLarge, message: "\(self.queued.origin): \(bound)"))
        }
        return .failure(
            UpstreamError(
                result: code,
                hadConnection: self.easy.hadConnection,
                deadlinePassed: self.queued.deadline <= .now,
                message: place
            )
        )
    }

    // MARK: Called by libcurl

    private static func receive(
        _ data: UnsafeMutablePointer<CChar>?,
        _ count: Int,
        _ context: UnsafeMutableRawPointer?,
        _ body: (Transfer, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context = unsafe context else { return 0 }
        // The driver holds the transfer while libcurl may call.
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        // Any other number than `count` makes libcurl end the transfer with an error.
        return unsafe body(transfer, UnsafeRawBufferPointer(start: data, count: count)) ? count : count &+ 1
    }

    private func receiveHeaderLine(_ line: UnsafeRawBufferPointer) -> Bool {
        self.headBytes += line.count
        guard self.headBytes <= Self.maxHeadBytes else {
            self.isTooLarge = true
            return false
        }
        let line = String(decoding: unsafe Array(line), as: UTF8.self)
        let text = line.prefix { $0 != "\r\n" && $0 != "\n" && $0 != "\r" }
        if text.hasPrefix("HTTP/"), self.headIsComplete || self.headers.isEmpty {
            // The first answer, or the one after an interim answer.
            self.headers = []
            self.headIsComplete = false
        } else if text.isEmpty {
            self.headIsComplete = true
        } else if !self.headIsComplete, let colon = text.firstIndex(of: ":") {
            var value = text[text.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            while let last = value.last, last == " " || last == "\t" { value.removeLast() }
            let name = text[..<colon].lowercased()
            self.headers.append((name, String(value)))
            if name == "content-length", let length = Int(value), (0...self.maxResponseBytes).contains(length) {
                self.body.reserveCapacity(length)
            }
        }
        return true
    }

    private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= self.maxResponseBytes - self.body.count else {
            self.isTooLarge = true
            return false
        }
        unsafe self.body.append(contentsOf: bytes)
        return true
    }

    private static func openSocket(
        _ context: UnsafeMutableRawPointer?,
        _ address: UnsafeMutablePointer<curl_sockaddr>?
    ) -> curl_socket_t {
        guard let context = unsafe context, let address = unsafe address else { return -1 }
        let kind = unsafe address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = unsafe socket(address.pointee.family, kind, address.pointee.protocol)
        if descriptor >= 0 {
            let metrics = unsafe Unmanaged<UpstreamMetrics>.fromOpaque(context).takeUnretainedValue()
            metrics.connections.increment()
            metrics.connectionsOpened.increment()
        }
        return descriptor
    }

    private static func closeSocket(_ context: UnsafeMutableRawPointer?, _ descriptor: curl_socket_t) -> Int32 {
        guard let context = unsafe context else { return -1 }
        unsafe Unmanaged<UpstreamMetrics>.fromOpaque(context).takeUnretainedValue().connections.increment(by: -1)
        return close(descriptor)
    }

    // MARK: Time

    /// At least one: libcurl takes zero for "no bound".
    private static func milliseconds(until deadline: ContinuousClock.Instant) -> Int {
        max(1, self.milliseconds(ContinuousClock.now.duration(to: deadline)))
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        // Longer than any deadline of ours, and far from where libcurl's own arithmetic would overflow.
        guard seconds < 86400 else { return 86_400_000 }
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
