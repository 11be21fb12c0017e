import Foundation

/// A client made of one blocking socket: sends exactly the bytes it is told to, and sees exactly what comes back.
package final class RawClient: @unchecked Sendable {
    // Safe because: the descriptor never changes, and each test uses its client from one place at a time.
    private let descriptor: Int32

    package struct Failure: Error, CustomStringConvertible {
        package var description: String

        package init(description: String) {
            self.description = description
        }
    }

    /// - Parameter address: `127.0.0.1:port`.
    package init(_ address: String, receiveTimeout: Int = 5) throws {
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Failure(description: "no port in \(address)")
        }
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: receiveTimeout, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(self.descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(description: "connect: \(errno)") }
    }

    deinit {
        Glibc.close(self.descriptor)
    }

    /// Sends all bytes; what the peer no longer takes is dropped.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(self.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    @discardableResult
    package func send(_ text: String) -> Bool {
        self.send(Array(text.utf8))
    }

    /// What has arrived next; empty at the end of the peer's side.
    package func receive() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = buffer.withUnsafeMutableBytes { recv(self.descriptor, $0.baseAddress, $0.count, 0) }
        guard count >= 0 else { throw Failure(description: errno == EAGAIN ? "nothing came" : "reset (\(errno))") }
        return Array(buffer.prefix(count))
    }

    /// Everything up to the end of the peer's side.
    package func receiveAll() throws -> String {
        var bytes: [UInt8] = []
        while true {
            let more = try self.receive()
            if more.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += more
        }
    }

    /// Everything up to and with the text.
    package func receive(until text: String) throws -> String {
        var bytes: [UInt8] = []
        while true {
            let soFar = String(decoding: bytes, as: UTF8.self)
            if soFar.contains(text) { return soFar }
            let more = try self.receive()
            if more.isEmpty { throw Failure(description: "ended after \(soFar)") }
            bytes += more
        }
    }

    package func endOutput() {
        shutdown(self.descriptor, Int32(SHUT_WR))
    }

    /// Closes with a reset instead of an orderly end.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        dup2(open("/dev/null", O_RDONLY), self.descriptor)
    }
}
