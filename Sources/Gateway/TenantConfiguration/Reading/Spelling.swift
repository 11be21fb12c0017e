/// Finds the word that was probably meant.
enum Spelling {
    /// The known word nearest to a misspelt one; `nil` if none is near. Case, `-` and `_` count for nothing.
    static func nearest(to word: String, among known: [String]) -> String? {
        let typed = Self.folded(word)
        guard (1...64).contains(typed.count) else { return nil }
        var best: (word: String, distance: Int)?
        for candidate in known {
            let target = Self.folded(candidate)
            let distance = Self.distance(typed, target)
            let allowed = min(3, max(1, max(typed.count, target.count) / 3))
            // Half the word changed is another word, not a slip.
            guard distance <= allowed, distance * 2 < max(typed.count, target.count) else { continue }
            guard let found = best, found.distance <= distance else {
                best = (candidate, distance)
                continue
            }
        }
        return best?.word
    }

    private static func folded(_ word: String) -> [UInt8] {
        word.lowercased().utf8.filter { $0 != UInt8(ascii: "_") && $0 != UInt8(ascii: "-") }
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other (optimal string
    /// alignment).
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for i in left.indices {
            var current = [i + 1]
            current.reserveCapacity(right.count + 1)
            for j in right.indices {
                var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (left[i] == right[j] ? 0 : 1))
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    cost = min(cost, beforePrevious[j - 1] + 1)
                }
                current.append(cost)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
