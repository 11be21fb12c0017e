import CCurl
import Glibc

/// Which of libcurl's sockets are ready, by epoll; and a bell that ends the wait for them.
final class Readiness: @unchecked Sendable {
    // Safe because: the driver's thread alone calls every method but `wakeUp`, which uses one constant.
    private let poll: Int32
    private let bell: Int32
    private var ready: [(socket: curl_socket_t, events: Int32)] = []

    /// `nil` if no descriptor is left.
    init?() {
        self.poll = epoll_create1(Int32(EPOLL_CLOEXEC))
        self.bell = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        var event = unsafe epoll_event(events: EPOLLIN.rawValue, data: epoll_data(fd: self.bell))
        guard self.poll >= 0, self.bell >= 0, unsafe epoll_ctl(self.poll, EPOLL_CTL_ADD, self.bell, &event) == 0 else {
            return nil
        }
    }

    deinit {
        if self.poll >= 0 { Glibc.close(self.poll) }
        if self.bell >= 0 { Glibc.close(self.bell) }
    }

    /// Watches a socket for what libcurl waits for: `CURL_POLL_IN` and its like.
    func watch(_ socket: curl_socket_t, _ wanted: Int32) {
        if wanted == CURL_POLL_REMOVE {
            // Fails if the socket is closed already, which has removed it as well.
            epoll_ctl(self.poll, EPOLL_CTL_DEL, socket, nil)
            return
        }
        var events: UInt32 = 0
        if wanted & CURL_POLL_IN != 0 { events |= EPOLLIN.rawValue }
        if wanted & CURL_POLL_OUT != 0 { events |= EPOLLOUT.rawValue }
        var event = unsafe epoll_event(events: events, data: epoll_data(fd: socket))
        if unsafe epoll_ctl(self.poll, EPOLL_CTL_MOD, socket, &event) != 0 {
            unsafe epoll_ctl(self.poll, EPOLL_CTL_ADD, socket, &event)
        }
    }

    func wait(milliseconds: Int32) {
        var events = unsafe InlineArray<256, epoll_event>(repeating: epoll_event())
        var span = unsafe events.mutableSpan
        let poll = self.poll
        let count = unsafe span.withUnsafeMutableBufferPointer {
            unsafe epoll_wait(poll, $0.baseAddress, Int32($0.count), milliseconds)
        }
        for index in 0..<max(0, Int(count)) {
            let event = unsafe events[index]
            let socket = unsafe event.data.fd
            if socket == self.bell {
                var rings: UInt64 = 0
                unsafe read(self.bell, &rings, 8)
                continue
            }
            var flags: Int32 = 0
            if unsafe event.events & (EPOLLIN.rawValue | EPOLLHUP.rawValue) != 0 { flags |= CURL_CSELECT_IN }
            if unsafe event.events & EPOLLOUT.rawValue != 0 { flags |= CURL_CSELECT_OUT }
            if unsafe event.events & EPOLLERR.rawValue != 0 { flags |= CURL_CSELECT_ERR }
            self.ready.append((socket, flags))
        }
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
