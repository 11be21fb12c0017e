import Foundation
import TenantConfiguration

/// Reads tenants from the text of a configuration file.
func tenants(_ entries: String, timestream: String = "backend: aws, region: eu-west-1") throws -> [TenantSettings] {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).yaml").path
    let lines = entries.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    try "version: 1\ntimestream: {\(timestream)}\ntenants:\n\(lines)\n".write(
        toFile: path,
        atomically: true,
        encoding: .utf8
    )
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try TenantsFile.load(path: path, environment: [:]).tenants
}
