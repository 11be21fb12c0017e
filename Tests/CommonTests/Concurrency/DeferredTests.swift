import Common
import Testing

@Suite("A deferred value")
struct DeferredTests {
    private final class Making: Sendable {
        let count = Locked(0)
        func make() -> Int {
            self.count.withLock { count in
                count += 1
                return count
            }
        }
    }

    @Test("is made by the first who asks, once, and is not there before")
    func once() {
        let making = Making()
        let deferred = Deferred { making.make() }
        #expect(deferred.made == nil)
        #expect(making.count.withLock { $0 } == 0)
        #expect(deferred.value == 1 && deferred.value == 1)
        #expect(deferred.made == 1)
    }

    @Test("is one for all who ask at once")
    func atOnce() async {
        let making = Making()
        let deferred = Deferred { making.make() }
        let values = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<64 { group.addTask { deferred.value } }
            return await group.reduce(into: Set<Int>()) { $0.insert($1) }
        }
        #expect(values == [1])
    }

    @Test("lets go of what it was made of")
    func release() {
        var making: Making? = Making()
        weak let released = making
        let deferred = Deferred { [making] in making?.make() ?? 0 }
        making = nil
        #expect(released != nil)
        #expect(deferred.value == 1)
        #expect(released == nil)
    }
}
