/// A configuration file that can be loaded again and again.
package struct ConfigurationSource: Sendable {
    /// As the operator named it.
    package let path: String
    private let environment: [String: String]

    package init(path: String, environment: [String: String]) {
        self.path = path
        self.environment = environment
    }

    /// As `TenantsFile.load`, with the files that were looked at, also by a load that failed.
    package func load() -> LoadedConfiguration {
        let context = LoadContext(file: self.path, environment: self.environment)
        let result = Result { () throws(ConfigurationProblems) in try TenantsFile.load(context) }
        return LoadedConfiguration(result: result, files: context.files)
    }
}

package struct LoadedConfiguration: Sendable {
    package var result: Result<GatewayConfiguration, ConfigurationProblems>
    package var files: ConfigurationFiles
}
