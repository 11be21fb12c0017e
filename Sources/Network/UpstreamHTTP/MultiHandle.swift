import CCurl

/// libcurl's multi handle: all transfers and the connections they share.
@safe final class MultiHandle: @unchecked Sendable {
    // Safe because: the driver's thread alone calls every method but `wakeUp`. That one libcurl allows from any thread,
    // and the exchange calls it only between two calls of the driver that both precede `close`.
    private var pointer: UnsafeMutableRawPointer?

    /// - Parameter maxIdleConnections: connections kept for later transfers.
    init(maxIdleConnections: Int) throws(UpstreamError) {
        try CurlLibrary.prepare()
        guard let pointer = unsafe curl_multi_init() else {
            throw UpstreamError(.library, message: "libcurl has no memory for a multi handle")
        }
        unsafe self.pointer = pointer
        unsafe ccurl_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, maxIdleConnections)
        unsafe ccurl_multi_set_long(pointer, CURLMOPT_PIPELINING, 0)
    }

    deinit {
        self.close()
    }

    /// Closes every connection; nothing else may be called afterwards. All transfers must have been removed.
    func close() {
        unsafe curl_multi_cleanup(self.pointer)
        unsafe self.pointer = nil
    }

    /// - Returns: whether libcurl took the transfer.
    func add(_ easy: EasyHandle) -> Bool {
        unsafe curl_multi_add_handle(self.pointer, easy.pointer) == CURLM_OK
    }

    /// Ends the handle's transfer; if that was not over, its connection is closed.
    func remove(_ easy: EasyHandle) {
        unsafe curl_multi_remove_handle(self.pointer, easy.pointer)
    }

    /// Does what can be done without waiting.
    func perform() {
        var running: Int32 = 0
        unsafe curl_multi_perform(self.pointer, &running)
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

    /// Sleeps until a socket is ready, one of libcurl's timers is due, the time is over, or `wakeUp` is called.
    func wait(milliseconds: Int32) {
        unsafe curl_multi_poll(self.pointer, nil, 0, milliseconds, nil)
    }

    /// Ends a present or the next `wait`.
    func wakeUp() {
        unsafe curl_multi_wakeup(self.pointer)
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
