import Dispatch
package import Foundation

/// Runs blocking test code (sockets, processes) off the cooperative pool, which has few threads.
package func blocking<Result: Sendable>(_ work: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { waiter in
        DispatchQueue.global().async {
            waiter.resume(with: Swift.Result { try work() })
        }
    }
}

/// What a program wrote, and how it ended.
package struct ProgramResult: Sendable {
    package var status: Int32
    package var output: String
    package var errors: String
}

/// Runs a program to its end, or to the time-out.
package func run(
    _ program: String,
    _ arguments: [String],
    input: String? = nil,
    timeout: TimeInterval = 20
) async throws -> ProgramResult {
    try await blocking {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        let output = Pipe()
        let errors = Pipe()
        let standardInput = Pipe()
        process.standardOutput = output
        process.standardError = errors
        process.standardInput = standardInput
        try process.run()
        let watchdog = DispatchWorkItem { process.terminate() }
        DispatchQueue.global().asyncAfter(deadline: .now() + timeout, execute: watchdog)
        // A program that ends without reading its input must not end the tests with SIGPIPE.
        signal(SIGPIPE, SIG_IGN)
        if let input { try? standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8)) }
        try? standardInput.fileHandleForWriting.close()
        let errorReader = DispatchQueue(label: "errors")
        nonisolated(unsafe) var errorData = Data()  // Safe because: read only after the queue's `sync` below.
        errorReader.async { errorData = errors.fileHandleForReading.readDataToEndOfFile() }
        let outputData = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        watchdog.cancel()
        errorReader.sync {}
        return ProgramResult(
            status: process.terminationStatus,
            output: String(decoding: outputData, as: UTF8.self),
            errors: String(decoding: errorData, as: UTF8.self)
        )
    }
}
