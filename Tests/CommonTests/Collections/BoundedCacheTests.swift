import Testing

@testable import Common

@Suite("A cache that stays small")
struct BoundedCacheTests {
    @Test("never holds more than its capacity, and forgets what was not used lately", arguments: [2, 3, 10, 101])
    func bound(capacity: Int) {
        var cache = BoundedCache<Int, Int>(capacity: capacity)
        cache.insert(-1, for: 0)
        for key in 1...1_000 {
            cache.insert(-key, for: key)
            #expect(cache.count <= max(capacity, 2))
            #expect(cache.value(of: key) == -key)
            // In use all the time, so never forgotten.
            #expect(cache.value(of: 0) == -1)
        }
        #expect(cache.value(of: 1) == nil)
    }

    @Test("a value is replaced, and removed, whichever generation holds it")
    func replacement() {
        for others in 0...8 {
            var cache = BoundedCache<Int, String>(capacity: 16)
            cache.insert("old", for: 0)
            for key in 1...(others + 1) { cache.insert("other", for: key) }
            cache.insert("new", for: 0)
            #expect(cache.value(of: 0) == "new")
            cache.remove(0)
            #expect(cache.value(of: 0) == nil)
            #expect(cache.count == others + 1)
        }
    }
}
