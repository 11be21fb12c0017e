// To be filled.
package final class TLSServerContext: Sendable {}
