import CCurl

/// The header lines of one request in libcurl's notation, as a list that libcurl reads where it stands.
///
/// `curl_slist_append` would allocate twice and copy for each line.
@safe final class HeaderLines: @unchecked Sendable {
    // Safe because: the memory is written only before `init` returns, is owned by this object alone, and is freed in
    // `deinit`; libcurl only reads it.
    private let text: UnsafeMutableBufferPointer<UInt8>
    private let nodes: UnsafeMutableBufferPointer<curl_slist>

    /// The headers that libcurl would add by itself, each with the line that keeps it from doing so.
    private static let automatic: [(name: StaticString, line: StaticString)] = [
        ("accept", "accept:"), ("content-type", "content-type:"), ("expect", "expect:"),
    ]

    /// `nil` if something in a header could end its line early.
    init?(_ headers: [(name: String, value: String)]) {
        guard headers.allSatisfy({ $0.name.isToken && $0.value.hasNoControls }) else { return nil }
        let suppressions = Self.automatic.filter { automatic in
            !headers.contains { header in
                header.name.utf8.count == automatic.name.utf8CodeUnitCount
                    && header.name.utf8.startsIgnoringCase(automatic.name)
            }
        }
        let size = headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 3 }
        unsafe self.text = .allocate(capacity: size)
        unsafe self.nodes = .allocate(capacity: headers.count + suppressions.count)

        var end = 0
        for (index, header) in headers.enumerated() {
            let start = end
            unsafe end = self.text[end...].initialize(fromContentsOf: header.name.utf8)
            // `name;` is an empty header; `name:` would be a suppression.
            unsafe end = self.text[end...].initialize(fromContentsOf: (header.value.isEmpty ? ";" : ": ").utf8)
            unsafe end = self.text[end...].initialize(fromContentsOf: header.value.utf8)
            unsafe self.text.initializeElement(at: end, to: 0)
            end += 1
            unsafe self.addLine(self.text.baseAddress.map { unsafe $0 + start }, at: index)
        }
        for (index, suppression) in suppressions.enumerated() {
            unsafe self.addLine(suppression.line.utf8Start, at: headers.count + index)
        }
    }

    deinit {
        unsafe self.text.deallocate()
        unsafe self.nodes.deallocate()
    }

    /// - Parameter line: ends with a zero byte, and lives as long as this object.
    private func addLine(_ line: UnsafePointer<UInt8>?, at index: Int) {
        let data = unsafe UnsafeMutableRawPointer(mutating: line)?.assumingMemoryBound(to: CChar.self)
        let isLast = unsafe index == self.nodes.count - 1
        let next = unsafe isLast ? nil : self.nodes.baseAddress.map { unsafe $0 + index + 1 }
        unsafe self.nodes.initializeElement(at: index, to: curl_slist(data: data, next: next))
    }

    /// What `CURLOPT_HTTPHEADER` takes; valid for as long as this object lives.
    var first: UnsafeRawPointer? {
        unsafe self.nodes.isEmpty ? nil : UnsafeRawPointer(self.nodes.baseAddress)
    }
}
