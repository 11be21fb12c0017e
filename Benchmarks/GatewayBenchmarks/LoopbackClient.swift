import Glibc

/// One connection to a server of this machine, one request after the other; knows no more of HTTP than that takes.
final class LoopbackClient {
    struct Failure: Error {
        var text: String
    }

    struct Answer {
        var status: Int
        var bodyBytes: Int
        /// From the request's first byte to the first and to the last of the body.
        var firstMilliseconds: Double
        var lastMilliseconds: Double
        /// The body, if it was wanted.
        var body: [UInt8]
    }

    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)
    private var filled = 0
    private var position = 0

    init(port: Int) throws {
        self.descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(self.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failure(text: "cannot connect to port \(port): error \(errno)") }
        // No benchmark may hang.
        var patience = timeval(tv_sec: 120, tv_usec: 0)
        setsockopt(self.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var on: Int32 = 1
        setsockopt(self.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    deinit { close(self.descriptor) }

    func exchange(
        _ method: String,
        _ path: String,
        _ headers: [(name: String, value: String)] = [],
        _ body: [UInt8] = [],
        keepsBody: Bool = false
    ) throws -> Answer {
        var request = Array("\(method) \(path) HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: \(body.count)\r\n".utf8)
        for (name, value) in headers { request += Array("\(name): \(value)\r\n".utf8) }
        request += Array("\r\n".utf8)
        request += body
        let start = ContinuousClock.now
        try self.write(request)
        var answer = Answer(status: 0, bodyBytes: 0, firstMilliseconds: 0, lastMilliseconds: 0, body: [])
        func take(_ count: Int) throws {
            var left = count
            while left > 0 {
                if self.position == self.filled { try self.fill() }
                if answer.bodyBytes == 0 { answer.firstMilliseconds = Self.milliseconds(since: start) }
                let part = min(left, self.filled - self.position)
                if keepsBody { answer.body += self.buffer[self.position..<self.position + part] }
                self.position += part
                answer.bodyBytes += part
                left -= part
            }
        }
        let statusLine = try self.line()
        answer.status = Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0
        var length: Int?
        while case let header = try self.line().lowercased(), !header.isEmpty {
            if header.hasPrefix("content-length:") { length = Int(header.dropFirst(15).drop { $0 == " " }) }
        }
        if answer.status == 204 {
            answer.firstMilliseconds = Self.milliseconds(since: start)
        } else if let length {
            try take(length)
        } else {
            while let size = Int(try self.line(), radix: 16), size > 0 {
                try take(size)
                _ = try self.line()
            }
            _ = try self.line()
        }
        answer.lastMilliseconds = Self.milliseconds(since: start)
        return answer
    }

    private static func milliseconds(since start: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - start) / .milliseconds(1)
    }

    private func write(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(self.descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { throw Failure(text: "cannot send: error \(errno)") }
            sent += count
        }
    }

    private func fill() throws {
        let count = self.buffer.withUnsafeMutableBytes { recv(self.descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { throw Failure(text: count == 0 ? "the answer breaks off" : "no answer: error \(errno)") }
        self.filled = count
        self.position = 0
    }

    /// Up to the next line break, without it.
    private func line() throws -> String {
        var bytes: [UInt8] = []
        while true {
            if self.position == self.filled { try self.fill() }
            let byte = self.buffer[self.position]
            self.position += 1
            if byte == UInt8(ascii: "\n") { break }
            if byte != UInt8(ascii: "\r") { bytes.append(byte) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
