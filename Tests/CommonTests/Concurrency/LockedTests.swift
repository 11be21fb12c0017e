import Foundation
import Testing

@testable import Common

@Suite("A value behind a lock")
struct LockedTests {
    @Test("threads that all add lose nothing, and see each other's last value")
    func threads() {
        let locked = Locked<[Int]>([])
        let done = DispatchGroup()
        for thread in 0..<4 {
            done.enter()
            Thread.detachNewThread {
                for number in 0..<2_000 { locked.withLock { $0.append(thread * 2_000 + number) } }
                done.leave()
            }
        }
        done.wait()
        #expect(locked.withLock { Set($0) } == Set(0..<8_000))
    }

    @Test("tasks that all add lose nothing")
    func tasks() async {
        let locked = Locked(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { for _ in 0..<100 { locked.withLock { $0 += 1 } } } }
        }
        #expect(locked.withLock { $0 } == 5_000)
    }

    @Test("an error comes through and opens the lock again")
    func failure() {
        let locked = Locked(1)
        #expect(throws: CancellationError.self) {
            try locked.withLock { value throws(CancellationError) in
                value = 2
                throw CancellationError()
            }
        }
        #expect(locked.withLock { $0 } == 2)
    }

    @Test("the value lives as long as the lock, and no longer")
    func lifetime() {
        final class Witness: Sendable {}
        weak var witness: Witness?
        do {
            let locked = Locked<Witness?>(nil)
            let object = Witness()
            witness = object
            locked.withLock { $0 = object }
            #expect(locked.withLock { $0 } === object)
        }
        #expect(witness == nil)
    }
}
