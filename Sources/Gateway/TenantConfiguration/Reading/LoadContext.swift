/// Where a value stands: the path of its key, and its mark in the file.
struct Place {
    var path: String
    var mark: Mark?

    /// The place of a key below this one.
    func child(_ key: String, _ mark: Mark?) -> Place {
        let element = Quotation.pathElement(key)
        return Place(path: self.path.isEmpty ? element : "\(self.path).\(element)", mark: mark)
    }

    func item(_ index: Int, _ mark: Mark?) -> Place {
        Place(path: "\(self.path)[\(index)]", mark: mark)
    }
}

/// What every reader of one file shares: its surroundings, and the problems found so far.
///
/// Used by one thread, for the time of one load.
final class LoadContext {
    /// As the operator named it.
    let file: String
    /// The folder that relative paths start from; absolute.
    let folder: String
    let environment: [String: String]
    let isForLambda: Bool
    private(set) var problems: [ConfigurationProblem] = []
    private(set) var warnings: [ConfigurationProblem] = []
    /// Every file that was looked at, as it was then.
    private(set) var files = ConfigurationFiles()
    /// What PEM files held, by kind and path, so that a CA of ten thousand tenants is parsed once.
    var pemContents: [String: Result<PEMFile.Content, PEMFault>] = [:]

    private var warnedFiles: Set<String> = []

    init(file: String, environment: [String: String], isForLambda: Bool = false) {
        self.file = file
        self.folder = FilePath.folder(of: file)
        self.environment = environment
        self.isForLambda = isForLambda
    }

    /// Reads a file as part of the configuration.
    ///
    /// - Parameter isSecret: what is told of the file then says nothing about its content.
    func read(_ path: String, limitBytes: Int, isSecret: Bool) throws(FileContents.Failure) -> FileContents {
        try self.files.read(path, limitBytes: limitBytes, isSecret: isSecret)
    }

    func report(_ place: Place, _ message: String, remedy: String?) {
        self.problems.append(self.make(place, message, remedy))
    }

    func warn(_ place: Place, _ message: String, remedy: String?) {
        self.warnings.append(self.make(place, message, remedy))
    }

    /// Whether nobody asked this of the file before.
    func isFirstWarning(of path: String) -> Bool { self.warnedFiles.insert(path).inserted }

    private func make(_ place: Place, _ message: String, _ remedy: String?) -> ConfigurationProblem {
        ConfigurationProblem(
            file: self.file,
            line: place.mark?.line,
            column: place.mark?.column,
            path: place.path,
            message: message,
            remedy: remedy
        )
    }

    /// In the file's order; what was found first stands first at one place.
    static func sorted(_ problems: [ConfigurationProblem]) -> [ConfigurationProblem] {
        problems.enumerated().sorted { left, right in
            let (a, b) = (left.element, right.element)
            return (a.line ?? 0, a.column ?? 0, left.offset) < (b.line ?? 0, b.column ?? 0, right.offset)
        }.map(\.element)
    }
}
