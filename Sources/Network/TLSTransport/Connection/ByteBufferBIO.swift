import COpenSSL
import NIOCore

/// What OpenSSL reads from, and writes to: one connection's ciphertext.
final class CiphertextBuffers {
    /// From the peer, not yet read by OpenSSL.
    var inbound = ByteBuffer()
    /// From OpenSSL, not yet written to the channel.
    var outbound = ByteBuffer()
}

@available(*, unavailable)
extension CiphertextBuffers: Sendable {}

/// A BIO over `ByteBuffer`s: OpenSSL's input and output without sockets and without a copy more than needed.
///
/// It takes whatever is written; what bounds the output is the channel's writability, which the handler looks at.
enum ByteBufferBIO {
    // Safe because: the method table is complete when it is assigned, and only read afterwards.
    nonisolated(unsafe) private static let method: OpaquePointer? = unsafe makeMethod()

    /// A BIO over the buffers, which must outlive it; `nil` when there is no memory.
    static func make(_ buffers: CiphertextBuffers) -> OpaquePointer? {
        guard let method = unsafe self.method, let bio = unsafe BIO_new(method) else { return nil }
        unsafe BIO_set_data(bio, Unmanaged.passUnretained(buffers).toOpaque())
        return unsafe bio
    }

    private static func makeMethod() -> OpaquePointer? {
        let type = BIO_get_new_index() | BIO_TYPE_SOURCE_SINK
        guard type > 0, let method = unsafe BIO_meth_new(type, "ByteBuffer") else { return nil }
        unsafe BIO_meth_set_create(method) { bio in
            unsafe BIO_set_init(bio, 1)
            return 1
        }
        unsafe BIO_meth_set_destroy(method) { _ in 1 }
        // OpenSSL fails a handshake whose BIO does not know how to flush; everything else may stay unknown.
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        unsafe BIO_meth_set_read(method) { bio, target, count in
            unsafe ByteBufferBIO.read(bio, target, count)
        }
        unsafe BIO_meth_set_write(method) { bio, source, count in
            unsafe ByteBufferBIO.write(bio, source, count)
        }
        return unsafe method
    }

    private static func buffers(_ bio: OpaquePointer?) -> CiphertextBuffers? {
        guard let data = unsafe BIO_get_data(bio) else { return nil }
        return unsafe Unmanaged<CiphertextBuffers>.fromOpaque(data).takeUnretainedValue()
    }

    private static func read(_ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ count: Int32) -> Int32 {
        unsafe shim_BIO_clear_retry_flags(bio)
        guard let buffers = unsafe self.buffers(bio), let target = unsafe target, count > 0 else { return -1 }
        let length = min(Int(count), buffers.inbound.readableBytes)
        guard length > 0 else {
            // "Want more bytes" is no error.
            unsafe shim_BIO_set_retry_read(bio)
            return -1
        }
        unsafe buffers.inbound.readWithUnsafeReadableBytes { bytes in
            unsafe UnsafeMutableRawPointer(target).copyMemory(
                from: bytes.baseAddress ?? UnsafeRawPointer(target),
                byteCount: length
            )
            return length
        }
        // Else an idle connection keeps the channel's buffer, and the channel needs another one.
        if buffers.inbound.readableBytes == 0 { buffers.inbound = ByteBuffer() }
        return Int32(length)
    }

    private static func write(_ bio: OpaquePointer?, _ source: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
        unsafe shim_BIO_clear_retry_flags(bio)
        guard let buffers = unsafe self.buffers(bio), let source = unsafe source, count > 0 else { return -1 }
        unsafe buffers.outbound.writeBytes(UnsafeRawBufferPointer(start: source, count: Int(count)))
        return count
    }
}
