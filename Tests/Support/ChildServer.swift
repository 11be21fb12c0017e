import Foundation

/// A program that serves until it is stopped and says on its standard output which port it listens on.
package final class ChildServer: Sendable {
    package let port: Int
    private let process: Process

    /// - Parameters:
    ///   - executable: a path, or a name that the search path knows.
    ///   - marker: the text right before the port; the first line that has it counts.
    package init(_ executable: String, _ arguments: [String], portAfter marker: String = "") throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [executable] + arguments
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process

        var line = ""
        var found: Int?
        while found == nil, let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty {
            line += String(decoding: byte, as: UTF8.self)
            guard line.hasSuffix("\n") else { continue }
            if let range = line.range(of: marker) ?? (marker.isEmpty ? line.startIndex..<line.startIndex : nil) {
                found = Int(line[range.upperBound...].dropLast())
            }
            line = ""
        }
        guard let found else {
            Self.end(process)
            throw TestSupportError("\(executable) does not serve: \(arguments.joined(separator: " ").prefix(200))")
        }
        self.port = found
    }

    package func stop() {
        Self.end(self.process)
    }

    deinit {
        Self.end(self.process)
    }

    /// By SIGKILL: the child has the signal mask of the thread that started it, and the pool's threads block SIGTERM.
    private static func end(_ process: Process) {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
