import CCurl

extension EasyHandle {
    /// Sets what is the same for every transfer.
    func configure(_ configuration: UpstreamConfiguration) {
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
    }
}
