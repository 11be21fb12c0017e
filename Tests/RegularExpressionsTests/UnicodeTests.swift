import TestSupport
import Testing

@testable import RegularExpressions

@Suite("Unicode")
struct UnicodeTests {
    @Test("categories, scripts and their complements divide the scalars as the standard library's properties do")
    func categories() throws {
        // The tables have Unicode 15; what later versions assigned or changed is left to them.
        let sample = (0x20...0x2FFFF).lazy.filter { $0 % 7 == 0 || $0 < 0x600 }.compactMap { Unicode.Scalar($0) }
        let assigned = try #require(UnicodeProperty.set("Assigned", foldsCase: false))
        let known: [(String, Set<Unicode.GeneralCategory>)] = [
            ("Lu", [.uppercaseLetter]), ("Nd", [.decimalNumber]), ("Zs", [.spaceSeparator]), ("Sc", [.currencySymbol]),
            ("N", [.decimalNumber, .letterNumber, .otherNumber]),
            ("M", [.nonspacingMark, .spacingMark, .enclosingMark]),
            ("Cc", [.control]), ("Lt", [.titlecaseLetter]),
            (
                "punct",
                [
                    .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
                    .finalPunctuation, .otherPunctuation,
                ]
            ),
        ]
        for (name, categories) in known {
            let set = try #require(UnicodeProperty.set(name, foldsCase: false))
            let wrong = sample.filter { scalar in
                assigned.contains(scalar.value)
                    && set.contains(scalar.value) != categories.contains(scalar.properties.generalCategory)
            }
            #expect(Array(wrong) == [], "\(name)")
        }
        #expect(UnicodeTables.version == "15.0.0")
    }

    @Test(
        "names are taken with any case, spaces, hyphens and underscores",
        arguments: [("Lu", "uppercase letter"), ("Old_Italic", "old-ITALIC"), ("Greek", "greek"), ("C", "O t h e r")]
    )
    func names(name: String, other: String) throws {
        let set = try #require(UnicodeProperty.set(name, foldsCase: false))
        #expect(UnicodeProperty.set(other, foldsCase: false) == set)
        #expect(!set.isEmpty)
    }

    @Test(
        "there is no property by another name",
        arguments: ["", "Grek", "IsLu", "Alphabetic", "Lx", "sc=Greek", "Unknown"]
    )
    func unknownNames(name: String) {
        #expect(UnicodeProperty.set(name, foldsCase: false) == nil)
    }

    @Test("folding is simple folding, in whole orbits")
    func folding() {
        func orbit(_ scalar: UInt32) -> [UInt32] {
            CaseFolding.closure(ScalarSet([scalar...scalar])).ranges.flatMap { Array($0) }
        }
        #expect(orbit(0x6B) == [0x4B, 0x6B, 0x212A])
        #expect(orbit(0x212A) == [0x4B, 0x6B, 0x212A])
        #expect(orbit(0x53) == [0x53, 0x73, 0x17F])
        #expect(orbit(0x3C3) == [0x3A3, 0x3C2, 0x3C3])
        #expect(orbit(0x3B9) == [0x345, 0x399, 0x3B9, 0x1FBE])
        #expect(orbit(0x1C5) == [0x1C4, 0x1C5, 0x1C6])
        #expect(orbit(0xB5) == [0xB5, 0x39C, 0x3BC])
        #expect(orbit(0xDF) == [0xDF, 0x1E9E])
        #expect(orbit(0x130) == [0x130])
        #expect(orbit(0x131) == [0x131])
        #expect(orbit(0x1E943) == [0x1E921, 0x1E943])
        #expect(orbit(0x35) == [0x35])
    }

    @Test("sets of scalars behave as sets, without surrogates")
    func sets() {
        let set = ScalarSet([0x62...0x64, 0x61...0x61, 0x63...0x70, 0xD700...0xE001, 0x10FFFF...0x10FFFF])
        #expect(set.ranges == [0x61...0x70, 0xD700...0xD7FF, 0xE000...0xE001, 0x10FFFF...0x10FFFF])
        #expect(set.complement.complement == set)
        #expect(set.complement.ranges.first == 0...0x60)
        for scalar: UInt32 in [
            0, 0x60, 0x61, 0x70, 0x71, 0xD6FF, 0xD700, 0xD7FF, 0xD800, 0xDFFF, 0xE000, 0xE002, 0x10FFFF,
        ] {
            let isMember = set.ranges.contains { $0.contains(scalar) }
            #expect(set.contains(scalar) == isMember)
            let isSurrogate = (0xD800...0xDFFF).contains(scalar)
            #expect(set.complement.contains(scalar) == (!isMember && !isSurrogate))
        }
        #expect(ScalarSet.all.complement.isEmpty)
        #expect(ScalarSet.all.count == 0x110000 - 2048)
    }

    @Test("values are decoded as the standard library decodes them, stray bytes apart")
    func decoding() {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<5000 {
            let text = String(
                String.UnicodeScalarView(
                    (0..<4).compactMap { _ in Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &generator) >> 3) }
                )
            )
            let bytes = Array(text.utf8)
            var position = 0
            var scalars: [UInt32] = []
            while position < bytes.count {
                scalars.append(decodeScalar(bytes.span, &position))
            }
            #expect(scalars == text.unicodeScalars.map(\.value))
        }
        let broken: [([UInt8], Int)] = [
            ([0x80], 1), ([0xC0, 0x80], 2), ([0xC1, 0xBF], 2), ([0xC3], 1), ([0xE0, 0x9F, 0xBF], 3), ([0xE2, 0x82], 2),
            ([0xED, 0xA0, 0x80], 3), ([0xF0, 0x8F, 0xBF, 0xBF], 4), ([0xF4, 0x90, 0x80, 0x80], 4),
            ([0xF5, 0x80, 0x80, 0x80], 4), ([0xFF], 1), ([0xF0, 0x9F, 0x98], 3),
        ]
        for (bytes, count) in broken {
            var position = 0
            var scalars: [UInt32] = []
            while position < bytes.count {
                scalars.append(decodeScalar(bytes.span, &position))
            }
            #expect(scalars == Array(repeating: 0xFFFD, count: count), "\(bytes)")
        }
    }
}
