import Common
import NIOCore

/// What HTTP/1 and HTTP/2 connections have in common: how they begin and end, and how a request's task runs.
protocol ConnectionHandler: ChannelInboundHandler {
    var service: ConnectionService { get }
    var executor: EventLoopExecutor { get }
    /// The connection's own deadline.
    var timer: DeadlineTimer { get }
    /// There while the handler is in its pipeline.
    var context: ChannelHandlerContext? { get set }

    /// What there is to do before the first read.
    func begin(_ context: ChannelHandlerContext)
    func timerFired()
}

extension ConnectionHandler {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.timer.start { [unowned self] in self.timerFired() }
        if context.channel.isActive { self.start(context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer.stop()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    private func start(_ context: ChannelHandlerContext) {
        self.timer.set(self.service.timeouts.header)
        self.begin(context)
        context.read()
    }

    /// Starts a request's task: the responder, then the producer of its answer, if it has one.
    ///
    /// Unstructured: its life is the request's, which cancels it when the peer goes away.
    func run(_ request: IncomingRequest, for target: any AnswerTarget, on eventLoop: any EventLoop)
        -> Task<Void, Never>
    {
        let bound = NIOLoopBound(target, eventLoop: eventLoop)
        let responder = self.service.responder
        return Task(executorPreference: self.executor) {
            let response = await responder.respond(to: request)
            guard let sink = bound.value.answered(response), let producer = response.producer else { return }
            do {
                try await producer(sink)
                bound.value.produced(nil)
            } catch {
                bound.value.produced(error)
            }
        }
    }
}
