import NIOCore

/// Runs a request's task on its connection's event loop, so that handing a request over and taking its answer back costs no
/// change of thread.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.eventLoop.execute {
            unsafe job.runSynchronously(on: self.asUnownedTaskExecutor())
        }
    }
}

/// One executor a loop, made at the start of a listener: a task only borrows its executor.
struct EventLoopExecutors: Sendable {
    private let executors: [ObjectIdentifier: EventLoopExecutor]

    init(_ group: any EventLoopGroup) {
        var executors: [ObjectIdentifier: EventLoopExecutor] = [:]
        for eventLoop in group.makeIterator() {
            executors[ObjectIdentifier(eventLoop)] = EventLoopExecutor(eventLoop)
        }
        self.executors = executors
    }

    subscript(eventLoop: any EventLoop) -> EventLoopExecutor {
        guard let executor = self.executors[ObjectIdentifier(eventLoop)] else {
            preconditionFailure("a connection lives on a loop of the listener's group")
        }
        return executor
    }
}
