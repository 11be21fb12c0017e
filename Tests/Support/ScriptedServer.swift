import Common
import Foundation

/// A small HTTP/1.1 server on plain sockets that answers as a test says, wrongly if it says so.
///
/// One thread a connection; the script runs on it, so it may block.
package final class ScriptedServer: Sendable {
    package struct Request: Sendable {
        package var method: String
        package var target: String
        /// Names in lower case.
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]
        /// Number of the connection it came on, and of the request on that connection, from 0.
        package var connection: Int
        package var ordinal: Int

        package func header(_ name: String) -> String? {
            self.headers.first { $0.name == name }?.value
        }
    }

    package enum Reply: Sendable {
        /// A complete answer; the connection is kept.
        case answer(Int, headers: [(name: String, value: String)] = [], body: [UInt8] = [])
        /// These bytes, then the connection is kept or closed.
        case raw([UInt8], close: Bool)
        /// The connection is closed without an answer.
        case close
        /// The same, with a reset.
        case reset
        /// Nothing, until the peer closes.
        case silence

        package static func json(_ status: Int, _ text: String, headers: [(name: String, value: String)] = []) -> Reply
        {
            .answer(
                status,
                headers: [("Content-Type", "application/x-amz-json-1.0")] + headers,
                body: Array(text.utf8)
            )
        }
    }

    /// What has happened so far.
    package struct History: Sendable {
        package var requests: [Request] = []
        package var connectionsOpened = 0
        package var connectionsClosed = 0
    }

    package let port: Int
    package var url: String { "http://127.0.0.1:\(self.port)" }
    private let listening: Int32
    private let script: @Sendable (Request) -> Reply
    private struct State {
        var history = History()
        var open: Set<Int32> = []
        var isStopped = false
    }
    private let state = Locked(State())

    package init(_ script: @escaping @Sendable (Request) -> Reply) throws {
        self.script = script
        self.listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = self.listening
        let isListening = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 512) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isListening else { throw TestSupportError("cannot listen on loopback") }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [self] in self.acceptAll() }
    }

    package var history: History { self.state.withLock { $0.history } }
    package var requests: [Request] { self.history.requests }

    /// Waits, briefly, until something has happened.
    package func wait(until condition: (History) -> Bool) async throws {
        for _ in 0..<5000 {
            if condition(self.history) { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw TestSupportError("what the test waits for did not happen within ten seconds")
    }

    package func stop() {
        let open = self.state.withLock { state -> Set<Int32> in
            state.isStopped = true
            return state.open
        }
        shutdown(self.listening, Int32(SHUT_RDWR))
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private func acceptAll() {
        while true {
            let descriptor = accept(self.listening, nil, nil)
            guard descriptor >= 0 else { break }
            let number = self.state.withLock { state -> Int? in
                if state.isStopped { return nil }
                state.open.insert(descriptor)
                state.history.connectionsOpened += 1
                return state.history.connectionsOpened - 1
            }
            guard let number else {
                close(descriptor)
                break
            }
            Thread.detachNewThread { [self] in
                self.serve(descriptor, number)
                self.state.withLock { state in
                    state.open.remove(descriptor)
                    state.history.connectionsClosed += 1
                }
                close(descriptor)
            }
        }
        close(self.listening)
    }

    private func serve(_ descriptor: Int32, _ connection: Int) {
        var buffer: [UInt8] = []
        var ordinal = 0
        while var request = self.readRequest(descriptor, &buffer) {
            request.connection = connection
            request.ordinal = ordinal
            ordinal += 1
            self.state.withLock { $0.history.requests.append(request) }
            switch self.script(request) {
            case .answer(let status, let headers, let body):
                var head = "HTTP/1.1 \(status) Status\r\n"
                for header in headers { head += "\(header.name): \(header.value)\r\n" }
                head += "Content-Length: \(body.count)\r\n\r\n"
                guard Self.send(Array(head.utf8) + body, descriptor) else { return }
            case .raw(let bytes, let close):
                guard Self.send(bytes, descriptor), !close else { return }
            case .close:
                return
            case .reset:
                var option = linger(l_onoff: 1, l_linger: 0)
                setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
                return
            case .silence:
                while Self.receive(descriptor, &buffer) {}
                return
            }
        }
    }

    private func readRequest(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Request? {
        let blank = Array("\r\n\r\n".utf8)
        var headEnd: Int?
        while headEnd == nil {
            headEnd = buffer.firstRange(of: blank)?.lowerBound
            if headEnd == nil, !Self.receive(descriptor, &buffer) { return nil }
        }
        guard let headEnd else { return nil }
        let lines = String(decoding: buffer[..<headEnd], as: UTF8.self).components(separatedBy: "\r\n")
        let start = lines[0].split(separator: " ").map(String.init)
        guard start.count == 3 else { return nil }
        let headers = lines.dropFirst().map { line in
            let colon = line.firstIndex(of: ":") ?? line.endIndex
            let value = line[colon...].dropFirst().drop { $0 == " " }
            return (name: line[..<colon].lowercased(), value: String(value))
        }
        let length = headers.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
        while buffer.count < headEnd + 4 + length {
            if !Self.receive(descriptor, &buffer) { return nil }
        }
        let body = Array(buffer[(headEnd + 4)..<(headEnd + 4 + length)])
        buffer.removeFirst(headEnd + 4 + length)
        return Request(method: start[0], target: start[1], headers: headers, body: body, connection: 0, ordinal: 0)
    }

    private static func receive(_ descriptor: Int32, _ buffer: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        buffer += chunk[..<count]
        return true
    }

    private static func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
