/// Reads a mapping key by key, and in the end reports the keys that nobody asked for.
struct MappingReader {
    let place: Place
    let context: LoadContext
    private let entries: [YAMLEntry]
    private var isTaken: [Bool]
    private var known: [String] = []
    /// Something else than a mapping stands here, which was reported: nothing that is absent is missed then.
    private let isUnreadable: Bool

    /// - Parameter node: `nil` for a mapping that is not there; it reads as empty.
    init(_ node: YAMLNode?, at place: Place, in context: LoadContext) {
        self.place = place
        self.context = context
        switch node?.content {
        case .mapping(let entries):
            self.entries = entries
            self.isUnreadable = false
        case .scalar(let scalar) where scalar.isNull:
            // `limits:` with every line under it commented out.
            self.entries = []
            self.isUnreadable = false
        case .scalar(_)?, .sequence(_)?:
            self.entries = []
            self.isUnreadable = true
            let found = if case .sequence = node?.content { "a list" } else { "a single value" }
            context.report(
                place,
                "expected a mapping, found \(found)",
                remedy: "write key: value lines below it, or {key: value}"
            )
        case .broken?:
            self.entries = []
            self.isUnreadable = true
        case nil:
            self.entries = []
            self.isUnreadable = false
        }
        self.isTaken = Array(repeating: false, count: self.entries.count)
    }

    /// The value of a key; `nil` if it is absent.
    mutating func field(_ key: String) -> Field? {
        self.known.append(key)
        return self.take(key)
    }

    /// The value of a key that has to be there.
    mutating func required(_ key: String, remedy: String) -> Field? {
        if let field = self.field(key) { return field }
        if !self.has(key) {
            self.context.report(self.place.child(key, self.place.mark), "missing", remedy: remedy)
        }
        return nil
    }

    /// The mapping below a key; empty if it is absent.
    mutating func mapping(_ key: String) -> MappingReader {
        guard let field = self.field(key) else {
            return MappingReader(nil, at: self.place.child(key, self.place.mark), in: self.context)
        }
        return field.mapping()
    }

    /// Whether the mapping has the key, whatever its value; what cannot be read may have any.
    func has(_ key: String) -> Bool { self.isUnreadable || self.entries.contains { $0.key == key } }

    /// Whether the mapping has no entries at all.
    var isEmpty: Bool { self.entries.isEmpty }

    /// Every entry in the file's order, for mappings whose keys are names of the operator's choice.
    mutating func takeAll() -> [(key: String, field: Field)] {
        self.isTaken = Array(repeating: true, count: self.entries.count)
        return self.entries.map { ($0.key, self.field(of: $0)) }
    }

    /// Refuses a key with a message of its own; it is not listed among the known ones.
    mutating func refuse(_ key: String, _ message: String, remedy: String) {
        guard let field = self.take(key) else { return }
        self.context.report(field.place, message, remedy: remedy)
    }

    /// Reports keys that nobody asked for.
    func finish() {
        let unknown = zip(self.entries, self.isTaken).filter { !$1 }.map(\.0)
        guard !unknown.isEmpty else { return }
        let list = "known keys: \(self.known.sorted().joined(separator: ", "))"
        for (index, entry) in unknown.enumerated() {
            // A file of something else altogether is not searched for slips of the pen.
            let nearest = index < 20 ? Spelling.nearest(to: entry.key, among: self.known) : nil
            self.context.report(
                self.place.child(entry.key, entry.keyMark),
                "unknown key",
                remedy: nearest.map { "did you mean \"\($0)\"? \(list)" } ?? list
            )
        }
    }

    private mutating func take(_ key: String) -> Field? {
        guard let index = self.entries.firstIndex(where: { $0.key == key }) else { return nil }
        self.isTaken[index] = true
        let field = self.field(of: self.entries[index])
        if case .broken = field.node.content { return nil }
        return field
    }

    private func field(of entry: YAMLEntry) -> Field {
        Field(
            node: entry.value,
            // A value that is not written has no place of its own.
            place: self.place.child(entry.key, entry.value.isNull ? entry.keyMark : entry.value.mark),
            keyMark: entry.keyMark,
            context: self.context
        )
    }
}

extension YAMLNode {
    var isNull: Bool {
        if case .scalar(let scalar) = self.content { scalar.isNull } else { false }
    }
}
