import CCurl

/// The TLS sessions of one driver's transfers, so that a new connection to a host resumes what an earlier one agreed on.
///
/// Without it libcurl keeps sessions for each easy handle alone.
@safe final class TLSSessions {
    // Safe because: the driver's thread alone uses it, and the handles that it was given to keep it alive.
    let pointer: UnsafeMutableRawPointer

    /// `nil` if libcurl has no memory, or was built without TLS.
    init?() {
        guard let pointer = unsafe curl_share_init() else { return nil }
        unsafe self.pointer = pointer
        guard unsafe ccurl_share_set_data(pointer, CURL_LOCK_DATA_SSL_SESSION) == CURLSHE_OK else { return nil }
    }

    deinit {
        unsafe curl_share_cleanup(self.pointer)
    }
}
