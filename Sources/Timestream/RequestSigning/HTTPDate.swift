/// The `Date` header of an answer.
package enum HTTPDate {
    /// Seconds since 1970-01-01 UTC; `nil` for anything but the form `Sun, 06 Nov 1994 08:49:37 GMT`.
    ///
    /// Source: RFC 9110, section 5.6.7.
    package static func seconds(_ text: String) -> Int64? {
        SigningTime(httpDate: text)?.seconds
    }
}
