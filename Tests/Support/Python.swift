package import Foundation

/// A Python interpreter for tests that check us against an independent implementation.
package struct Python: Sendable {
    private let path: String

    /// Finds an interpreter that can import all these modules: the one that `GATEWAY_TEST_PYTHON` names, or else
    /// `python3` of the search path.
    ///
    /// - Throws: `TestSupportError`, saying what to install.
    package init(importing modules: [String]) throws {
        let environment = ProcessInfo.processInfo.environment
        let candidates: [String]
        if let chosen = environment["GATEWAY_TEST_PYTHON"] {
            candidates = [chosen]
        } else {
            let folders = (environment["PATH"] ?? "/usr/local/bin:/usr/bin").split(separator: ":")
            candidates = folders.map { "\($0)/python3" }
        }
        for candidate in candidates where FileManager.default.isExecutableFile(atPath: candidate) {
            let probe = Process()
            probe.executableURL = URL(fileURLWithPath: candidate)
            probe.arguments = ["-c", "import " + modules.joined(separator: ", ")]
            probe.standardError = FileHandle.nullDevice
            try probe.run()
            probe.waitUntilExit()
            if probe.terminationStatus == 0 {
                self.path = candidate
                return
            }
        }
        throw TestSupportError(
            "this test needs a Python 3 with \(modules.joined(separator: " and ")); "
                + "install them, or name the interpreter in GATEWAY_TEST_PYTHON (looked at: "
                + candidates.joined(separator: ", ") + ")"
        )
    }

    /// Runs a script to its end and returns what it wrote.
    ///
    /// The script gets the paths of an input and an output file behind the arguments. It must bound its own time.
    package func run(_ script: URL, _ arguments: [String] = [], input: Data = Data()) throws -> Data {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let source = folder.appendingPathComponent("input")
        let result = folder.appendingPathComponent("output")
        try input.write(to: source)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: self.path)
        process.arguments = [script.path] + arguments + [source.path, result.path]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TestSupportError("\(script.lastPathComponent) ended with status \(process.terminationStatus)")
        }
        return try Data(contentsOf: result)
    }

    /// Starts a script that serves until it is stopped and first prints the port it listens on.
    package func serve(_ script: URL, _ arguments: [String] = []) throws -> PythonServer {
        try PythonServer(interpreter: self.path, [script.path] + arguments)
    }

    /// Starts a module (`python3 -m`) that serves until it is stopped, and is told a free port.
    package func serve(module: String, _ arguments: [String]) throws -> PythonServer {
        try PythonServer(interpreter: self.path, ["-c", PythonServer.launcher, module] + arguments)
    }
}

/// A running Python server; ends with `stop`.
package final class PythonServer: Sendable {
    /// Runs a module's WSGI application on a free port, so that two tests never want the same one.
    static let launcher = """
        import signal, sys, importlib
        signal.alarm(120)
        from werkzeug.serving import make_server
        module, function = sys.argv[1].split(":")
        server = make_server("127.0.0.1", 0, getattr(importlib.import_module(module), function)(), threaded=True)
        print(server.server_port, flush=True)
        server.serve_forever()
        """
    package let port: Int
    private let process: Process

    init(interpreter: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: interpreter)
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        var line = Data()
        while line.last != UInt8(ascii: "\n") {
            guard let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty else { break }
            line += byte
        }
        guard let port = Int(String(decoding: line.dropLast(), as: UTF8.self)) else {
            process.terminate()
            process.waitUntilExit()
            throw TestSupportError("the server did not start: \(arguments.joined(separator: " ").prefix(200))")
        }
        self.port = port
    }

    package func stop() {
        self.process.terminate()
        self.process.waitUntilExit()
    }
}

/// Why a test could not even begin.
package struct TestSupportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
