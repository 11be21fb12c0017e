#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Where logs and complaints go.
package enum StandardError {
    /// Writes a line in one call, so that lines of several threads do not mix. What cannot be written is lost.
    package static func write(_ line: [UInt8]) {
        var rest = line[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes { unsafe Self.write($0) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
            unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        #elseif canImport(Musl)
            unsafe Musl.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
        #endif
    }
}
