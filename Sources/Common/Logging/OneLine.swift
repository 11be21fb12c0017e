/// A text in one line of at most `limitBytes` UTF-8 bytes: control characters and line ends of any kind become blanks, and
/// what is too long ends in an ellipsis. For words of others in answers and logs.
package func oneLine(_ text: String, limitBytes: Int) -> String {
    let ellipsis = "…"
    var result = ""
    // Where to cut if what follows does not fit.
    var cut = result.endIndex
    for scalar in text.unicodeScalars {
        let isBreaking =
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: true
            default: false
            }
        result.unicodeScalars.append(isBreaking ? " " : scalar)
        if result.utf8.count <= limitBytes - ellipsis.utf8.count { cut = result.endIndex }
        if result.utf8.count > limitBytes {
            return limitBytes < ellipsis.utf8.count ? "" : String(result.unicodeScalars[..<cut]) + ellipsis
        }
    }
    return result
}
