import Foundation

/// Whether what a target found is as it must be; if not, the process ends and libFuzzer keeps the input.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    guard !condition else { return }
    fatalError(message())
}

/// The targets by name. A new one is a line here, a file beside this one and a folder of seeds in `Fuzz/Corpus`.
private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "expression": ExpressionTarget.run,
    "page": PageTarget.run,
    "read": ReadTarget.run,
    "statement": StatementTarget.run,
    "tenants": TenantsTarget.run,
    "write": WriteTarget.run,
]

/// libFuzzer takes one function a process, so `GATEWAY_FUZZ_TARGET` says which one it is.
private let target: @Sendable ([UInt8]) -> Void = {
    let name = ProcessInfo.processInfo.environment["GATEWAY_FUZZ_TARGET"] ?? ""
    guard let target = targets[name] else {
        fatalError("GATEWAY_FUZZ_TARGET is \"\(name)\"; known are \(targets.keys.sorted().joined(separator: ", "))")
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
