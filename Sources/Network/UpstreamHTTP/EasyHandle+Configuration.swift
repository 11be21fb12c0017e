import CCurl
import Common
import Glibc

extension EasyHandle {
    /// Sets what is the same for every transfer.
    ///
    /// - Parameter metrics: outlives every connection that the handle's transfers may open.
    func configure(_ configuration: UpstreamConfiguration, metrics: UpstreamMetrics) {
        // No signals: they would arrive in a process with other threads. The driver's thread blocks SIGPIPE itself.
        self.set(CURLOPT_NOSIGNAL, 1)
        self.set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        self.set(CURLOPT_PROTOCOLS_STR, "http,https")
        self.set(CURLOPT_FOLLOWLOCATION, 0)
        self.set(CURLOPT_PATH_AS_IS, 1)
        self.set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
        self.set(CURLOPT_SSL_VERIFYPEER, 1)
        self.set(CURLOPT_SSL_VERIFYHOST, 2)
        self.set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        self.set(CURLOPT_TCP_KEEPALIVE, 1)
        self.set(CURLOPT_CONNECTTIMEOUT_MS, max(1, Transfer.milliseconds(configuration.connectTimeout)))
        self.set(CURLOPT_MAXFILESIZE_LARGE, offset: configuration.maxResponseBytes)
        // Else removing a transfer whose name is still being looked up would block the thread until the look-up ends.
        self.set(CURLOPT_QUICK_EXIT, 1)

        if let path = configuration.caBundlePath {
            self.set(CURLOPT_CAINFO, path)
            self.set(CURLOPT_PROXY_CAINFO, path)
        }
        // The empty text also keeps libcurl from the environment's proxies.
        self.set(CURLOPT_PROXY, configuration.proxy ?? "")
        self.set(CURLOPT_NOPROXY, "localhost,127.0.0.1,::1,169.254.169.254,169.254.170.2")
        self.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        self.set(CURLOPT_HEADEROPT, Int(CURLHEADER_SEPARATE))

        let context = unsafe UnsafeRawPointer(Unmanaged.passUnretained(metrics).toOpaque())
        unsafe self.setSocketFunctions(
            open: { context, _, address in unsafe EasyHandle.openSocket(context, address) },
            close: { context, descriptor in unsafe EasyHandle.closeSocket(context, descriptor) },
            context: context
        )
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
}
