/// Why a file is not of the INI form of AWS' shared files.
struct INIError: Error, Equatable {
    var line: Int
    var expected: String
}

/// A file of sections with properties, as AWS' tools read it.
///
/// `[section]` lines, `name = value` lines (or with a colon), comments that fill a line and start with `#` or `;`. Names are in
/// lower case. A line that is indented more than its property continues it: nested settings are one value of several
/// lines. A section or property that comes again adds to or replaces what came before.
struct INIDocument {
    private(set) var sections: [String: [String: String]] = [:]

    init(_ text: String) throws(INIError) {
        var section: String?
        var property: String?
        var indentation = 0
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let content = trimmingBlanks(line)
            if content.isEmpty || content.hasPrefix("#") || content.hasPrefix(";") { continue }
            let indent = line.utf8.count - line.utf8.drop { $0 == 0x20 || $0 == 0x09 }.count
            if let section, let property, indent > indentation {
                self.sections[section]?[property]? += "\n" + content
                continue
            }
            indentation = indent
            if content.hasPrefix("[") {
                guard let end = content.lastIndex(of: "]"), end > content.index(after: content.startIndex) else {
                    throw INIError(line: index + 1, expected: "']' behind the section's name")
                }
                let name = String(content[content.index(after: content.startIndex)..<end])
                section = name
                property = nil
                if self.sections[name] == nil { self.sections[name] = [:] }
                continue
            }
            guard let section else { throw INIError(line: index + 1, expected: "a section before the first property") }
            guard let delimiter = content.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
                throw INIError(line: index + 1, expected: "a section, a property with '=' or a comment")
            }
            let name = trimmingBlanks(content[..<delimiter]).lowercased()
            guard !name.isEmpty else { throw INIError(line: index + 1, expected: "a name before '='") }
            property = name
            self.sections[section]?[name] = trimmingBlanks(content[content.index(after: delimiter)...])
        }
    }
}

/// The profiles of both shared files.
struct SharedProfiles {
    private(set) var profiles: [String: [String: String]] = [:]

    /// - Parameters:
    ///   - config: its profiles are sections called `profile NAME`, and `default`.
    ///   - credentials: its sections are profiles; they count more.
    init(config: INIDocument?, credentials: INIDocument?) {
        for (section, properties) in config?.sections ?? [:] {
            guard section.hasPrefix("profile"), let words = ShellWords.split(section), words.count == 2,
                words[0] == "profile"
            else { continue }
            self.profiles[words[1], default: [:]].merge(properties) { first, _ in first }
        }
        // `[profile default]` goes before `[default]`.
        if let properties = config?.sections["default"], self.profiles["default"] == nil {
            self.profiles["default"] = properties
        }
        for (section, properties) in credentials?.sections ?? [:] {
            self.profiles[section, default: [:]].merge(properties) { _, new in new }
        }
    }
}
