/// A place in a file; both numbers are 1-based, columns count characters.
struct Mark: Comparable, Hashable {
    var line: Int
    var column: Int

    static func < (left: Mark, right: Mark) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// One value of a YAML document, and where it was written.
///
/// An alias is the node it names: the copy shares its storage, and keeps the mark of the definition.
struct YAMLNode {
    enum Content {
        case scalar(YAMLScalar)
        case sequence([YAMLNode])
        /// In the file's order; keys are unique.
        case mapping([YAMLEntry])
        /// Something that was reported already: readers treat it as absent and say nothing more.
        case broken
    }
    var content: Content
    var mark: Mark
    /// The nodes of the subtree, this one included and every alias counted as what it stands for.
    var size: Int
}

struct YAMLEntry {
    var key: String
    var keyMark: Mark
    var value: YAMLNode
}

struct YAMLScalar {
    /// With quotes and escapes undone.
    var text: String
    /// Written without quotes, so that it may be a number, a Boolean or nothing.
    var isPlain: Bool

    /// Whether this is YAML's "nothing".
    var isNull: Bool {
        guard self.isPlain else { return false }
        return switch self.text {
        case "", "~", "null", "Null", "NULL": true
        default: false
        }
    }
}

/// What is wrong with a document as YAML, before anybody asks what its keys mean.
struct YAMLFault: Error {
    /// `nil` if it concerns the document as a whole.
    var mark: Mark?
    var path = ""
    var message: String
    var remedy: String?
}
