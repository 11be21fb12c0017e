import COpenSSL

/// The SHA-256 digest of some bytes, by libcrypto; 32 bytes.
///
/// For occasional digests (certificates, tokens). The signer keeps its own contexts for request bodies.
package func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe bytes.withUnsafeBufferPointer { input in
        unsafe digest.withUnsafeMutableBufferPointer { output in
            _ = unsafe SHA256(input.baseAddress, input.count, output.baseAddress)
        }
    }
    return digest
}
