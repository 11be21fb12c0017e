extension Parser {
    /// `[…]`: here `[`, `&&` and `{` have no meaning of their own, `]` has none in the first place, `-` only between.
    mutating func parseClass() throws(RegularExpressionError) {
        let start = self.position
        self.position += 1
        let isNegated = self.peek() == "^"
        if isNegated {
            self.position += 1
        }
        var ranges: [ClosedRange<UInt32>] = []
        var isFirst = true
        // Large classes named over and over are merged now and then, to bound the memory.
        var mergeAt = 1 << 14
        while isFirst || self.peek() != "]" {
            isFirst = false
            if let set = try self.parseNamedClass() {
                ranges += set.ranges
            } else if let set = try self.parseClassEscape() {
                ranges += set.ranges
            } else {
                let range = try self.parseClassRange(classStart: start)
                ranges += self.flags.foldsCase ? CaseFolding.closure(ScalarSet([range])).ranges : [range]
            }
            if ranges.count > mergeAt {
                ranges = ScalarSet(ranges).ranges
                mergeAt = 2 * ranges.count + (1 << 14)
            }
        }
        self.position += 1
        let set = ScalarSet(ranges)
        try self.push(isNegated ? set.complement : set)
    }

    /// `[:name:]` or `[:^name:]` at `position`; nil, and nothing read, if there is no `:]` further on.
    private mutating func parseNamedClass() throws(RegularExpressionError) -> ScalarSet? {
        guard self.peek() == "[", self.peek(1) == ":", !self.hasNoMoreNamedClasses else { return nil }
        let start = self.position
        guard let end = self.endOfNamedClass(from: start + 2) else {
            self.hasNoMoreNamedClasses = true
            return nil
        }
        self.position = end + 2
        var name = self.string((start + 2)..<end)
        let isNegated = name.unicodeScalars.first == "^"
        if isNegated {
            name.unicodeScalars.removeFirst()
        }
        guard let set = ScalarSet.posix(name) else { throw self.error(.invalidClassRange, from: start) }
        let folded = self.flags.foldsCase ? CaseFolding.closure(set) : set
        return isNegated ? folded.complement : folded
    }

    private func endOfNamedClass(from start: Int) -> Int? {
        var start = start
        while let colon = self.find(":", from: start) {
            if colon + 1 < self.text.count, self.text[colon + 1] == "]" { return colon }
            start = colon + 1
        }
        return nil
    }

    /// A character, or two with a hyphen between.
    private mutating func parseClassRange(classStart: Int) throws(RegularExpressionError) -> ClosedRange<UInt32> {
        let start = self.position
        let lower = try self.parseClassCharacter(classStart: classStart)
        guard self.peek() == "-", let after = self.peek(1), after != "]" else { return lower...lower }
        self.position += 1
        let upper = try self.parseClassCharacter(classStart: classStart)
        guard lower <= upper else { throw self.error(.invalidClassRange, from: start) }
        return lower...upper
    }

    private mutating func parseClassCharacter(classStart: Int) throws(RegularExpressionError) -> UInt32 {
        if self.peek() == "\\" { return try self.parseEscape() }
        guard let scalar = self.next() else { throw self.error(.missingBracket, from: classStart) }
        return scalar.value
    }
}
