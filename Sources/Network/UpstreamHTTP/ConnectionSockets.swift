import CCurl
import Common
import Glibc

/// Opens and closes the sockets of connections for libcurl, so that they are counted and known. Used on the driver's
/// thread only; outlives every connection.
final class ConnectionSockets: Sendable {
    private let metrics: UpstreamMetrics
    private let readiness: Readiness

    init(metrics: UpstreamMetrics, readiness: Readiness) {
        self.metrics = metrics
        self.readiness = readiness
    }

    /// Tells a handle to open and close its connections here.
    func serve(_ easy: EasyHandle) {
        let context = unsafe UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
        unsafe easy.setSocketFunctions(
            open: { context, _, address in
                guard let address = unsafe address else { return -1 }
                return unsafe ConnectionSockets.at(context)?.open(address.pointee) ?? -1
            },
            close: { context, descriptor in unsafe ConnectionSockets.at(context)?.close(descriptor) ?? -1 },
            context: context
        )
    }

    private static func at(_ context: UnsafeMutableRawPointer?) -> ConnectionSockets? {
        unsafe context.map { unsafe Unmanaged<ConnectionSockets>.fromOpaque($0).takeUnretainedValue() }
    }

    private func open(_ address: curl_sockaddr) -> curl_socket_t {
        let kind = address.socktype | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, kind, address.protocol)
        if descriptor >= 0 {
            self.metrics.connections.increment()
            self.metrics.connectionsOpened.increment()
            self.readiness.opened(descriptor)
        }
        return descriptor
    }

    private func close(_ descriptor: curl_socket_t) -> Int32 {
        self.metrics.connections.increment(by: -1)
        self.readiness.closed(descriptor)
        return Glibc.close(descriptor)
    }
}
