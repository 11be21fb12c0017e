import CCurl
import Common

/// The loop on the driver's thread: the only code that touches libcurl's handles.
final class TransferDriver {
    /// How long the loop sleeps while transfers wait for a place, whose deadlines libcurl does not know.
    private static let waitingTick: Int32 = 20
    private static let idleTick: Int32 = 60_000
    private static let maxIdleHandles = 256

    private let configuration: UpstreamConfiguration
    private let exchange: TransferExchange
    private let metrics: UpstreamMetrics
    private let multi: MultiHandle
    private var slots: HostSlots
    private var waiting: [TransferID: QueuedTransfer] = [:]
    private var running: [TransferID: Transfer] = [:]
    private var idle: [EasyHandle] = []

    init(
        configuration: UpstreamConfiguration,
        exchange: TransferExchange,
        metrics: UpstreamMetrics,
        multi: MultiHandle
    ) {
        self.configuration = configuration
        self.exchange = exchange
        self.metrics = metrics
        self.multi = multi
        self.slots = HostSlots(limit: configuration.maxConnectionsPerHost)
    }

    /// Runs until the exchange is closed; closes every connection then.
    func run() {
        while case .commands(let commands) = self.exchange.takeWork() {
            for command in commands {
                switch command {
                case .add(let queued): self.add(queued)
                case .abort(let id): self.abort(id)
                }
            }
            self.multi.perform()
            var anyFinished = false
            while let (tag, result) = self.multi.nextFinished() {
                self.finished(TransferID(number: UInt64(tag)), result)
                anyFinished = true
            }
            self.expireWaiting()
            self.metrics.waiting.set(self.slots.waitingCount)
            self.metrics.running.set(self.running.count)
            // A finished transfer may have let another start, which has to be performed first.
            if anyFinished || !self.exchange.prepareToSleep(on: self.multi) { continue }
            self.multi.wait(milliseconds: self.waiting.isEmpty ? Self.idleTick : Self.waitingTick)
        }
        for transfer in self.running.values { self.multi.remove(transfer.easy) }
        self.multi.close()
        self.running = [:]
        self.metrics.waiting.set(0)
        self.metrics.running.set(0)
    }

    private func add(_ queued: QueuedTransfer) {
        // The abort may have come first.
        guard self.exchange.isWanted(queued.id) else { return }
        if self.slots.admit(queued.id, to: queued.origin) {
            self.startOrPassOn(queued)
        } else {
            self.waiting[queued.id] = queued
        }
    }

    /// Starts a transfer that has a place, or gives the place to the next that can be started.
    private func startOrPassOn(_ first: QueuedTransfer) {
        var candidate: QueuedTransfer? = first
        while let queued = candidate {
            if self.exchange.isWanted(queued.id), self.start(queued) { return }
            candidate = self.slots.release(queued.origin).flatMap { self.waiting.removeValue(forKey: $0) }
        }
    }

    private func start(_ queued: QueuedTransfer) -> Bool {
        guard queued.deadline > .now else {
            self.exchange.finish(queued.id, .failure(Self.expired(queued)))
            return false
        }
        guard let easy = self.idle.popLast() ?? self.multi.makeHandle(self.configuration) else {
            let error = UpstreamError(.library, message: "libcurl has no memory for a transfer")
            self.exchange.finish(queued.id, .failure(error))
            return false
        }
        let transfer = Transfer(queued, easy: easy, maxResponseBytes: self.configuration.maxResponseBytes)
        guard transfer.configure(), self.multi.add(easy) else {
            let error = UpstreamError(.library, message: "\(queued.origin): libcurl refuses to start the transfer")
            self.exchange.finish(queued.id, .failure(error))
            return false
        }
        self.running[queued.id] = transfer
        return true
    }

    private func finished(_ id: TransferID, _ code: CURLcode) {
        guard let transfer = self.running.removeValue(forKey: id) else { return }
        let result = transfer.result(code)
        self.recycle(transfer)
        self.exchange.finish(id, result)
    }

    private func abort(_ id: TransferID) {
        if let queued = self.waiting.removeValue(forKey: id) {
            self.slots.withdraw(id, from: queued.origin)
        } else if let transfer = self.running.removeValue(forKey: id) {
            self.recycle(transfer)
        }
        // Neither: it has finished, or its start comes later and will find nobody waiting.
    }

    private func recycle(_ transfer: Transfer) {
        self.multi.remove(transfer.easy)
        // Before the transfer goes, whose address and body the handle knows.
        transfer.easy.forgetTransfer()
        if self.idle.count < Self.maxIdleHandles { self.idle.append(transfer.easy) }
        if let next = self.slots.release(transfer.queued.origin), let queued = self.waiting.removeValue(forKey: next) {
            self.startOrPassOn(queued)
        }
    }

    private func expireWaiting() {
        guard !self.waiting.isEmpty else { return }
        let now = ContinuousClock.now
        for queued in self.waiting.values where queued.deadline <= now {
            self.waiting[queued.id] = nil
            self.slots.withdraw(queued.id, from: queued.origin)
            self.exchange.finish(queued.id, .failure(Self.expired(queued)))
        }
    }

    private static func expired(_ queued: QueuedTransfer) -> UpstreamError {
        UpstreamError(.timedOut, message: "\(queued.origin): the deadline passed before the transfer could start")
    }
}
