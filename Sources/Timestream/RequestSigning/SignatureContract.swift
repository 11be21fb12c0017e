/// A request as SigV4 sees it; both sides build one, so both hash the same text.
package struct SignableRequest: Sendable {
    package var method: String
    /// Path and query as sent, such as `/`.
    package var target: String
    /// Every header that is sent, names in any case; `host` must be among them.
    package var headers: [(name: String, value: String)]

    package init(method: String, target: String, headers: [(name: String, value: String)]) {
        self.method = method
        self.target = target
        self.headers = headers
    }
}
