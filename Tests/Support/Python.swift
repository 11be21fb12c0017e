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
    package func serve(_ script: URL, _ arguments: [String] = []) throws -> ChildServer {
        try ChildServer(self.path, [script.path] + arguments)
    }

    /// Starts a WSGI application on a free port.
    ///
    /// - Parameter statements: set the name `application`.
    package func serve(application statements: String) throws -> ChildServer {
        let launcher = """
            import signal, sys
            # The tests' threads block signals, and children inherit that.
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            signal.alarm(120)
            from werkzeug.serving import make_server
            exec(sys.argv[1])
            server = make_server("127.0.0.1", 0, application, threaded=True)
            print(server.server_port, flush=True)
            server.serve_forever()
            """
        return try ChildServer(self.path, ["-c", launcher, statements])
    }
}

/// Why a test could not even begin.
package struct TestSupportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
