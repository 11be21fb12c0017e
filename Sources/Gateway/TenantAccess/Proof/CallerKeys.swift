package import Common
import TenantConfiguration

/// AWS keys that a caller shows in basic authentication, to sign its calls with; checked for their form only.
package struct CallerKeys: Sendable, Hashable {
    package let accessKeyID: String
    package let secretAccessKey: Secret

    /// - Returns: nil for what cannot be a key: the id becomes part of a header.
    init?(username: [UInt8], password: [UInt8]) {
        guard AccessKeyForm.isID(username), AccessKeyForm.isSecret(password) else { return nil }
        self.accessKeyID = String(decoding: username, as: UTF8.self)
        self.secretAccessKey = Secret(bytes: password)
    }
}
