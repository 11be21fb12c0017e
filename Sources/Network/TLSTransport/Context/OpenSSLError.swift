import COpenSSL

/// One entry of OpenSSL's error queue.
///
/// The queue belongs to the thread, and one event loop serves many connections: it is emptied before every call whose
/// outcome is read from it, or one peer's leftovers become another's failure.
struct OpenSSLError: Sendable, Equatable {
    /// `ERR_GET_REASON`; what it means depends on the library.
    var reason: Int32
    var library: Int32
    var text: String

    static func clear() {
        ERR_clear_error()
    }

    /// The oldest entry, which is the cause; the queue is empty afterwards.
    static func take() -> OpenSSLError? {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return nil }
        let text = unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) }
        return OpenSSLError(
            reason: ERR_GET_REASON(code),
            library: ERR_GET_LIB(code),
            text: text ?? "error \(String(code, radix: 16))"
        )
    }
}
