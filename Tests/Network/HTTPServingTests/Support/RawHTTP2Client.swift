import TestSupport

/// An HTTP/2 client made of frames written by hand, independent of the library under test (RFC 9113, RFC 7541).
final class RawHTTP2Client {
    enum Kind: UInt8 {
        case data, headers, priority, rstStream, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }
    struct Frame {
        var kind: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        func isA(_ kind: Kind) -> Bool { self.kind == kind.rawValue }
        var endsStream: Bool { self.flags & 1 != 0 }
        /// The 32-bit number at an offset of the payload.
        func number(at offset: Int = 0) -> UInt32 {
            self.payload[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
    }

    let socket: RawClient
    /// The server's first frame.
    private(set) var settings = Frame(kind: 0, flags: 0, stream: 0, payload: [])
    private var received: [UInt8] = []

    /// Connects, exchanges prefaces, and acknowledges the server's settings, from which on its windows count.
    init(_ address: String, receiveTimeout: Int = 5) throws {
        self.socket = try RawClient(address, receiveTimeout: receiveTimeout)
        self.socket.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(.settings, stream: 0)
        self.settings = try self.next { $0.isA(.settings) && $0.flags == 0 }
        self.send(.settings, flags: 1, stream: 0)
    }

    func send(_ kind: Kind, flags: UInt8 = 0, stream: UInt32, _ payload: [UInt8] = []) {
        self.socket.send(Self.frame(kind, flags: flags, stream: stream, payload))
    }

    static func frame(_ kind: Kind, flags: UInt8 = 0, stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255), kind.rawValue, flags]
            + Self.bytes(stream) + payload
    }

    static func bytes(_ number: UInt32) -> [UInt8] {
        stride(from: 24, through: 0, by: -8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    /// A header block of literals without indexing.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value -> [UInt8] in [0] + Self.text(name) + Self.text(value) }
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var rest = bytes.count - 127
        var length: [UInt8] = [127]
        while rest >= 128 {
            length.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    func request(
        _ stream: UInt32,
        method: String = "GET",
        path: String = "/",
        authority: String? = "x",
        _ fields: [(String, String)] = [],
        ends: Bool = true
    ) {
        var all = [(":method", method), (":scheme", "http"), (":path", path)]
        if let authority { all.append((":authority", authority)) }
        self.send(.headers, flags: ends ? 5 : 4, stream: stream, Self.block(all + fields))
    }

    /// The next frame; `nil` at the end of the connection.
    func next() throws -> Frame? {
        while true {
            if self.received.count >= 9 {
                let length = self.received[0..<3].reduce(0) { $0 << 8 | Int($1) }
                if self.received.count >= 9 + length {
                    let stream = self.received[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
                    let frame = Frame(
                        kind: self.received[3],
                        flags: self.received[4],
                        stream: stream,
                        payload: Array(self.received[9..<9 + length])
                    )
                    self.received.removeFirst(9 + length)
                    return frame
                }
            }
            let more = try self.socket.receive()
            if more.isEmpty { return nil }
            self.received += more
        }
    }

    /// The next frame that fits; others are skipped.
    func next(where fits: (Frame) -> Bool) throws -> Frame {
        while let frame = try self.next() {
            if fits(frame) { return frame }
        }
        throw RawClient.Failure(description: "the connection ended")
    }

    /// All frames up to the end of the connection.
    func rest() -> [Frame] {
        var frames: [Frame] = []
        while let frame = try? self.next() { frames.append(frame) }
        return frames
    }
}
