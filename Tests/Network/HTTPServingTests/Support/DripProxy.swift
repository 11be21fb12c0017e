import Dispatch
import Foundation

/// Forwards one connection, the client's bytes one at a time.
final class DripProxy: Sendable {
    let port: UInt16
    private let listener: Int32

    struct Failure: Error {}

    init(target: String) throws {
        guard let targetPort = target.split(separator: ":").last.flatMap({ UInt16($0) }) else { throw Failure() }
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try Self.with(&address) { guard bind(listener, $0, length) == 0 else { throw Failure() } }
        guard listen(listener, 1) == 0 else { throw Failure() }
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        self.port = UInt16(bigEndian: address.sin_port)
        self.listener = listener
        DispatchQueue.global().async {
            let client = accept(listener, nil, nil)
            let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var option: Int32 = 1
            setsockopt(server, Int32(IPPROTO_TCP), TCP_NODELAY, &option, socklen_t(MemoryLayout<Int32>.size))
            var address = Self.address(targetPort)
            try? Self.with(&address) {
                guard connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 else { throw Failure() }
            }
            DispatchQueue.global().async { Self.copy(from: server, to: client, atOnce: 65536) }
            Self.copy(from: client, to: server, atOnce: 1)
        }
    }

    func stop() {
        shutdown(self.listener, Int32(SHUT_RDWR))
        close(self.listener)
    }

    private static func copy(from source: Int32, to target: Int32, atOnce count: Int) {
        var buffer = [UInt8](repeating: 0, count: count)
        while case let received = recv(source, &buffer, count, 0), received > 0 {
            guard send(target, buffer, received, Int32(MSG_NOSIGNAL)) > 0 else { break }
        }
        shutdown(target, Int32(SHUT_WR))
    }

    private static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return address
    }

    private static func with(_ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>) throws -> Void) rethrows {
        try withUnsafePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try body($0) }
        }
    }
}
