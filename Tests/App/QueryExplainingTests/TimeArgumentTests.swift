import TestSupport
import Testing

@testable import QueryExplaining

@Suite("Times as they are typed")
struct TimeArgumentTests {
    /// 2026-03-01T12:00:00Z.
    private static let now: Int64 = 1_772_366_400_000

    @Test(
        "in all their forms",
        arguments: [
            ("now", now), ("2026-03-01T12:00:00Z", now), ("2026-03-01t12:00:00z", now), ("2026-03-01 12:00:00Z", now),
            ("2026-03-01T13:30:00+01:30", now), ("2026-03-01T07:00:00-05:00", now),
            ("2026-03-01T12:00:00.5Z", now + 500),
            ("2026-03-01T12:00:00.0019999Z", now + 1), ("1970-01-01T00:00:00Z", 0), ("1969-12-31T23:59:59.999Z", -1),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000), ("1772366400", now), ("1772366400.25", now + 250), ("0", 0),
            ("-1h", now - 3_600_000), ("-90m", now - 5_400_000), ("-1h30m", now - 5_400_000), ("-1d", now - 86_400_000),
            ("-2w", now - 14 * 86_400_000), ("-1y", now - 365 * 86_400_000), ("-250ms", now - 250), ("-0s", now),
            ("+5m", now + 300_000), ("-1y2w3d4h5m6s7ms", now - 33_019_506_007),
        ] as [(String, Int64)]
    )
    func good(text: String, expected: Int64) throws {
        #expect(try TimeArgument.milliseconds(text, now: Self.now) == expected)
    }

    @Test(
        "and nothing else",
        arguments: [
            "", " ", "today", "Now", "-", "+", "-1", "-3600", "-1x", "-h", "-1h ", " -1h", "-1m1h", "-1h1h", "-1.5h",
            "1h",
            "-99999999999999999999s", "-999999999999999999y", "1772366400.", "1772366400s", ".5", "1e9", "0x10",
            "1772366400000000000", "2026-03-01", "2026-03-01T12:00Z", "2026-03-01T12:00:00", "2026-3-01T12:00:00Z",
            "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z", "2026-03-01T24:00:00Z",
            "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+0100",
            "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00ZZ", "20260-03-01T12:00:00Z", "٢٠٢٦-03-01T12:00:00Z",
        ]
    )
    func bad(text: String) {
        #expect(throws: TimeArgument.Problem.self) { try TimeArgument.milliseconds(text, now: Self.now) }
    }

    @Test("what is too far away is no crash")
    func overflow() {
        #expect(throws: TimeArgument.Problem.self) { try TimeArgument.milliseconds("-1s", now: .min) }
        #expect(throws: TimeArgument.Problem.self) { try TimeArgument.milliseconds("+1s", now: .max) }
    }

    @Test("printed and read back they are the same", arguments: 1...10 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        #expect(TimeArgument.text(Self.now) == "2026-03-01T12:00:00Z")
        #expect(TimeArgument.text(7) == "1970-01-01T00:00:00.007Z")
        // From the year 0 to 9999.
        for _ in 0..<1_000 {
            let time = Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &generator)
            #expect(try TimeArgument.milliseconds(TimeArgument.text(time), now: 0) == time)
        }
    }
}
