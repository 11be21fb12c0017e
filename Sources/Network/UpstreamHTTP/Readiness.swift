import CCurl
import Glibc

/// Which of libcurl's sockets are ready, by epoll; and a bell that ends the wait for them.
///
/// libcurl begins and ceases to wait for a kept connection with every transfer. Such a socket stays registered meanwhile,
/// since its next transfer waits for the same; only if something happens to it that nobody wants is it taken out.
@safe final class Readiness: @unchecked Sendable {
    // Safe because: the driver's thread alone calls every method but `wakeUp`, which uses one constant.
    private let poll: Int32
    private let bell: Int32
    /// The room that `wait` takes events in.
    private let events = UnsafeMutableBufferPointer<epoll_event>.allocate(capacity: 256)
    private var ready: [(socket: curl_socket_t, events: Int32)] = []

    private struct Interest {
        /// What epoll tells; never less than what is wanted.
        var registered: UInt32 = 0
        /// What libcurl waits for; zero while nobody uses the socket.
        var wanted: UInt32 = 0
    }
    /// The sockets whose end `closed` will tell. libcurl closes others, its resolver's, without a word.
    private var kept: [curl_socket_t: Interest] = [:]

    /// `nil` if no descriptor is left.
    init?() {
        self.poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        self.bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        unsafe self.events.initialize(repeating: epoll_event())
        var event = unsafe epoll_event(events: EPOLLIN.rawValue, data: epoll_data(fd: self.bell))
        guard self.poll >= 0, self.bell >= 0, unsafe epoll_ctl(self.poll, EPOLL_CTL_ADD, self.bell, &event) == 0 else {
            return nil
        }
    }

    deinit {
        if self.poll >= 0 { Glibc.close(self.poll) }
        if self.bell >= 0 { Glibc.close(self.bell) }
        unsafe self.events.deallocate()
    }

    // MARK: Sockets

    /// A connection's socket was opened; `closed` will tell its end.
    func opened(_ socket: curl_socket_t) {
        self.kept[socket] = Interest()
    }

    /// The socket is about to be closed, which takes it out of epoll.
    func closed(_ socket: curl_socket_t) {
        self.kept[socket] = nil
    }

    /// Watches a socket for what libcurl waits for: `CURL_POLL_IN` and its like.
    func watch(_ socket: curl_socket_t, _ wanted: Int32) {
        var events: UInt32 = 0
        if wanted != CURL_POLL_REMOVE {
            if wanted & CURL_POLL_IN != 0 { events |= EPOLLIN.rawValue }
            if wanted & CURL_POLL_OUT != 0 { events |= EPOLLOUT.rawValue }
        }
        guard var interest = self.kept[socket] else { return self.register(socket, events) }
        interest.wanted = events
        if events & ~interest.registered != 0 {
            self.register(socket, events)
            interest.registered = events
        }
        self.kept[socket] = interest
    }

    private func register(_ socket: curl_socket_t, _ events: UInt32) {
        guard events != 0 else {
            // Fails if the socket is closed already, which has removed it as well.
            epoll_ctl(self.poll, EPOLL_CTL_DEL, socket, nil)
            return
        }
        var event = unsafe epoll_event(events: events, data: epoll_data(fd: socket))
        if unsafe epoll_ctl(self.poll, EPOLL_CTL_MOD, socket, &event) != 0 {
            unsafe epoll_ctl(self.poll, EPOLL_CTL_ADD, socket, &event)
        }
    }

    // MARK: Waiting

    func wait(milliseconds: Int32) {
        let count = unsafe epoll_wait(self.poll, self.events.baseAddress, Int32(self.events.count), milliseconds)
        for index in 0..<max(0, Int(count)) {
            let event = unsafe self.events[index]
            let socket = unsafe event.data.fd
            if socket == self.bell {
                var rings: UInt64 = 0
                unsafe read(self.bell, &rings, 8)
            } else {
                unsafe self.note(event.events, of: socket)
            }
        }
    }

    private func note(_ events: UInt32, of socket: curl_socket_t) {
        var events = events
        if var interest = self.kept[socket] {
            let wanted = interest.wanted == 0 ? 0 : interest.wanted | EPOLLERR.rawValue | EPOLLHUP.rawValue
            if events & ~wanted != 0 {
                // Nobody takes it from the socket, so epoll would tell it again and again.
                self.register(socket, interest.wanted)
                interest.registered = interest.wanted
                self.kept[socket] = interest
            }
            events &= wanted
            if events == 0 { return }
        }
        var flags: Int32 = 0
        if events & (EPOLLIN.rawValue | EPOLLHUP.rawValue) != 0 { flags |= CURL_CSELECT_IN }
        if events & EPOLLOUT.rawValue != 0 { flags |= CURL_CSELECT_OUT }
        if events & EPOLLERR.rawValue != 0 { flags |= CURL_CSELECT_ERR }
        self.ready.append((socket, flags))
    }

    /// What the last wait has found, once.
    func takeReady() -> [(socket: curl_socket_t, events: Int32)] {
        var taken: [(socket: curl_socket_t, events: Int32)] = []
        swap(&taken, &self.ready)
        return taken
    }

    /// Ends a present or the next `wait`; from any thread.
    func wakeUp() {
        var one: UInt64 = 1
        unsafe write(self.bell, &one, 8)
    }
}
