import NIOCore

/// Where connections come from, for sharing a listener between its peers: an IPv4 address, or the /64 network of an IPv6
/// one, in which one host can have any number of addresses.
enum PeerNetwork: Hashable, Sendable {
    case v4(UInt32)
    case v6(UInt64)
    /// The peer is gone already, or has no address.
    case unknown

    /// Where `sockaddr_in` and `sockaddr_in6` have the address, behind family, port, and in the latter the flow.
    private static let (offset4, offset6) = (4, 8)

    init(_ address: SocketAddress?) {
        switch address {
        case .some(let address) where address.protocol == .inet:
            self = .v4(Self.number(address, at: Self.offset4))
        case .some(let address) where address.protocol == .inet6:
            let high: UInt64 = Self.number(address, at: Self.offset6)
            let low: UInt64 = Self.number(address, at: Self.offset6 + 8)
            // An IPv4 peer of a listener for both: ::ffff:192.0.2.1.
            self = high == 0 && low >> 32 == 0xFFFF ? .v4(UInt32(truncatingIfNeeded: low)) : .v6(high)
        case .some, nil:
            self = .unknown
        }
    }

    private static func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ address: SocketAddress,
        at offset: Int
    ) -> Number {
        unsafe address.withSockAddr { pointer, size in
            guard offset + MemoryLayout<Number>.size <= size else { return 0 }
            return Number(
                bigEndian: unsafe UnsafeRawPointer(pointer).loadUnaligned(fromByteOffset: offset, as: Number.self)
            )
        }
    }
}
