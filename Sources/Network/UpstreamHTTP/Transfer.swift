import CCurl
import Common
import Glibc

/// A transfer on its way to the driver.
struct QueuedTransfer: Sendable {
    var id: TransferID
    var origin: String
    var request: UpstreamRequest
    /// Of the request.
    var headerLines: HeaderLines
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
    /// The header lines of the answer, without the status line.
    private var head: [UInt8] = []
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
    /// - Returns: `false` if libcurl refuses something.
    func configure() -> Bool {
        let request = self.queued.request
        self.easy.set(CURLOPT_URL, request.url)
        unsafe self.easy.set(CURLOPT_PRIVATE, pointer: UnsafeRawPointer(bitPattern: UInt(self.queued.id.number)))
        self.easy.set(CURLOPT_TIMEOUT_MS, Self.milliseconds(until: self.queued.deadline))
        self.configureMethod(request)
        // `queued` keeps the lines alive as long as this transfer, as it does the body.
        unsafe self.easy.set(CURLOPT_HTTPHEADER, pointer: self.queued.headerLines.first)

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

    private func configureMethod(_ request: UpstreamRequest) {
        // A handle has served another request before: every option that any method sets is set for each.
        self.easy.set(CURLOPT_NOBODY, 0)
        unsafe self.easy.set(CURLOPT_CUSTOMREQUEST, pointer: nil)
        unsafe self.easy.set(CURLOPT_POSTFIELDS, pointer: nil)
        switch request.method {
        case "GET" where request.body == nil: self.easy.set(CURLOPT_HTTPGET, 1)
        case "HEAD": self.easy.set(CURLOPT_NOBODY, 1)
        default:
            self.easy.set(CURLOPT_POST, 1)
            if request.method != "POST" { self.easy.set(CURLOPT_CUSTOMREQUEST, request.method) }
            self.easy.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: request.body?.count ?? 0)
            if let body = request.body, body.count > 0 {
                unsafe body.withUnsafeBytes { unsafe self.easy.set(CURLOPT_POSTFIELDS, pointer: $0.baseAddress) }
            } else {
                unsafe self.easy.set(CURLOPT_POSTFIELDS, pointer: UnsafeRawPointer(Self.emptyBody.utf8Start))
            }
        }
    }

    /// The result of the transfer, once libcurl has ended it.
    func result(_ code: CURLcode) -> Result<UpstreamResponse, UpstreamError> {
        if code == CURLE_OK {
            // libcurl is content with a connection that closes in the middle of the head.
            guard self.headIsComplete else {
                let message = "\(self.queued.origin): the connection closed within the head of the answer"
                return .failure(UpstreamError(.connectionLost, message: message))
            }
            return .success(UpstreamResponse(status: self.easy.status, head: self.head, body: self.body))
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
        if self.headIsComplete || self.head.isEmpty, unsafe line.starts(with: "HTTP/".utf8) {
            // The first answer, or the one after an interim answer.
            self.head.removeAll(keepingCapacity: true)
            self.headIsComplete = false
        } else if unsafe line.allSatisfy({ $0 == 0x0D || $0 == 0x0A }) {
            self.headIsComplete = true
        } else if !self.headIsComplete {
            unsafe self.head.append(contentsOf: line)
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

    // MARK: Time

    /// At least one: libcurl takes zero for "no bound".
    private static func milliseconds(until deadline: ContinuousClock.Instant) -> Int {
        max(1, self.milliseconds(ContinuousClock.now.duration(to: deadline)))
    }

    static func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        // Longer than any deadline of ours, and far from where libcurl's own arithmetic would overflow.
        guard seconds < 86400 else { return 86_400_000 }
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
