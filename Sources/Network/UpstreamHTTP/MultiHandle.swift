import CCurl
import Glibc

/// libcurl's multi handle: all transfers and the connections they share, driven by the sockets that are ready.
///
/// `curl_multi_perform` would look at every transfer each time; with many under way that costs more than sending them.
@safe final class MultiHandle: @unchecked Sendable {
    // Safe because: the driver's thread alone calls every method but `wakeUp`. That one writes to a descriptor
    // that lives as long as this object.
    private var pointer: UnsafeMutableRawPointer?
    private let readiness: Readiness
    private let sockets: ConnectionSockets
    /// When libcurl wants to be called for its own timers.
    private var timer: ContinuousClock.Instant?

    /// - Parameter maxIdleConnections: connections kept for later transfers.
    init(maxIdleConnections: Int, metrics: UpstreamMetrics) throws(UpstreamError) {
        try CurlLibrary.prepare()
        guard let readiness = Readiness() else {
            throw UpstreamError(.library, message: "no descriptor is left for the upstream driver")
        }
        guard let pointer = unsafe curl_multi_init() else {
            throw UpstreamError(.library, message: "libcurl has no memory for a multi handle")
        }
        unsafe self.pointer = pointer
        self.readiness = readiness
        self.sockets = ConnectionSockets(metrics: metrics, readiness: readiness)
        unsafe ccurl_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, maxIdleConnections)
        unsafe ccurl_multi_set_long(pointer, CURLMOPT_PIPELINING, 0)
        let result = unsafe ccurl_multi_set_callbacks(
            pointer,
            { _, socket, events, context, _ in
                unsafe MultiHandle.at(context)?.readiness.watch(socket, events)
                return 0
            },
            { _, milliseconds, context in
                unsafe MultiHandle.at(context)?.timer = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
                return 0
            },
            Unmanaged.passUnretained(self).toOpaque()
        )
        guard result == CURLM_OK else {
            throw UpstreamError(.library, message: "libcurl refuses to be driven by sockets")
        }
    }

    deinit {
        self.close()
    }

    private static func at(_ context: UnsafeMutableRawPointer?) -> MultiHandle? {
        // libcurl calls back only within calls that this object makes.
        unsafe context.map { unsafe Unmanaged<MultiHandle>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Closes every connection; nothing else may be called afterwards. All transfers must have been removed.
    func close() {
        guard let pointer = unsafe self.pointer else { return }
        unsafe curl_multi_cleanup(pointer)
        unsafe self.pointer = nil
    }

    /// A handle for this object's transfers; `nil` if libcurl has no memory.
    func makeHandle(_ configuration: UpstreamConfiguration) -> EasyHandle? {
        guard let easy = EasyHandle(configuration) else { return nil }
        self.sockets.serve(easy)
        return easy
    }

    /// - Returns: whether libcurl took the transfer.
    func add(_ easy: EasyHandle) -> Bool {
        unsafe curl_multi_add_handle(self.pointer, easy.pointer) == CURLM_OK
    }

    /// Ends the handle's transfer; if that was not over, its connection is closed.
    func remove(_ easy: EasyHandle) {
        unsafe curl_multi_remove_handle(self.pointer, easy.pointer)
    }

    /// Does what can be done without waiting: what the last `wait` found ready, and what libcurl's timer is due for.
    func perform() {
        var running: Int32 = 0
        for (socket, events) in self.readiness.takeReady() {
            unsafe curl_multi_socket_action(self.pointer, socket, events, &running)
        }
        // New transfers ask for a timer at once.
        while let timer = self.timer, timer <= .now {
            self.timer = nil
            unsafe curl_multi_socket_action(self.pointer, curl_socket_t(-1), 0, &running)
        }
    }

    /// The next transfer that has ended: the handle's `CURLOPT_PRIVATE`, and the result.
    func nextFinished() -> (tag: UInt, result: CURLcode)? {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(self.pointer, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            var tag: UnsafeMutableRawPointer?
            unsafe ccurl_get_pointer(message.pointee.easy_handle, CURLINFO_PRIVATE, &tag)
            return unsafe (UInt(bitPattern: tag), ccurl_message_result(message))
        }
        return nil
    }

    /// Sleeps until a socket is ready, libcurl's timer is due, the time is over, or `wakeUp` is called.
    func wait(milliseconds: Int32) {
        var bound = milliseconds
        if let timer = self.timer {
            let (seconds, attoseconds) = ContinuousClock.now.duration(to: timer).components
            // Rounded up, else the last millisecond would be spent in a loop.
            let left = seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1
            bound = Int32(clamping: min(Int64(bound), max(left, 0)))
        }
        self.readiness.wait(milliseconds: bound)
    }

    /// Ends a present or the next `wait`.
    func wakeUp() {
        self.readiness.wakeUp()
    }
}

/// libcurl as a whole.
enum CurlLibrary {
    private static let initialisation = curl_global_init(Int(CURL_GLOBAL_DEFAULT))

    /// Initialises libcurl once a process, and checks that it is the kind we can use.
    static func prepare() throws(UpstreamError) {
        guard self.initialisation == CURLE_OK, let version = unsafe ccurl_version() else {
            throw UpstreamError(.library, message: "libcurl cannot be initialised")
        }
        let features = unsafe version.pointee.features
        // Without it a slow name server would hold up every transfer, since all run on one thread.
        guard features & CURL_VERSION_ASYNCHDNS != 0 else {
            throw UpstreamError(.library, message: "this libcurl resolves names in a blocking way (no AsynchDNS)")
        }
        guard features & CURL_VERSION_SSL != 0 else {
            throw UpstreamError(.library, message: "this libcurl has no TLS")
        }
    }
}
