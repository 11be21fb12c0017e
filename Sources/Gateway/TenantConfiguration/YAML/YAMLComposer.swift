/// Builds the tree of one YAML document from its events.
///
/// Strict where YAML is generous: one document, unique keys that are text, no merge keys, no tags of one's own. Aliases
/// are taken, but what they stand for counts as if it were written out: a few lines of nested aliases cannot become more
/// work than a file of the largest size.
struct YAMLComposer: ~Copyable {
    /// Bounds on what is composed.
    struct Bounds {
        /// Nodes of a document, every alias counted as what it stands for.
        var nodes = 2_000_000
        /// Mappings and lists inside each other.
        var depth = 64
    }

    private enum Step {
        case key(String)
        case item(Int)
    }

    private var events: YAMLEventReader
    private let bounds: Bounds
    private var nodeCount = 0
    private var anchors: [String: YAMLNode] = [:]
    /// Anchors of mappings and lists that have not ended yet: an alias to one would contain itself.
    private var openAnchors: Set<String> = []
    private var path: [Step] = []
    /// What is wrong but does not keep the rest from being read.
    private(set) var faults: [YAMLFault] = []

    init(_ bytes: [UInt8], bounds: Bounds = Bounds()) {
        self.events = YAMLEventReader(bytes)
        self.bounds = bounds
    }

    /// The document's root; `nil` if the text holds no document at all.
    ///
    /// - Throws: the fault after which nothing more can be read.
    mutating func compose() throws(YAMLFault) -> YAMLNode? {
        var root: YAMLNode?
        while true {
            let event = try self.events.next()
            switch event.kind {
            case .streamEnd:
                return root
            case .documentStart where root != nil:
                throw YAMLFault(
                    mark: event.mark,
                    message: "a second document starts here",
                    remedy: "keep one document in a file; remove the line \"---\""
                )
            case .documentStart:
                root = try self.node(try self.events.next(), depth: 0)
            default:
                break
            }
        }
    }

    // MARK: Nodes

    private mutating func node(_ event: YAMLEvent, depth: Int) throws(YAMLFault) -> YAMLNode {
        guard depth <= self.bounds.depth else {
            throw YAMLFault(
                mark: event.mark,
                path: self.joinedPath,
                message: "nested deeper than \(self.bounds.depth) levels",
                remedy: "nothing in this file needs more than 6"
            )
        }
        if case .alias = event.kind { return try self.alias(event) }
        try self.count(1, at: event.mark)
        if let anchor = event.anchor { self.openAnchors.insert(anchor) }
        var node: YAMLNode
        switch event.kind {
        case .scalar(let text, let isPlain): node = self.scalar(event, text: text, isPlain: isPlain)
        case .sequenceStart: node = try self.sequence(event, depth: depth)
        case .mappingStart: node = try self.mapping(event, depth: depth)
        default: node = YAMLNode(content: .broken, mark: event.mark, size: 1)
        }
        if !self.isKnownTag(event) { node.content = .broken }
        if let anchor = event.anchor {
            self.openAnchors.remove(anchor)
            self.anchors[anchor] = node
        }
        return node
    }

    private func scalar(_ event: YAMLEvent, text: String, isPlain: Bool) -> YAMLNode {
        let isPlain =
            switch event.tag {
            case nil: isPlain
            case "!", Self.core + "str": false
            default: true
            }
        return YAMLNode(content: .scalar(YAMLScalar(text: text, isPlain: isPlain)), mark: event.mark, size: 1)
    }

    private mutating func sequence(_ start: YAMLEvent, depth: Int) throws(YAMLFault) -> YAMLNode {
        var items: [YAMLNode] = []
        var size = 1
        while true {
            let event = try self.events.next()
            if case .sequenceEnd = event.kind {
                return YAMLNode(content: .sequence(items), mark: start.mark, size: size)
            }
            self.path.append(.item(items.count))
            let item = try self.node(event, depth: depth + 1)
            self.path.removeLast()
            size += item.size
            items.append(item)
        }
    }

    private mutating func mapping(_ start: YAMLEvent, depth: Int) throws(YAMLFault) -> YAMLNode {
        var entries: [YAMLEntry] = []
        var firstMarks: [String: Mark] = [:]
        var size = 1
        while true {
            let event = try self.events.next()
            if case .mappingEnd = event.kind {
                return YAMLNode(content: .mapping(entries), mark: start.mark, size: size)
            }
            let key = try self.key(event, depth: depth + 1)
            self.path.append(.key(key ?? "?"))
            let value = try self.node(try self.events.next(), depth: depth + 1)
            if let key {
                size += value.size + 1
                if let first = firstMarks[key] {
                    self.report(
                        event.mark,
                        "the key stands here a second time; the first is at \(first.line):\(first.column)",
                        remedy: "keep one of them"
                    )
                } else {
                    firstMarks[key] = event.mark
                    entries.append(YAMLEntry(key: key, keyMark: event.mark, value: value))
                }
            }
            self.path.removeLast()
        }
    }

    /// A mapping's key; `nil` if it cannot be one, which is reported.
    private mutating func key(_ event: YAMLEvent, depth: Int) throws(YAMLFault) -> String? {
        let node = try self.node(event, depth: depth)
        switch node.content {
        case .scalar(let scalar) where scalar.isPlain && scalar.text == "<<":
            self.report(
                event.mark,
                "merge keys (<<) are not taken",
                remedy: "put what tenants share under defaults, or give an alias as the value of a key"
            )
            return nil
        case .scalar(let scalar) where !scalar.isNull:
            return scalar.text
        case .broken:
            return nil
        case .scalar, .sequence, .mapping:
            self.report(event.mark, "a key has to be a word", remedy: "write name: value")
            return nil
        }
    }

    // MARK: Aliases and tags

    private mutating func alias(_ event: YAMLEvent) throws(YAMLFault) -> YAMLNode {
        let name = event.anchor ?? ""
        if let node = self.anchors[name], !self.openAnchors.contains(name) {
            try self.count(node.size, at: event.mark)
            return node
        }
        let isOpen = self.openAnchors.contains(name)
        self.report(
            event.mark,
            isOpen ? "the alias stands inside what it names" : "no anchor of this alias stands before it",
            remedy: isOpen
                ? "write out what is meant" : "define it first, as in: key: &\(Quotation.pathElement(name)) value"
        )
        try self.count(1, at: event.mark)
        return YAMLNode(content: .broken, mark: event.mark, size: 1)
    }

    private mutating func count(_ nodes: Int, at mark: Mark) throws(YAMLFault) {
        self.nodeCount += nodes
        guard self.nodeCount <= self.bounds.nodes else {
            throw YAMLFault(
                mark: mark,
                path: self.joinedPath,
                message: "the document has more than \(self.bounds.nodes) values, aliases written out",
                remedy: "use fewer aliases, or split the tenants over several gateways"
            )
        }
    }

    private static let core = "tag:yaml.org,2002:"

    private mutating func isKnownTag(_ event: YAMLEvent) -> Bool {
        guard let tag = event.tag, tag != "!" else { return true }
        let names: [String] =
            switch event.kind {
            case .scalar: ["str", "int", "float", "bool", "null"]
            case .sequenceStart: ["seq"]
            case .mappingStart: ["map"]
            default: []
            }
        if tag.hasPrefix(Self.core), names.contains(String(tag.dropFirst(Self.core.count))) { return true }
        self.report(event.mark, "the tag \(Quotation.quoted(tag)) is not taken here", remedy: "remove the tag")
        return false
    }

    // MARK: Reporting

    private var joinedPath: String {
        self.path.reduce(Place(path: "", mark: nil)) { place, step in
            switch step {
            case .key(let key): place.child(key, nil)
            case .item(let index): place.item(index, nil)
            }
        }.path
    }

    private mutating func report(_ mark: Mark, _ message: String, remedy: String) {
        self.faults.append(YAMLFault(mark: mark, path: self.joinedPath, message: message, remedy: remedy))
    }
}
