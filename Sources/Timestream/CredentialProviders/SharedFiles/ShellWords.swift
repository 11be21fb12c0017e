/// Splits a command into words as a POSIX shell would, without doing anything else a shell does.
enum ShellWords {
    /// The words; `nil` if a quote or an escape has no end.
    static func split(_ command: String) -> [String]? {
        var words: [String] = []
        var word: String.UnicodeScalarView?
        var scalars = command.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            switch scalar {
            case " ", "\t", "\r", "\n":
                if let finished = word { words.append(String(finished)) }
                word = nil
            case "'":
                var text = word ?? .init()
                while true {
                    guard let next = scalars.next() else { return nil }
                    if next == "'" { break }
                    text.append(next)
                }
                word = text
            case "\"":
                var text = word ?? .init()
                while true {
                    guard let next = scalars.next() else { return nil }
                    if next == "\"" { break }
                    guard next == "\\" else {
                        text.append(next)
                        continue
                    }
                    guard let escaped = scalars.next() else { return nil }
                    // Other characters keep their backslash inside double quotes.
                    if escaped != "\"", escaped != "\\" { text.append("\\") }
                    text.append(escaped)
                }
                word = text
            case "\\":
                guard let escaped = scalars.next() else { return nil }
                word = (word ?? .init()) + [escaped]
            default:
                word = (word ?? .init()) + [scalar]
            }
        }
        if let finished = word { words.append(String(finished)) }
        return words
    }
}
