/// The metadata keys of our log lines, in one list so that one thing has one name everywhere.
package enum LogKey {
    package static let requestID = "request.id"
    package static let tenant = "tenant"
    package static let route = "route"
    package static let listener = "listener"
    package static let upstream = "upstream"
    package static let peerAddress = "peer.address"
    package static let errorCode = "error.code"
    package static let durationSeconds = "duration.seconds"
}
