import Foundation
import Testing

@testable import TenantConfiguration

@Suite("Configuration files that are no text, or not there")
struct TenantsFileTests {
    /// The problems of a file with these bytes.
    private func problems(_ bytes: [UInt8]) throws -> [ConfigurationProblem] {
        let folder = try CaseFolder.shared.get()
        let name = "\(UUID().uuidString).yaml"
        try folder.write(name, bytes)
        defer { try? FileManager.default.removeItem(atPath: folder.path(name)) }
        do {
            _ = try TenantsFile.load(path: folder.path(name), environment: [:])
            return []
        } catch {
            return error.problems
        }
    }

    @Test("a function needs no listener's TLS for certificates, but a CA, and no local engine; nothing waits")
    func forLambda() throws {
        let folder = try CaseFolder.shared.get()
        func load(_ timestream: String, _ certificate: String) throws -> GatewayConfiguration {
            let text = """
                version: 1
                timestream: {\(timestream)}
                tenants:
                  a:
                    database: abc
                    table: abc
                    credentials: {from: environment}
                    auth: {client_certificate: {san_dns: [a.example]\(certificate)}}
                """
            let name = "\(UUID().uuidString).yaml"
            try folder.write(name, Array(text.utf8))
            defer { try? FileManager.default.removeItem(atPath: folder.path(name)) }
            return try TenantsFile.load(path: folder.path(name), environment: [:], isForLambda: true)
        }
        let aws = "backend: aws, region: us-east-1"
        let configuration = try load(aws, ", ca: ca.pem")
        #expect(configuration.tenants.map(\.limits.maxWait) == [.zero])
        let withoutCA = #expect(throws: ConfigurationProblems.self) { try load(aws, "") }
        #expect(withoutCA?.description.contains("add ca beside the names") == true)
        let local = #expect(throws: ConfigurationProblems.self) { try load("backend: local", ", ca: ca.pem") }
        #expect(local?.description.contains("would be gone with each environment") == true)
    }

    private func problem(_ text: String) throws -> ConfigurationProblem {
        let problems = try self.problems(Array(text.utf8))
        return try #require(problems.first)
    }

    @Test(
        "what is no UTF-8 text is named as what it is",
        arguments: [
            ([0xEF, 0xBB, 0xBF] + Array("version: 1\n".utf8), 1, 1, "a byte order mark"),
            ([0xFF, 0xFE, 0x76, 0x00], 1, 1, "the file is UTF-16"),
            ([0xFE, 0xFF, 0x00, 0x76], 1, 1, "the file is UTF-16"),
            (Array("version: 1\n# caf".utf8) + [0xE9, 0x0A], 2, 6, "bytes that are not UTF-8"),
            (Array("# é".utf8) + [0xC3], 1, 4, "bytes that are not UTF-8"),
            (Array("version: 1\nx".utf8) + [0x00], 2, 2, "a character that YAML does not allow (U+0000)"),
            (Array("version: 1\r\n# ".utf8) + [0x1B], 2, 3, "a character that YAML does not allow (U+001B)"),
        ] as [([UInt8], Int, Int, String)]
    )
    func notText(bytes: [UInt8], line: Int, column: Int, message: String) throws {
        let problems = try self.problems(bytes)
        #expect(problems.map(\.message) == [message])
        #expect(problems.first?.line == line)
        #expect(problems.first?.column == column)
    }

    @Test("an empty file, and one of comments alone, say so")
    func nothingInIt() throws {
        #expect(try self.problem("").message == "the file is empty")
        #expect(try self.problem(" \n# nothing\n").message == "the file holds nothing but comments or white space")
        #expect(try self.problem("---\n").message == "the document is empty")
        #expect(try self.problem("--- ~\n...\n").message == "the document is empty")
    }

    @Test("a folder, a missing file and a pipe are not waited for, and say so")
    func notAFile() throws {
        let folder = try CaseFolder.shared.get()
        for (name, message) in [
            ("folder", "is a folder, not a file"), ("missing.yaml", "no such file"),
            ("pipe", "is not an ordinary file"),
            ("user.hash/tenants.yaml", "no such file: part of the path is not a folder"),
        ] {
            let error = #expect(throws: ConfigurationProblems.self) {
                try TenantsFile.load(path: folder.path(name), environment: [:])
            }
            #expect(error?.problems.map(\.message) == [message])
            #expect(error?.problems.first?.line == nil)
            #expect(error?.problems.first?.file == folder.path(name))
        }
    }

    @Test("a file that may not be read says so", .disabled(if: getuid() == 0, "root may read everything"))
    func unreadable() throws {
        let folder = try CaseFolder.shared.get()
        try folder.write("unreadable.yaml", "version: 1\n", permissions: 0)
        let error = #expect(throws: ConfigurationProblems.self) {
            try TenantsFile.load(path: folder.path("unreadable.yaml"), environment: [:])
        }
        #expect(error?.problems.map(\.message) == ["permission denied: this process may not read the file"])
    }

    @Test("a file above its bound is not read")
    func tooLarge() throws {
        let folder = try CaseFolder.shared.get()
        try folder.write("large", [UInt8](repeating: 0x20, count: 1001))
        #expect(throws: FileContents.Failure(message: "is larger than 0 KiB")) {
            try FileContents.read(folder.path("large"), limitBytes: 1000)
        }
        #expect(try FileContents.read(folder.path("large"), limitBytes: 1001).bytes.count == 1001)
        // Files of the kernel have no size until they are read.
        #expect(throws: FileContents.Failure(message: "is larger than 0 KiB")) {
            try FileContents.read("/proc/self/status", limitBytes: 100)
        }
        let status = try FileContents.read("/proc/self/status", limitBytes: 1 << 20)
        #expect(status.bytes.starts(with: "Name:".utf8))
    }

    @Test("line ends of Windows and of old are line ends")
    func lineEnds() throws {
        let text =
            "version: 1\r\ntimestream: {backend: local}\r\ntenants:\r\n  a: {database: abc, table: def, auth: none, x: 1}\r\n"
        let problem = try self.problem(text)
        #expect(problem.line == 4)
        #expect(problem.column == 46)
        #expect(problem.path == "tenants.a.x")
    }

    @Test("relative paths start from the file's folder, wherever the process is")
    func relativePaths() {
        #expect(FilePath.folder(of: "/etc/gateway/tenants.yaml") == "/etc/gateway")
        #expect(FilePath.folder(of: "/tenants.yaml") == "/")
        #expect(FilePath.folder(of: "tenants.yaml") == FileManager.default.currentDirectoryPath)
        #expect(FilePath.folder(of: "./a/tenants.yaml") == FileManager.default.currentDirectoryPath + "/a")
        #expect(FilePath.absolute("certs/a.pem", from: "/etc") == "/etc/certs/a.pem")
        #expect(FilePath.absolute("./a.pem", from: "/") == "/a.pem")
        #expect(FilePath.absolute("../a.pem", from: "/etc/x") == "/etc/x/../a.pem")
        #expect(FilePath.absolute("/run/a.pem", from: "/etc") == "/run/a.pem")
    }

    @Test("ten thousand tenants are read, and a doubled table among them is found")
    func manyTenants() throws {
        var text = "version: 1\ntimestream: {backend: local}\ntenants:\n"
        for index in 0..<10_000 {
            text += """
                  tenant-\(index):
                    database: database\(index % 100)
                    table: table\(index == 9_999 ? 9_899 : index)
                    auth: {bearer: [{token_sha256: \(String(repeating: "0", count: 64))}]}
                    limits: {samples_per_second: \(index + 1)}

                """
        }
        let problems = try self.problems(Array(text.utf8))
        #expect(problems.count == 1)
        #expect(problems.first?.path == "tenants.tenant-9999.table")
        #expect(problems.first?.line == 3 + 9_999 * 5 + 3)
    }
}
