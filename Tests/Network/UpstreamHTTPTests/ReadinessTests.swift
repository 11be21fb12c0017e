import Glibc
import Testing

@testable import UpstreamHTTP

/// libcurl's numbers, which the ABI keeps.
///
/// Source: curl/multi.h.
private enum Wanted {
    static let input: Int32 = 1
    static let output: Int32 = 2
    static let both: Int32 = 3
    static let nothing: Int32 = 4
}
private enum Told {
    static let input: Int32 = 1
    static let output: Int32 = 2
}

@Suite("Which sockets are ready")
struct ReadinessTests {
    /// Two connected sockets: the first is watched, the second is the peer's.
    private func withSockets(_ body: (_ readiness: Readiness, _ socket: Int32, _ peer: Int32) throws -> Void) throws {
        let readiness = try #require(Readiness())
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { for descriptor in pair { close(descriptor) } }
        try body(readiness, pair[0], pair[1])
    }

    private func ready(_ readiness: Readiness) -> [Int32] {
        readiness.wait(milliseconds: 0)
        return readiness.takeReady().map(\.events)
    }

    private func say(_ text: String, to peer: Int32) {
        #expect(write(peer, text, text.utf8.count) == text.utf8.count)
    }

    @Test("a connection between two transfers stays silent, and its next transfer hears what came meanwhile")
    func idle() throws {
        try self.withSockets { readiness, socket, peer in
            readiness.opened(socket)
            readiness.watch(socket, Wanted.input)
            #expect(self.ready(readiness) == [])
            readiness.watch(socket, Wanted.nothing)
            self.say("x", to: peer)
            #expect(self.ready(readiness) == [])
            #expect(self.ready(readiness) == [])
            readiness.watch(socket, Wanted.input)
            #expect(self.ready(readiness) == [Told.input])
        }
    }

    @Test("the end of an idle connection is not told, but to its next transfer")
    func endOfIdleConnection() throws {
        try self.withSockets { readiness, socket, peer in
            readiness.opened(socket)
            readiness.watch(socket, Wanted.input)
            readiness.watch(socket, Wanted.nothing)
            shutdown(peer, Int32(SHUT_RDWR))
            #expect(self.ready(readiness) == [])
            readiness.watch(socket, Wanted.input)
            #expect(self.ready(readiness) == [Told.input])
        }
    }

    @Test("what is no longer wanted is not told, and the rest is")
    func narrowed() throws {
        try self.withSockets { readiness, socket, peer in
            readiness.opened(socket)
            readiness.watch(socket, Wanted.both)
            #expect(self.ready(readiness) == [Told.output])
            readiness.watch(socket, Wanted.input)
            #expect(self.ready(readiness) == [])
            self.say("x", to: peer)
            #expect(self.ready(readiness) == [Told.input])
            readiness.watch(socket, Wanted.output)
            #expect(self.ready(readiness) == [Told.output])
        }
    }

    @Test("the number of a closed socket is watched anew for the next one")
    func numberUsedAgain() throws {
        try self.withSockets { readiness, socket, _ in
            readiness.opened(socket)
            readiness.watch(socket, Wanted.input)
            readiness.watch(socket, Wanted.nothing)
            readiness.closed(socket)
            // Epoll forgets the one that is closed here, and knows nothing of the readable one that takes its number.
            var pipe: [Int32] = [-1, -1]
            try #require(Glibc.pipe(&pipe) == 0)
            defer { for descriptor in pipe { close(descriptor) } }
            self.say("x", to: pipe[1])
            #expect(dup2(pipe[0], socket) == socket)
            readiness.opened(socket)
            readiness.watch(socket, Wanted.input)
            #expect(self.ready(readiness) == [Told.input])
        }
    }

    @Test("a socket that nobody announced is watched only while it is wanted")
    func unannounced() throws {
        try self.withSockets { readiness, socket, peer in
            readiness.watch(socket, Wanted.input)
            self.say("x", to: peer)
            #expect(self.ready(readiness) == [Told.input])
            readiness.watch(socket, Wanted.nothing)
            #expect(self.ready(readiness) == [])
            readiness.watch(socket, Wanted.input)
            #expect(self.ready(readiness) == [Told.input])
        }
    }
}
