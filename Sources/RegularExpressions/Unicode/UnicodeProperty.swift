/// What may stand in `\p{…}`: general categories with their long names, scripts, `Any`, `ASCII`, `Assigned`.
///
/// As Go 1.25 and later: case, spaces, hyphens and underscores in names do not matter; there are no `Is` prefixes, no
/// script abbreviations and no binary properties.
enum UnicodeProperty {
    /// - Parameter name: as written, without a leading `^`.
    /// - Parameter foldsCase: whether `(?i)` is in force.
    /// - Returns: nil if there is no such property.
    static func set(_ name: String, foldsCase: Bool) -> ScalarSet? {
        let key = Self.key(name)
        switch key {
        case "any":
            return .all
        case "assigned":
            return Self.unassigned.complement
        case "lc", "casedletter":
            // Go has no folding table for this one, so U+0345, which folds to iota, stays out.
            return Self.categories["lc"]
        case "ascii":
            let set = ScalarSet([0...0x7F])
            return foldsCase ? CaseFolding.closure(set) : set
        default:
            guard let set = Self.categories[Self.longNames[key] ?? key] ?? Self.scripts[key] else { return nil }
            return foldsCase ? CaseFolding.closure(set) : set
        }
    }

    private static let scripts = Self.records(UnicodeTables.scripts)
    private static let unassigned = Self.categories["cn"] ?? ScalarSet([])

    /// Single categories, and the groups of them.
    private static let categories: [String: ScalarSet] = {
        var result = Self.records(UnicodeTables.categories)
        // Surrogates are in no set; here they must not count as unassigned.
        let assigned = result.values.flatMap(\.ranges) + [0xD800...0xDFFF]
        result["cn"] = ScalarSet(assigned).complement
        let groups = [
            "c": ["cc", "cf", "co", "cn"], "l": ["lu", "ll", "lt", "lm", "lo"], "lc": ["lu", "ll", "lt"],
            "m": ["mn", "mc", "me"], "n": ["nd", "nl", "no"], "p": ["pc", "pd", "ps", "pe", "pi", "pf", "po"],
            "s": ["sm", "sc", "sk", "so"], "z": ["zs", "zl", "zp"],
        ]
        for (group, members) in groups {
            result[group] = ScalarSet(members.flatMap { result[$0]?.ranges ?? [] })
        }
        return result
    }()

    /// Names under which Unicode's PropertyValueAliases.txt also knows the categories, written as keys.
    private static let longNames = [
        "closepunctuation": "pe", "combiningmark": "m", "connectorpunctuation": "pc", "control": "cc",
        "currencysymbol": "sc", "dashpunctuation": "pd", "decimalnumber": "nd", "enclosingmark": "me",
        "finalpunctuation": "pf", "format": "cf", "initialpunctuation": "pi", "letter": "l", "letternumber": "nl",
        "lineseparator": "zl", "lowercaseletter": "ll", "mark": "m", "mathsymbol": "sm", "modifierletter": "lm",
        "modifiersymbol": "sk", "nonspacingmark": "mn", "number": "n", "openpunctuation": "ps", "other": "c",
        "otherletter": "lo", "othernumber": "no", "otherpunctuation": "po", "othersymbol": "so",
        "paragraphseparator": "zp", "privateuse": "co", "punctuation": "p", "separator": "z", "spaceseparator": "zs",
        "spacingmark": "mc", "surrogate": "cs", "symbol": "s", "titlecaseletter": "lt", "unassigned": "cn",
        "uppercaseletter": "lu", "cntrl": "cc", "digit": "nd", "punct": "p",
    ]

    /// ASCII in lower case, separators left out; anything else stays and so matches nothing.
    private static func key(_ name: String) -> String {
        var key = ""
        for scalar in name.unicodeScalars where scalar != "_" && scalar != "-" && scalar != " " {
            key.unicodeScalars.append(
                ("A"..."Z").contains(scalar) ? Unicode.Scalar(UInt8(scalar.value + 0x20)) : scalar
            )
        }
        return key
    }

    private static func records(_ table: String) -> [String: ScalarSet] {
        var result: [String: ScalarSet] = [:]
        var lines = table.utf8.split(separator: 0x0A)[...]
        while let line = lines.popFirst() {
            guard let equals = line.firstIndex(of: 0x3D) else { continue }
            var digits = Array(line[line.index(after: equals)...])
            while let next = lines.first, next.first == 0x20 {
                digits += next.dropFirst()
                lines.removeFirst()
            }
            var reader = TableReader(digits)
            var ranges: [ClosedRange<UInt32>] = []
            var last: UInt32 = 0
            while let gap = reader.next(), let length = reader.next() {
                ranges.append((last + gap)...(last + gap + length))
                last += gap + length
            }
            result[String(decoding: line[..<equals], as: UTF8.self)] = ScalarSet(ranges)
        }
        return result
    }
}

/// Reads the numbers of `UnicodeTables`, passing over line breaks.
struct TableReader {
    private let digits: [UInt8]
    private var position = 0

    init(_ digits: some Sequence<UInt8>) {
        self.digits = digits.filter { $0 >= 0x30 }
    }

    mutating func next() -> UInt32? {
        var result: UInt32 = 0
        var shift: UInt32 = 0
        while self.position < self.digits.count {
            let digit = UInt32(self.digits[self.position] - 0x30)
            self.position += 1
            result |= (digit & 31) << shift
            guard digit >= 32 else { return result }
            shift += 5
        }
        return nil
    }
}
