/// Loads `tenants.yaml`: the whole file, or every reason why not.
package enum TenantsFile {
    /// Reads, checks and completes a configuration file.
    ///
    /// Files that it names are looked at too: certificates, keys and secrets. Nothing else is touched, and nothing is
    /// started.
    ///
    /// - Parameters:
    ///   - path: of the file, as the operator named it; problems repeat it. Relative paths inside the file start from the
    ///     folder it stands in.
    ///   - environment: what `${NAME}` in the file's values stands for.
    ///   - isForLambda: whether events are served and nothing listens: client certificates then need no `server.tls`, and
    ///     no request waits for its turn, since each second of waiting is paid for.
    /// - Throws: every problem of the file, in the file's order; no message holds a secret.
    package static func load(
        path: String,
        environment: [String: String],
        isForLambda: Bool = false
    ) throws(ConfigurationProblems) -> GatewayConfiguration {
        try Self.load(LoadContext(file: path, environment: environment, isForLambda: isForLambda))
    }

    static func load(_ context: LoadContext) throws(ConfigurationProblems) -> GatewayConfiguration {
        var configuration: GatewayConfiguration?
        do {
            let bytes = try context.read(
                context.file,
                limitBytes: FileContents.largestConfigurationBytes,
                isSecret: false
            ).bytes
            configuration = try Self.document(bytes, context).flatMap { Self.configuration($0, context) }
        } catch let failure as FileContents.Failure {
            let remedy =
                failure.message == "no such file" ? "name the file with --config, or run from the folder it is in" : nil
            context.report(Place(path: "", mark: nil), failure.message, remedy: remedy)
        } catch let fault as YAMLFault {
            context.report(fault)
        } catch {
            context.report(Place(path: "", mark: nil), "cannot be loaded", remedy: nil)
        }
        guard var configuration, context.problems.isEmpty else {
            throw ConfigurationProblems(LoadContext.sorted(context.problems))
        }
        configuration.warnings = LoadContext.sorted(context.warnings)
        if context.isForLambda { configuration.waitForNothing() }
        return configuration
    }

    // MARK: Text

    private static func document(_ bytes: [UInt8], _ context: LoadContext) throws(YAMLFault) -> YAMLNode? {
        try Self.checkEncoding(bytes)
        var composer = YAMLComposer(bytes)
        let result: Result<YAMLNode?, YAMLFault>
        do throws(YAMLFault) {
            result = .success(try composer.compose())
        } catch {
            result = .failure(error)
        }
        for fault in composer.faults { context.report(fault) }
        guard let root = try result.get() else {
            throw YAMLFault(
                mark: nil,
                message: bytes.isEmpty ? "the file is empty" : "the file holds nothing but comments or white space",
                remedy: "start with version: 1; docs/configuration.md has every key"
            )
        }
        return root
    }

    private static func checkEncoding(_ bytes: [UInt8]) throws(YAMLFault) {
        let start = Mark(line: 1, column: 1)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw YAMLFault(mark: start, message: "a byte order mark", remedy: "save the file as UTF-8 without it")
        }
        if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) {
            throw YAMLFault(mark: start, message: "the file is UTF-16", remedy: "save it as UTF-8")
        }
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            throw YAMLFault(
                mark: Mark(ofByte: error.byteOffsets.lowerBound, in: bytes),
                message: "bytes that are not UTF-8",
                remedy: "save the file as UTF-8"
            )
        }
    }

    // MARK: Sections

    private static func configuration(_ root: YAMLNode, _ context: LoadContext) -> GatewayConfiguration? {
        var reader = MappingReader(root, at: Place(path: "", mark: root.mark), in: context)
        guard case .mapping = root.content else {
            if root.isNull {
                context.report(reader.place, "the document is empty", remedy: "start with version: 1")
            }
            return nil
        }
        guard Self.isKnownVersion(&reader) else { return nil }
        let server = ServerSection(reader.mapping("server"))
        let routing = RoutingSection(reader.mapping("routing"))
        let timestream = TimestreamSection(reader.mapping("timestream"))
        var defaults = reader.mapping("defaults")
        let inherited = TenantSection.Inherited(
            timestream: timestream.settings,
            limits: TenantLimits(defaults.mapping("limits"), inherited: .builtIn),
            mapping: MappingSettings(defaults.mapping("mapping"), inherited: .builtIn)
        )
        for key in ["auth", "credentials", "database", "table", "region"] {
            defaults.refuse(
                key,
                "not inherited",
                remedy: "write it in each tenant\(key == "region" ? ", or as timestream.region" : "")"
            )
        }
        defaults.finish()
        let tenants = Self.tenants(&reader, inherited)
        reader.finish()
        CrossChecks(context: context, server: server, routing: routing, timestream: timestream, tenants: tenants).run()
        return GatewayConfiguration(
            server: server.settings,
            routing: routing.settings,
            timestream: timestream.settings,
            tenants: tenants.map(\.settings),
            warnings: []
        )
    }

    /// A file of another version means other things by the same keys: nothing else is said about it then.
    private static func isKnownVersion(_ reader: inout MappingReader) -> Bool {
        guard let field = reader.required("version", remedy: "add version: 1") else { return true }
        let remedy = "write version: 1"
        guard let version = field.scalar("the number 1", remedy: remedy) else { return true }
        guard version.isPlain, !version.text.isEmpty, version.text.utf8.allSatisfy(ASCII.isDigit) else {
            field.reportWrong("the number 1", version, remedy: remedy)
            return true
        }
        guard version.text != "1" else { return true }
        field.reportWrong("the version that this gateway knows, 1", version, remedy: remedy)
        return false
    }

    private static func tenants(_ reader: inout MappingReader, _ inherited: TenantSection.Inherited) -> [TenantSection]
    {
        guard let field = reader.required("tenants", remedy: "add tenants: with at least one tenant below it") else {
            return []
        }
        var entries = field.mapping()
        if entries.isEmpty, field.isMapping || field.node.isNull {
            entries.context.report(
                entries.place,
                "there is no tenant",
                remedy: "add one: NAME: {database: NAME, table: NAME, auth: ...}"
            )
        }
        return entries.takeAll().map { TenantSection(id: $0.key, $0.field, inherited: inherited) }
    }
}

extension LoadContext {
    func report(_ fault: YAMLFault) {
        self.report(Place(path: fault.path, mark: fault.mark), fault.message, remedy: fault.remedy)
    }
}
