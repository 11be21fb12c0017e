import TestSupport
import Testing

@testable import UpstreamHTTP

@Suite("Who is told the result of a transfer")
struct TransferTableTests {
    private let id = TransferID(number: 7)

    private func failure(_ outcome: TransferTable<String>.OnStart) -> UpstreamError.Code? {
        if case .fail(_, let code) = outcome { code } else { nil }
    }

    @Test("a started transfer is wanted until it finishes, and its waiter is handed out once")
    func finishes() {
        var table = TransferTable<String>(capacity: 10)
        let code1 = self.failure(table.start(self.id, "waiter"))
        #expect(code1 == nil)
        var isWanted = table.isWanted(self.id)
        #expect(isWanted)
        var waiter = table.finish(self.id)
        #expect(waiter == "waiter")
        waiter = table.finish(self.id)
        #expect(waiter == nil)
        isWanted = table.isWanted(self.id)
        #expect(!isWanted)
    }

    @Test("a cancel that comes before the start is found by it")
    func cancelFirst() {
        var table = TransferTable<String>(capacity: 10)
        guard case .noted = table.cancel(self.id) else {
            Issue.record("nobody waits yet")
            return
        }
        let code2 = self.failure(table.start(self.id, "waiter"))
        #expect(code2 == .cancelled)
        let count = table.count
        #expect(count == 0)
    }

    @Test("after a cancel the result finds nobody, and a second cancel neither")
    func cancelled() {
        var table = TransferTable<String>(capacity: 10)
        _ = table.start(self.id, "waiter")
        guard case .abortAndFail("waiter") = table.cancel(self.id) else {
            Issue.record("the waiter must be failed")
            return
        }
        let isWanted = table.isWanted(self.id)
        #expect(!isWanted)
        let waiter = table.finish(self.id)
        #expect(waiter == nil)
        guard case .noted = table.cancel(self.id) else {
            Issue.record("the waiter was handed out twice")
            return
        }
    }

    @Test("a cancel after the end leaves a note that is forgotten")
    func lateCancel() {
        var table = TransferTable<String>(capacity: 10)
        _ = table.start(self.id, "waiter")
        _ = table.finish(self.id)
        _ = table.cancel(self.id)
        table.forget(self.id)
        let count = table.count
        #expect(count == 0)
    }

    @Test("forgetting does not drop a transfer that runs")
    func forgetsNotesOnly() {
        var table = TransferTable<String>(capacity: 10)
        _ = table.start(self.id, "waiter")
        table.forget(self.id)
        let waiter = table.finish(self.id)
        #expect(waiter == "waiter")
    }

    @Test("more transfers than the capacity are refused until one ends")
    func capacity() {
        var table = TransferTable<String>(capacity: 2)
        _ = table.start(TransferID(number: 1), "a")
        _ = table.start(TransferID(number: 2), "b")
        let code3 = self.failure(table.start(TransferID(number: 3), "c"))
        #expect(code3 == .overloaded)
        _ = table.finish(TransferID(number: 1))
        let code4 = self.failure(table.start(TransferID(number: 4), "d"))
        #expect(code4 == nil)
    }

    @Test("closing hands out all that run, and later starts fail")
    func closes() {
        var table = TransferTable<String>(capacity: 10)
        _ = table.start(TransferID(number: 1), "a")
        _ = table.start(TransferID(number: 2), "b")
        _ = table.cancel(TransferID(number: 3))
        let waiters = table.close()
        #expect(waiters.sorted() == ["a", "b"])
        let waiter = table.finish(TransferID(number: 1))
        #expect(waiter == nil)
        let code5 = self.failure(table.start(TransferID(number: 3), "c"))
        #expect(code5 == .cancelled)
        let code6 = self.failure(table.start(TransferID(number: 4), "d"))
        #expect(code6 == .shutDown)
        let again = table.close()
        #expect(again.isEmpty)
    }
}

@Suite("Places for transfers")
struct HostSlotsTests {
    @Test("over the limit transfers wait, first come first served, each host by itself")
    func waits() {
        var slots = HostSlots(limit: 1)
        let admitted7 = slots.admit(TransferID(number: 1), to: "a")
        #expect(admitted7)
        let admitted8 = slots.admit(TransferID(number: 2), to: "a")
        #expect(!admitted8)
        let admitted9 = slots.admit(TransferID(number: 3), to: "a")
        #expect(!admitted9)
        let admitted10 = slots.admit(TransferID(number: 4), to: "b")
        #expect(admitted10)
        #expect(slots.waitingCount == 2)
        let released11 = slots.release("a")
        #expect(released11 == TransferID(number: 2))
        slots.withdraw(TransferID(number: 3), from: "a")
        let released12 = slots.release("a")
        #expect(released12 == nil)
        let released13 = slots.release("b")
        #expect(released13 == nil)
        #expect(slots.waitingCount == 0)
        #expect(slots.hostCount == 0)
    }

    @Test("at random, no host runs more than its limit, and nobody is left waiting beside a free place")
    func random() {
        var generator = SeededGenerator(seed: 3)
        var slots = HostSlots(limit: 3)
        var running: [String: Set<TransferID>] = ["a": [], "b": []]
        var waiting: [String: [TransferID]] = ["a": [], "b": []]
        for number in 1...5000 as ClosedRange<UInt64> {
            let host = Bool.random(using: &generator) ? "a" : "b"
            let id = TransferID(number: number)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0, 1:
                if slots.admit(id, to: host) {
                    running[host]?.insert(id)
                } else {
                    waiting[host]?.append(id)
                }
            case 2, 3:
                guard let ended = running[host]?.randomElement(using: &generator) else { continue }
                running[host]?.remove(ended)
                let next = slots.release(host)
                #expect(next == waiting[host]?.first)
                if let next {
                    waiting[host]?.removeFirst()
                    running[host]?.insert(next)
                }
            default:
                guard let gone = waiting[host]?.randomElement(using: &generator) else { continue }
                waiting[host]?.removeAll { $0 == gone }
                slots.withdraw(gone, from: host)
            }
            #expect((running[host]?.count ?? 0) <= 3)
            #expect((waiting[host]?.isEmpty ?? true) || running[host]?.count == 3)
            #expect(slots.waitingCount == waiting.values.reduce(0) { $0 + $1.count })
        }
    }
}
