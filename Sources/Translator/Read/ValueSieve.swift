import RegularExpressions

/// A condition on one column that every value of a matcher passes, and perhaps others: what SQL can say safely.
enum ValueSieve: Equatable {
    case anyOf([[UInt8]])
    case noneOf([[UInt8]])
    case like(Wildcards, negated: Bool)
    /// A regular expression in the syntax that all engines read alike.
    case expression([UInt8], negated: Bool)

    struct Form {
        var sieve: ValueSieve
        /// What a statement must be allowed to have, for this to stand in it.
        var needs: PatternUse
    }

    /// The longest regular expression that is sent, in bytes.
    ///
    /// Ours: no limit is documented, and what is longer is a list of names that the beginning narrows nearly as well.
    static let maximumExpressionBytes = 8_192

    /// The conditions that a matcher allows, the narrowest first; empty if none narrows anything.
    static func forms(of matcher: LabelMatcher) -> [Form] {
        var forms = [Self.exactForm(of: matcher)].compactMap(\.self)
        if case .matches(let expression) = matcher.condition, !expression.literalPrefix.isEmpty {
            let beginning = ValueSieve.like(Wildcards(prefix: expression.literalPrefix), negated: false)
            if forms.first?.sieve != beginning { forms.append(Form(sieve: beginning, needs: .simple)) }
        }
        switch matcher.condition {
        case .matches where !matcher.acceptsEmpty, .doesNotMatch where !matcher.acceptsEmpty:
            forms.append(Form(sieve: .noneOf([[]]), needs: .none))
        default: break
        }
        return forms
    }

    /// The condition that values pass if, and only if, they pass the matcher.
    ///
    /// - Returns: nil if SQL has no words for it, or need not say anything.
    static func exactForm(of matcher: LabelMatcher) -> Form? {
        switch matcher.condition {
        case .equal(let value): Form(sieve: .anyOf([value]), needs: .none)
        case .notEqual(let value): Form(sieve: .noneOf([value]), needs: .none)
        case .matches(let expression): Self.exactForm(of: expression, negated: false)
        case .doesNotMatch(let expression): Self.exactForm(of: expression, negated: true)
        }
    }

    private static func exactForm(of expression: RegularExpression, negated: Bool) -> Form? {
        if let literals = expression.literals {
            return Form(sieve: negated ? .noneOf(literals) : .anyOf(literals), needs: .simple)
        }
        // LIKE with many gaps is one of the patterns that can keep an engine busy.
        guard expression.isCheapToBacktrack else { return nil }
        if let wildcards = expression.wildcards {
            // That there is a value is said without a pattern; that there is none, or cannot be one, too.
            if wildcards.isEverything { return negated ? Form(sieve: .anyOf([]), needs: .none) : nil }
            if wildcards.isNotEmpty { return Form(sieve: negated ? .anyOf([[]]) : .noneOf([[]]), needs: .none) }
            return Form(sieve: .like(wildcards, negated: negated), needs: .simple)
        }
        let text = expression.commonSyntax(limitBytes: Self.maximumExpressionBytes)
        guard let text else { return nil }
        return Form(sieve: .expression(Array(text.utf8), negated: negated), needs: .expressions)
    }

    // MARK: Lengths

    /// What is left of a condition where values cannot be longer than some number of bytes.
    enum Storable {
        case sieve(ValueSieve)
        case nothingPasses
        case everythingPasses
    }

    func storable(limitBytes: Int) -> Storable {
        switch self {
        case .anyOf(let values):
            let short = values.filter { $0.count <= limitBytes }
            return short.isEmpty ? .nothingPasses : .sieve(.anyOf(short))
        case .noneOf(let values):
            let short = values.filter { $0.count <= limitBytes }
            return short.isEmpty ? .everythingPasses : .sieve(.noneOf(short))
        case .like(let wildcards, let negated):
            if wildcards.literalBytes <= limitBytes { return .sieve(self) }
            return negated ? .everythingPasses : .nothingPasses
        case .expression:
            return .sieve(self)
        }
    }
}

/// Which conditions that come of regular expressions a statement may have.
enum PatternUse: Comparable {
    case none
    /// Lists of values, and LIKE.
    case simple
    /// REGEXP_LIKE too.
    case expressions
}
