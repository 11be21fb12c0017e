import Common

/// One value of the file, asked for as what it should be. Every question that is answered `nil` has been reported.
struct Field {
    let node: YAMLNode
    let place: Place
    /// Where the key stands; for an item of a list, the item itself.
    let keyMark: Mark
    let context: LoadContext
    /// Whether the value is a secret, which no message may repeat.
    var isSecret = false

    /// A scalar after the environment's values were put in.
    struct Scalar {
        var text: String
        /// May be read as a number or a Boolean: it stands without quotes, or came from the environment, which in
        /// brackets cannot be written without quotes.
        var isPlain: Bool
        /// As it stands in the file; `nil` for a secret.
        fileprivate var written: String?

        /// What messages say was found. The environment often holds secrets: the name is repeated, never the value.
        var found: String {
            let shown = self.written.map(Quotation.quoted) ?? "a value that is not shown"
            let isEmptied = self.text.isEmpty && self.written != ""
            return isEmptied ? shown + ", which is empty" : shown
        }
    }

    var asSecret: Field {
        var field = self
        field.isSecret = true
        return field
    }

    func report(_ message: String, remedy: String?) {
        self.context.report(self.place, message, remedy: remedy)
    }

    func reportWrong(_ expected: String, _ scalar: Scalar, remedy: String) {
        self.report("expected \(expected), found \(scalar.found)", remedy: remedy)
    }

    // MARK: Shapes

    var isMapping: Bool { if case .mapping = self.node.content { true } else { false } }

    /// The scalar itself.
    ///
    /// - Parameter expected: what the message says should stand here.
    func scalar(_ expected: String, remedy: String) -> Scalar? {
        switch self.node.content {
        case .broken:
            return nil
        case .mapping:
            self.report("expected \(expected), found a mapping", remedy: remedy)
            return nil
        case .sequence:
            self.report("expected \(expected), found a list", remedy: remedy)
            return nil
        case .scalar(let scalar) where scalar.isNull:
            self.report("expected \(expected), found nothing", remedy: remedy)
            return nil
        case .scalar(let scalar):
            return self.expanded(scalar)
        }
    }

    private func expanded(_ scalar: YAMLScalar) -> Scalar? {
        do {
            let value = try EnvironmentExpansion.expand(scalar.text, self.context.environment)
            return Scalar(
                text: value.text,
                isPlain: scalar.isPlain || value.isFromEnvironment,
                written: self.isSecret ? nil : scalar.text
            )
        } catch {
            self.report(error.message, remedy: error.remedy)
            return nil
        }
    }

    func mapping() -> MappingReader {
        var place = self.place
        // A block mapping starts at its first key; what is missing from it is looked for at its own key.
        place.mark = self.keyMark
        return MappingReader(self.node, at: place, in: self.context)
    }

    /// The items of a list that may not be empty.
    func list(of what: String, example: String) -> [Field] {
        let remedy = "write a list: \(example)"
        switch self.node.content {
        case .broken:
            return []
        case .sequence(let nodes) where !nodes.isEmpty:
            return nodes.enumerated().map { index, node in
                Field(node: node, place: self.place.item(index, node.mark), keyMark: node.mark, context: self.context)
            }
        case .sequence:
            self.report("expected a list of \(what), found an empty one", remedy: remedy)
        case .mapping:
            self.report("expected a list of \(what), found a mapping", remedy: remedy)
        case .scalar(let scalar):
            self.report(
                "expected a list of \(what), found \(scalar.isNull ? "nothing" : "a single value")",
                remedy: remedy
            )
        }
        return []
    }

    // MARK: Text

    /// Text that a rule accepts; never empty, and without control characters.
    func text(_ expected: String, remedy: String, where isValid: (String) -> Bool = { _ in true }) -> String? {
        guard let scalar = self.scalar(expected, remedy: remedy) else { return nil }
        let isClean =
            !scalar.text.isEmpty && scalar.text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        guard isClean, isValid(scalar.text) else {
            self.reportWrong(expected, scalar, remedy: remedy)
            return nil
        }
        return scalar.text
    }

    /// One of a few words.
    func word(of words: [String]) -> String? {
        let expected = Quotation.alternatives(words)
        let remedy = words.count == 1 ? "write \(expected)" : "write one of them"
        guard let scalar = self.scalar(expected, remedy: remedy) else { return nil }
        guard !words.contains(scalar.text) else { return scalar.text }
        // 1.1 is no slip of the pen for 1.2.
        let isWord = !(scalar.text.utf8.first.map(ASCII.isDigit) ?? true)
        let nearest = isWord ? Spelling.nearest(to: scalar.text, among: words) : nil
        self.reportWrong(expected, scalar, remedy: nearest.map { "did you mean \"\($0)\"?" } ?? remedy)
        return nil
    }

    /// One of the cases of an enumeration whose raw values are the words of the file.
    func choice<Choice: CaseIterable & RawRepresentable<String>>(_ type: Choice.Type) -> Choice? {
        self.word(of: type.allCases.map(\.rawValue)).flatMap(Choice.init(rawValue:))
    }

    func boolean() -> Bool? {
        let remedy = "write true or false, without quotes"
        guard let scalar = self.scalar("true or false", remedy: remedy) else { return nil }
        switch scalar.text {
        case "true" where scalar.isPlain: return true
        case "false" where scalar.isPlain: return false
        default:
            self.reportWrong("true or false", scalar, remedy: remedy)
            return nil
        }
    }
}
