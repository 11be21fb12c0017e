import CCurl
import Glibc

/// One of libcurl's easy handles, and the place where it writes what went wrong. Used on the driver's thread only.
@safe final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    /// Whether libcurl took every option so far.
    private(set) var isConfigured = true

    /// `nil` if libcurl has no memory.
    init?(_ configuration: UpstreamConfiguration) {
        guard let pointer = unsafe curl_easy_init() else { return nil }
        unsafe self.pointer = pointer
        unsafe self.errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe self.errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        unsafe self.set(CURLOPT_ERRORBUFFER, pointer: self.errorText)
        self.configure(configuration)
    }

    deinit {
        unsafe curl_easy_cleanup(self.pointer)
        unsafe self.errorText.deallocate()
    }

    /// Lets go of everything that belongs to one transfer; connections are the multi handle's and stay.
    func forgetTransfer() {
        unsafe self.set(CURLOPT_POSTFIELDS, pointer: nil)
        unsafe self.set(CURLOPT_HEADERDATA, pointer: nil)
        unsafe self.set(CURLOPT_WRITEDATA, pointer: nil)
        unsafe self.set(CURLOPT_HTTPHEADER, pointer: nil)
        unsafe self.errorText.pointee = 0
    }

    func set(_ option: CURLoption, _ value: Int) {
        unsafe self.note(ccurl_set_long(self.pointer, option, value))
    }

    func set(_ option: CURLoption, offset value: Int) {
        unsafe self.note(ccurl_set_offset(self.pointer, option, curl_off_t(value)))
    }

    /// libcurl copies the text.
    func set(_ option: CURLoption, _ text: String) {
        unsafe text.withCString { unsafe self.note(ccurl_set_pointer(self.pointer, option, $0)) }
    }

    /// - Parameter value: must stay valid until the transfer has ended.
    func set(_ option: CURLoption, pointer value: UnsafeRawPointer?) {
        unsafe self.note(ccurl_set_pointer(self.pointer, option, value))
    }

    func set(_ option: CURLoption, function: @escaping ccurl_data_function) {
        unsafe self.note(ccurl_set_data_function(self.pointer, option, function))
    }

    func setSocketFunctions(
        open: @escaping ccurl_open_socket_function,
        close: @escaping ccurl_close_socket_function,
        context: UnsafeRawPointer
    ) {
        unsafe self.note(ccurl_set_open_socket_function(self.pointer, open))
        unsafe self.note(ccurl_set_close_socket_function(self.pointer, close))
        unsafe self.set(CURLOPT_OPENSOCKETDATA, pointer: context)
        unsafe self.set(CURLOPT_CLOSESOCKETDATA, pointer: context)
    }

    private func note(_ result: CURLcode) {
        if result != CURLE_OK { self.isConfigured = false }
    }

    var status: Int {
        var value = 0
        unsafe ccurl_get_long(self.pointer, CURLINFO_RESPONSE_CODE, &value)
        return value
    }

    /// Whether connect and TLS handshake are over.
    var hadConnection: Bool {
        var value: curl_off_t = 0
        unsafe ccurl_get_offset(self.pointer, CURLINFO_PRETRANSFER_TIME_T, &value)
        return value > 0
    }

    /// libcurl's words about a failed transfer.
    func message(for result: CURLcode) -> String {
        let detail = unsafe String(cString: self.errorText)
        let name = unsafe String(cString: curl_easy_strerror(result))
        return detail.isEmpty ? name : detail
    }
}
