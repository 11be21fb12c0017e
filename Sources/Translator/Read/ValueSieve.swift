import RegularExpressions

/// A condition on one column that every value of a matcher passes, and perhaps others: what SQL can say safely.
///
/// Regular expressions themselves are never sent: which engine Timestream runs is not documented, and one wrong answer of
/// it would lose series without a trace.
enum ValueSieve {
    case anyOf([[UInt8]])
    case noneOf([[UInt8]])
    /// Values that start with these bytes, at least one.
    case prefix([UInt8])

    struct Form {
        var sieve: ValueSieve
        /// Whether it came from a regular expression; such conditions are left out if Timestream refuses the statement.
        var isPattern: Bool
    }

    /// The conditions that a matcher allows, the narrowest first; empty if none narrows anything.
    static func forms(of matcher: LabelMatcher) -> [Form] {
        let nonEmpty = Form(sieve: .noneOf([[]]), isPattern: false)
        var forms: [Form] = []
        switch matcher.condition {
        case .equal(let value):
            return [Form(sieve: .anyOf([value]), isPattern: false)]
        case .notEqual(let value):
            return [Form(sieve: .noneOf([value]), isPattern: false)]
        case .matches(let expression):
            if let literals = expression.literals {
                forms.append(Form(sieve: .anyOf(literals), isPattern: true))
            }
            let prefix = Self.wholeCharacters(expression.literalPrefix)
            if !prefix.isEmpty { forms.append(Form(sieve: .prefix(prefix), isPattern: true)) }
        case .doesNotMatch(let expression):
            if let literals = expression.literals {
                forms.append(Form(sieve: .noneOf(literals), isPattern: true))
            }
        }
        if !matcher.acceptsEmpty { forms.append(nonEmpty) }
        return forms
    }

    /// Cuts a character off that ends too early, so that the statement stays UTF-8.
    private static func wholeCharacters(_ bytes: [UInt8]) -> [UInt8] {
        var result = bytes
        while !result.isEmpty, (try? UTF8Span(validating: result.span)) == nil { result.removeLast() }
        return result
    }
}
