/// Replaces `${NAME}` by the environment's value.
///
/// `$${` stands for `${` itself; every other dollar sign is left alone, so that bcrypt hashes need no care. What was put
/// in is not looked at again: neither for further names nor as YAML.
enum EnvironmentExpansion {
    struct Expanded {
        var text: String
        /// Whether anything came from the environment: it may be a secret then, wherever it stands.
        var isFromEnvironment: Bool
    }

    struct Fault: Error {
        var message: String
        var remedy: String
    }

    static func expand(_ text: String, _ environment: [String: String]) throws(Fault) -> Expanded {
        // Most values, bcrypt hashes among them, have nothing to replace.
        let isUntouched = !zip(text.utf8, text.utf8.dropFirst()).contains {
            $0 == UInt8(ascii: "$") && $1 == UInt8(ascii: "{")
        }
        guard !isUntouched else { return Expanded(text: text, isFromEnvironment: false) }
        var result = Expanded(text: "", isFromEnvironment: false)
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result.text += rest[..<dollar]
            rest = rest[dollar...]
            if rest.hasPrefix("$${") {
                result.text += "${"
                rest = rest.dropFirst(3)
            } else if rest.hasPrefix("${") {
                result.text += try Self.value(&rest, environment)
                result.isFromEnvironment = true
            } else {
                result.text += "$"
                rest = rest.dropFirst()
            }
        }
        result.text += rest
        return result
    }

    /// Takes `${NAME}` off the front.
    private static func value(_ rest: inout Substring, _ environment: [String: String]) throws(Fault) -> String {
        guard let end = rest.firstIndex(of: "}") else {
            throw Fault(message: "\"${\" without \"}\"", remedy: "write ${NAME}, or $${ for the characters themselves")
        }
        let name = rest.dropFirst(2)[..<end]
        rest = rest[rest.index(after: end)...]
        guard let first = name.utf8.first, !ASCII.isDigit(first),
            name.utf8.allSatisfy({ ASCII.isLetterOrDigit($0) || $0 == UInt8(ascii: "_") })
        else {
            throw Fault(
                message: "what stands in \"${}\" is not the name of an environment variable",
                remedy:
                    "write ${NAME} with letters, digits and _ (no default values), or $${ for the characters themselves"
            )
        }
        guard let value = environment[String(name)] else {
            throw Fault(
                message: "the environment variable \(Quotation.pathElement(String(name))) is not set",
                remedy: "set it for the gateway's process, or write $${ for the characters themselves"
            )
        }
        return value
    }
}
