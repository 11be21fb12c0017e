import CSnappy

/// Snappy's block format, by libsnappy.
package enum SnappyBlock {
    /// The decoded size that the block's preamble declares, before anything is allocated for it.
    package static func declaredSize(of block: [UInt8], limitBytes: Int) throws(ProtocolError) -> Int {
        guard !block.isEmpty else { throw .emptyBody }
        if Self.isFramed(block) { throw .malformedSnappy(framed: true) }
        var size = 0
        let status = unsafe block.withUnsafeBytes { bytes in
            unsafe snappy_uncompressed_length(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                bytes.count,
                &size
            )
        }
        guard status == SNAPPY_OK else { throw .malformedSnappy(framed: false) }
        guard size >= 0, size <= limitBytes else { throw .decodedTooLarge(declared: size, limitBytes: limitBytes) }
        return size
    }

    /// Decodes a block.
    ///
    /// - Throws: `ProtocolError` if the block is empty, framed, corrupt, or declares more than `limitBytes`.
    package static func decode(_ block: [UInt8], limitBytes: Int) throws(ProtocolError) -> [UInt8] {
        let size = try self.declaredSize(of: block, limitBytes: limitBytes)
        var isValid = false
        let decoded = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            // An empty buffer may have no address, which libsnappy does not take.
            var placeholder: CChar = 0
            var written = size
            let status = unsafe block.withUnsafeBytes { source in
                let sourceAddress = unsafe source.baseAddress?.assumingMemoryBound(to: CChar.self)
                if let address = buffer.baseAddress {
                    return unsafe snappy_uncompress(
                        sourceAddress,
                        source.count,
                        UnsafeMutableRawPointer(address).assumingMemoryBound(to: CChar.self),
                        &written
                    )
                }
                return unsafe snappy_uncompress(sourceAddress, source.count, &placeholder, &written)
            }
            isValid = status == SNAPPY_OK && written == size
            count = isValid ? size : 0
        }
        guard isValid else { throw .malformedSnappy(framed: false) }
        return decoded
    }

    /// What `encode` needs at most for so many bytes.
    package static func maximumEncodedSize(of byteCount: Int) -> Int {
        snappy_max_compressed_length(byteCount)
    }

    package static func encode(_ bytes: [UInt8]) -> [UInt8] {
        let capacity = snappy_max_compressed_length(bytes.count)
        return unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            var written = capacity
            let status = unsafe bytes.withUnsafeBytes { source in
                unsafe snappy_compress(
                    source.baseAddress?.assumingMemoryBound(to: CChar.self),
                    source.count,
                    UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self),
                    &written
                )
            }
            precondition(status == SNAPPY_OK, "snappy_compress refused a buffer of its own size")
            count = written
        }
    }

    /// The framed format starts with this stream identifier chunk.
    private static func isFramed(_ block: [UInt8]) -> Bool {
        block.starts(with: [0xFF, 0x06, 0x00, 0x00, 0x73, 0x4E, 0x61, 0x50, 0x70, 0x59])
    }
}
