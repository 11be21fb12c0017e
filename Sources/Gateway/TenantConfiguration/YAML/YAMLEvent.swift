/// One step of a YAML document, free of libyaml's memory.
struct YAMLEvent {
    enum Kind {
        case documentStart
        case documentEnd
        case streamEnd
        case scalar(text: String, isPlain: Bool)
        /// The alias' name stands in `anchor`.
        case alias
        case sequenceStart
        case sequenceEnd
        case mappingStart
        case mappingEnd
        /// The start of the stream, and what later versions of libyaml may add.
        case other
    }
    var kind: Kind
    var mark: Mark
    var anchor: String?
    var tag: String?
}
