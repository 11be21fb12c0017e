import Foundation
import TestSupport
import Testing

@testable import Translator

@Suite("Cells of an answer are read exactly")
struct CellTextTests {
    private func time(_ text: String) -> Int64? {
        CellText.timestampMilliseconds(Array(text.utf8).span)
    }

    private func double(_ text: String) -> UInt64? {
        CellText.doubleBits(Array(text.utf8).span)
    }

    @Test(
        "times to the millisecond, rounded down",
        arguments: [
            ("1970-01-01 00:00:00.000000000", 0),
            ("1970-01-01 00:00:00.001000000", 1),
            ("1969-12-31 23:59:59.999000000", -1),
            ("1969-12-31 23:59:59.999999999", -1),
            ("2020-10-17 16:59:50.892000000", 1_602_953_990_892),
            ("2020-10-17 16:59:50.892999999", 1_602_953_990_892),
            ("2020-10-17 16:59:50", 1_602_953_990_000),
            ("2020-10-17 16:59:50.8", 1_602_953_990_800),
            ("2000-02-29 12:00:00.000000000", 951_825_600_000),
            ("2262-04-11 23:47:16.854775807", 9_223_372_036_854),
            ("1677-09-21 00:12:43.145224193", -9_223_372_036_855),
        ] as [(String, Int64)]
    )
    func timestamps(text: String, expected: Int64) {
        #expect(self.time(text) == expected)
    }

    @Test("every time reads back as Foundation's calendar writes it")
    func timestampsRoundTrip() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<2_000 {
            let milliseconds = Int64.random(in: 0...9_223_372_036_854, using: &generator)
            #expect(self.time(timestampText(milliseconds)) == milliseconds)
        }
    }

    @Test(
        "what is no time is none",
        arguments: [
            "", "2020", "2020-10-17", "2020-10-17T16:59:50.892000000", "2020-13-17 16:59:50", "2020-00-17 16:59:50",
            "2021-02-29 00:00:00", "1900-02-29 00:00:00", "2020-04-31 00:00:00", "2020-10-00 00:00:00",
            "2020-10-17 24:00:00", "2020-10-17 16:60:50", "2020-10-17 16:59:60", "2020-10-17 16:59:50.",
            "2020-10-17 16:59:50.8920000001", "2020-10-17 16:59:50.89200000x", "2020-10-17 16:59:50Z",
            "+020-10-17 16:59:50", "2020-10-17 16:59: 5", "２０２０-10-17 16:59:50",
        ]
    )
    func badTimestamps(text: String) {
        #expect(self.time(text) == nil)
    }

    @Test(
        "doubles in Java's form, to the bit",
        arguments: [
            ("35.0", 35.0), ("0.6119229761855376", 0.6119229761855376), ("4.294967167E7", 42_949_671.67),
            ("1.6554878837710001E9", 1_655_487_883.7710001), ("-0.0", -0.0), ("0.0", 0.0), ("1.0E-7", 1e-7),
            ("4.9E-324", .leastNonzeroMagnitude), ("2.2250738585072014E-308", 2.2250738585072014e-308),
            ("1.7976931348623157E308", .greatestFiniteMagnitude),
            ("-1.7976931348623157E308", -.greatestFiniteMagnitude),
            ("9007199254740993", 9_007_199_254_740_992), ("9.007199254740993E15", 9_007_199_254_740_992),
            ("1e22", 1e22), ("1E23", 1e23), ("123456789012345678901234567890", 1.2345678901234568e29),
            ("0.1000000000000000055511151231257827", 0.1), ("Infinity", .infinity), ("-Infinity", -.infinity),
            ("00012.50", 12.5), ("+1.5", 1.5), ("7", 7),
        ]
    )
    func doubles(text: String, expected: Double) {
        #expect(self.double(text) == expected.bitPattern)
    }

    @Test("a NaN becomes the one that Prometheus writes")
    func nan() {
        #expect(self.double("NaN") == 0x7FF8_0000_0000_0001)
    }

    @Test("every finite double reads back, in Swift's form and in Java's")
    func doublesRoundTrip() {
        var generator = SeededGenerator(seed: 2)
        for round in 0..<20_000 {
            var value = Double(bitPattern: UInt64.random(in: .min ... .max, using: &generator))
            if round % 4 == 1 { value = Double(Int64.random(in: -1_000_000...1_000_000, using: &generator)) / 1_000 }
            if round % 4 == 2 { value = Double.random(in: -1e9...1e9, using: &generator) }
            guard value.isFinite else { continue }
            #expect(self.double(javaText(value)) == value.bitPattern, "\(value)")
            #expect(self.double("\(value)") == value.bitPattern, "\(value)")
        }
    }

    @Test(
        "what is no number is none",
        arguments: [
            "", "-", "+", ".", "e5", "1e", "1e+", "1e5x", "0x1p3", "nan", "inf", "infinity", "1.2.3", "1,5", " 1", "1 ",
            "1e1234567", "--1", "Na", "NaNN", "-NaN",
        ]
    )
    func badDoubles(text: String) {
        #expect(self.double(text) == nil)
    }

    @Test(
        "integers of 64 bits as bit patterns",
        arguments: [
            ("0", 0), ("-0", 0), ("1", 1), ("-1", .max), ("9223372036854775807", 0x7FFF_FFFF_FFFF_FFFF),
            ("-9223372036854775808", 0x8000_0000_0000_0000), ("9218868437227405314", 0x7FF0_0000_0000_0002),
            ("9223372036854775808", nil), ("-9223372036854775809", nil), ("18446744073709551616", nil), ("", nil),
            ("-", nil), ("+1", nil), ("1.0", nil), ("1x", nil), ("99999999999999999999999", nil),
        ] as [(String, UInt64?)]
    )
    func bigints(text: String, expected: UInt64?) {
        #expect(CellText.bigintBits(Array(text.utf8).span) == expected)
    }
}
