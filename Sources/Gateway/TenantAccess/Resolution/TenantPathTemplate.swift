/// Finds the tenant in a request path such as `/t/{tenant}/api/v1/write`.
struct TenantPathTemplate: Sendable {
    enum Match: Equatable {
        /// The path does not have the template's shape: it names no tenant.
        case absent
        /// The path has the shape, but what stands for the tenant cannot be a tenant id.
        case invalid(route: String)
        /// - Parameter route: what follows the template, starting with a slash.
        case tenant(String, route: String)
    }

    private let prefix: [UInt8]
    /// What must end the tenant's own segment; usually empty.
    private let segmentEnd: [UInt8]
    /// What must follow the tenant's segment, starting with a slash; usually empty.
    private let suffix: [UInt8]
    /// How the template is written in messages.
    let description: String

    /// - Parameters:
    ///   - prefix: what stands before the tenant; a prefix that does not start with a slash switches the path source
    ///     off.
    ///   - suffix: what stands between the tenant and the route; a slash at its end belongs to the route.
    init?(prefix: String, suffix: String) {
        guard prefix.utf8.first == UInt8(ascii: "/") else { return nil }
        var suffix = Array(suffix.utf8)
        if suffix.last == UInt8(ascii: "/") { suffix.removeLast() }
        let slash = suffix.firstIndex(of: UInt8(ascii: "/")) ?? suffix.endIndex
        self.prefix = Array(prefix.utf8)
        self.segmentEnd = Array(suffix[..<slash])
        self.suffix = Array(suffix[slash...])
        self.description = "\(prefix){tenant}\(String(decoding: suffix, as: UTF8.self))/..."
    }

    /// - Parameter path: without query; compared byte by byte, so an escape outside the tenant's segment never matches.
    func match(_ path: Substring) -> Match {
        guard path.utf8.starts(with: self.prefix) else { return .absent }
        let rest = path.utf8.dropFirst(self.prefix.count)
        let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        let segment = rest[..<end]
        let tail = rest[end...]
        guard segment.suffix(self.segmentEnd.count).elementsEqual(self.segmentEnd), tail.starts(with: self.suffix)
        else { return .absent }
        let route = tail.dropFirst(self.suffix.count)
        // Without a route behind it there is nothing to do for a tenant: `/t/payments` is an unknown path.
        guard route.first == UInt8(ascii: "/") else { return .absent }
        let name = String(decoding: route, as: UTF8.self)
        guard let tenant = TenantID.decodingPathSegment(segment.dropLast(self.segmentEnd.count)) else {
            return .invalid(route: name)
        }
        return .tenant(tenant, route: name)
    }
}
