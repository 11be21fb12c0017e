import Common
import TLSTransport

/// The other end of one connection, on its event loop: who it is can change while it is connected.
struct ConnectionPeer {
    let address: String
    private let tls: TLSHandler?

    /// - Parameter tls: of the connection; absent for plain HTTP.
    init(address: String, tls: TLSHandler? = nil) {
        self.address = address
        self.tls = tls
    }

    var isEncrypted: Bool { self.tls != nil }

    /// As a request that comes now has to see it.
    var current: Peer {
        self.tls?.verifyAgain()
        return Peer(
            address: self.address,
            isEncrypted: self.isEncrypted,
            identity: self.tls?.peerIdentity,
            isTrustLost: self.tls?.isTrustLost ?? false,
            trustGeneration: self.tls?.trustGeneration ?? 0
        )
    }
}
