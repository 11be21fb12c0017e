import CYAML

/// libyaml's parser over a document in memory: the only place that touches libyaml.
@safe struct YAMLEventReader: ~Copyable {
    // The parser keeps a pointer to itself and to the input, so both have an address of their own until `deinit`.
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    /// The same, to find places in after a fault.
    private let bytes: [UInt8]

    /// - Parameter bytes: valid UTF-8 without a byte order mark.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        unsafe self.input = .allocate(capacity: max(bytes.count, 1))
        _ = unsafe self.input.initialize(from: bytes)
        unsafe self.parser = .allocate(capacity: 1)
        unsafe self.parser.initialize(to: yaml_parser_t())
        let isInitialised = unsafe yaml_parser_initialize(self.parser)
        precondition(isInitialised == 1, "out of memory")
        // Named, so that libyaml does not guess UTF-16 from the first bytes.
        unsafe yaml_parser_set_encoding(self.parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(self.parser, self.input.baseAddress, bytes.count)
    }

    deinit {
        unsafe yaml_parser_delete(self.parser)
        unsafe self.parser.deallocate()
        unsafe self.input.deallocate()
    }

    /// The next event; never asked again after the end of the stream or a fault.
    ///
    /// - Throws: libyaml's own words on what is no YAML, and where.
    mutating func next() throws(YAMLFault) -> YAMLEvent {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(self.parser, &event) == 1 else { throw self.fault() }
        defer { unsafe yaml_event_delete(&event) }
        return unsafe Self.translate(event)
    }

    private static func translate(_ event: yaml_event_t) -> YAMLEvent {
        var result = unsafe YAMLEvent(kind: .other, mark: Mark(event.start_mark))
        switch unsafe event.type {
        case YAML_DOCUMENT_START_EVENT: result.kind = .documentStart
        case YAML_DOCUMENT_END_EVENT: result.kind = .documentEnd
        case YAML_STREAM_END_EVENT: result.kind = .streamEnd
        case YAML_SEQUENCE_END_EVENT: result.kind = .sequenceEnd
        case YAML_MAPPING_END_EVENT: result.kind = .mappingEnd
        case YAML_ALIAS_EVENT:
            result.kind = .alias
            result.anchor = unsafe Self.text(event.data.alias.anchor)
        case YAML_SEQUENCE_START_EVENT:
            result.kind = .sequenceStart
            result.anchor = unsafe Self.text(event.data.sequence_start.anchor)
            result.tag = unsafe Self.text(event.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT:
            result.kind = .mappingStart
            result.anchor = unsafe Self.text(event.data.mapping_start.anchor)
            result.tag = unsafe Self.text(event.data.mapping_start.tag)
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            result.kind = unsafe .scalar(
                text: String(decoding: bytes, as: UTF8.self),
                isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE
            )
            result.anchor = unsafe Self.text(scalar.anchor)
            result.tag = unsafe Self.text(scalar.tag)
        default:
            break
        }
        return result
    }

    private static func text(_ pointer: UnsafeMutablePointer<yaml_char_t>?) -> String? {
        guard let pointer = unsafe pointer else { return nil }
        return unsafe String(cString: pointer)
    }

    // MARK: Faults

    private func fault() -> YAMLFault {
        let parser = unsafe self.parser.pointee
        let problem = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "the parser gave up"
        guard unsafe parser.error != YAML_READER_ERROR else {
            return unsafe YAMLFault(
                mark: Mark(ofByte: parser.problem_offset, in: self.bytes),
                message: problem == "control characters are not allowed"
                    ? "a character that YAML does not allow (U+\(Self.hexadecimal(parser.problem_value)))"
                    : "not valid YAML: \(problem)",
                remedy: "remove it, or write it as an escape in double quotes"
            )
        }
        let mark = unsafe Mark(parser.problem_mark)
        if unsafe self.byte(ofCharacter: parser.problem_mark.index) == UInt8(ascii: "\t") {
            return YAMLFault(
                mark: mark,
                message: "a tab where only spaces may stand",
                remedy: "indent with spaces; YAML does not take tabs for it"
            )
        }
        var message = "not valid YAML: \(problem)"
        if let context = unsafe parser.context {
            // The file's first character is what libyaml says when it knows no better, too; it helps nobody.
            let start = unsafe Mark(parser.context_mark)
            let place = start == Mark(line: 1, column: 1) ? "" : " that begins at \(start.line):\(start.column)"
            message += unsafe " (\(String(cString: context))\(place))"
        }
        return YAMLFault(mark: mark, message: message, remedy: Self.remedy(for: problem))
    }

    private static func remedy(for problem: String) -> String {
        switch problem {
        case "mapping values are not allowed in this context":
            "check the indentation, and put values that contain \": \" into quotes"
        case "found character that cannot start any token":
            "put values that start with @, ` or % into quotes"
        case "found unexpected end of stream": "close the quotes"
        case "found unknown escape character": "use single quotes, or write \\\\ for a backslash"
        case "did not find expected ',' or '}'", "did not find expected ',' or ']'":
            "close the bracket, or separate the entries by commas; ${NAME} needs quotes inside brackets"
        default: "check indentation, colons, quotes and brackets here and on the line before"
        }
    }

    private static func hexadecimal(_ value: Int32) -> String {
        let digits = String(UInt32(bitPattern: value), radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func startsCharacter(_ byte: UInt8) -> Bool { byte & 0xC0 != 0x80 }

    private func byte(ofCharacter index: Int) -> UInt8? {
        var character = -1
        for byte in self.bytes where Self.startsCharacter(byte) {
            character += 1
            if character == index { return byte }
        }
        return nil
    }
}

extension Mark {
    init(_ mark: yaml_mark_t) {
        self.init(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
    }

    /// The place of a byte in UTF-8 text.
    init(ofByte offset: Int, in bytes: some Sequence<UInt8>) {
        self.init(line: 1, column: 1)
        for byte in bytes.prefix(max(offset, 0)) {
            if byte == UInt8(ascii: "\n") {
                self.line += 1
                self.column = 1
            } else if byte & 0xC0 != 0x80 {
                self.column += 1
            }
        }
    }
}
