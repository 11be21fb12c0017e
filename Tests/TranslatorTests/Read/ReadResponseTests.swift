import Testing

@testable import Translator

@Suite("Series become a ReadResponse")
struct ReadResponseTests {
    private func set(_ series: [(labels: [(String, String)], samples: [(Int64, UInt64)])]) -> SeriesSet {
        var set = SeriesSet()
        set.names = Set(series.flatMap { $0.labels.map { Array($0.0.utf8) } })
            .sorted { $0.lexicographicallyPrecedes($1) }
        for one in series {
            let first = set.labels.count
            for (name, value) in one.labels {
                let value = Array(value.utf8)
                set.labels.append(
                    SeriesSet.Label(
                        name: Int32(set.names.firstIndex(of: Array(name.utf8)) ?? -1),
                        valueCount: Int32(value.count),
                        valueStart: set.values.count
                    )
                )
                set.values += value
            }
            let samples = one.samples.map { SeriesSet.Sample(timestampMilliseconds: $0.0, bits: $0.1) }
            set.series.append(SeriesSet.Series(labels: first..<set.labels.count, samples: samples))
        }
        return set
    }

    @Test("a series has the bytes that it has in the reference's write request")
    func vector() {
        let set = self.set([
            ([("__name__", "up"), ("job", "a")], [(1_700_000_000_000, (1.0).bitPattern)])
        ])
        let expected =
            "0a2e" + "0a2c0a0e0a085f5f6e616d655f5f120275700a080a036a6f62120161121009000000000000f03f1080d095ffbc31"
        #expect(ReadResponse.encode([set]) == bytes(hexadecimal: expected))
    }

    @Test("empty results are written too, in their places")
    func empty() {
        let one = self.set([([("a", "b")], [(1, 2)])])
        #expect(ReadResponse.encode([]).isEmpty)
        #expect(ReadResponse.encode([SeriesSet()]) == [0x0A, 0x00])
        let response = DecodedResponse(message: ReadResponse.encode([SeriesSet(), one, SeriesSet()]))
        #expect(response.results.map(\.count) == [0, 1, 0])
    }

    @Test("bit patterns and times survive: zero, minus zero, stale, NaN, infinity, before 1970")
    func values() {
        let samples: [(Int64, UInt64)] = [
            (-1, 0), (0, (-0.0).bitPattern), (1, 0x7FF0_0000_0000_0002), (2, 0x7FF8_0000_0000_0001),
            (3, Double.infinity.bitPattern), (.max, 1), (.min, .max),
        ]
        let response = DecodedResponse(message: ReadResponse.encode([self.set([([], samples)])]))
        #expect(response.results[0][0].samples.map(\.time) == samples.map(\.0))
        #expect(response.results[0][0].samples.map(\.bits) == samples.map(\.1))
    }

    @Test("lengths of every size of varint", arguments: [0, 1, 125, 126, 127, 128, 129, 16_383, 16_384, 70_000])
    func lengths(count: Int) {
        let value = String(repeating: "v", count: count)
        let set = self.set([([("name", value)], (0..<Int64(count)).map { ($0, UInt64($0)) })])
        let series = DecodedResponse(message: ReadResponse.encode([set])).results[0][0]
        #expect(series.labels.map(\.value.count) == [count])
        #expect(series.samples.count == count)
        #expect(series.samples.last?.time == (count == 0 ? nil : Int64(count - 1)))
    }

    @Test("the buffer is reserved at its final size")
    func size() {
        let set = self.set((0..<50).map { ([("n", "\($0)")], [($0, UInt64($0)), (1_700_000_000_000, 1)]) })
        let encoded = ReadResponse.encode([set, SeriesSet(), set])
        #expect(encoded.capacity < encoded.count + 64)
    }

    @Test("series sort by their labels' bytes, samples by time; equal series become one")
    func order() {
        var set = self.set([
            ([("a", "b"), ("c", "d")], [(5, 1)]),
            ([("a", "é")], [(1, 1)]),
            ([("a", "z")], [(1, 1)]),
            ([("_", "z")], [(1, 1)]),
            ([("Z", "z")], [(1, 1)]),
            ([], [(1, 1)]),
            ([("a", "b")], [(3, 1), (1, 1), (2, 0x7FF0_0000_0000_0002), (2, 9), (3, 1)]),
            ([("a", "b"), ("c", "d")], [(4, 1)]),
        ])
        set.normalize()
        let response = DecodedResponse(message: ReadResponse.encode([set])).results[0]
        let labels = response.map { series in
            series.labels.map { String(decoding: $0.name + [0x3D] + $0.value, as: UTF8.self) }
        }
        #expect(labels == [[], ["Z=z"], ["_=z"], ["a=b"], ["a=b", "c=d"], ["a=z"], ["a=é"]])
        #expect(response[3].samples.map(\.time) == [1, 2, 3])
        #expect(response[3].samples.map(\.bits) == [1, 9, 1])
        #expect(response[4].samples.map(\.time) == [4, 5])
    }
}
