import Common
import Foundation
import RequestSigning
import TestSupport
import Testing

@testable import CredentialProviders

@Suite("The form of the shared files")
struct SharedFilesFormTests {
    private struct Pair: Encodable, Sendable {
        var config: String
        var credentials: String = ""
    }
    private static let pairs: [Pair] = [
        Pair(config: "[default]\naws_access_key_id = A\naws_secret_access_key=B=C:D\n"),
        Pair(config: "# c\n; d\n\n[profile a]\nx=1\n  # indented comment\ny = 2 ; stays\nz=3 # stays\n"),
        Pair(config: "[profile \"a b\"]\nx = 1\n[profile 'c d']\ny = 2\n[profile e f]\nz=3\n"),
        Pair(config: "[preview]\nx=1\n[sso-session s]\ny=2\n[services t]\nz =\n  dynamodb =\n    endpoint_url = u\n"),
        Pair(config: "[default]\ns3 =\n  max = 1\n  addressing = path\nregion = eu-west-1\n"),
        Pair(config: "[profile a]\nX_Y = Mixed Case \nkey : value\nempty =\nlast=1"),
        Pair(config: "[profile a]\nlong = one\n  two\n\n  three\nnext = 4\n"),
        Pair(config: "[profile a]   # comment\nx=1\n[ profile b ]\ny=2\n"),
        Pair(config: "  [profile a]\n  x=1\n  y=2\n"),
        Pair(config: "\r\n[profile a]\r\nx=1\r\ny=é☃\r\n"),
        Pair(config: "[profile a]\nx=1\nz=conf\n", credentials: "[a]\nx=2\ny=3\n[profile a]\nx=9\n[default]\nq=1\n"),
        Pair(config: "x=1\n"), Pair(config: "[a\nx=1\n"), Pair(config: "[profile a]\nnothing here\n"),
        Pair(config: "[profile a]\n= 1\n"), Pair(config: "[]\nx=1\n"), Pair(config: ""),
        Pair(config: "[profile a]\n\tx=1\n\ty=2\n[profile b]\n x = 1\ny = 2\n"),
    ]

    @Test("profiles are those that botocore reads")
    func asBotocore() async throws {
        let theirs = try await oracle("files", Self.pairs, as: [[String: [String: String]]?].self)
        for (pair, expected) in zip(Self.pairs, theirs) {
            let config = try? INIDocument(pair.config)
            let credentials = try? INIDocument(pair.credentials)
            guard let config, let credentials else {
                #expect(expected == nil, "\(pair.config)")
                continue
            }
            var profiles = SharedProfiles(config: config, credentials: credentials).profiles
            // Blank lines and line starts inside a nested value mean nothing to either.
            func folded(_ text: String) -> String { text.split(separator: "\n").joined(separator: "\n") }
            for (name, values) in profiles { profiles[name] = values.mapValues(folded) }
            #expect(profiles == expected?.mapValues { $0.mapValues(folded) }, "\(pair.config)")
        }
    }

    @Test("a section that comes again adds to the first, a property replaces it")
    func repeats() throws {
        let document = try INIDocument("[a]\nx=1\ny=1\n[b]\n[a]\ny=2\n")
        #expect(document.sections == ["a": ["x": "1", "y": "2"], "b": [:]])
        let profiles = SharedProfiles(
            config: try INIDocument("[default]\nx=1\n[profile default]\nx=2\n"),
            credentials: nil
        )
        #expect(profiles.profiles["default"] == ["x": "2"])
    }

    @Test("a line at fault is named")
    func lines() {
        #expect(throws: INIError(line: 3, expected: "a section, a property with '=' or a comment")) {
            try INIDocument("[a]\nx=1\nHUSH\n")
        }
    }

    @Test("commands are split as Python's shlex does")
    func split() async throws {
        let commands = [
            "a b  c", "  a\tb\n", "'a b' \"c d\"", "a'b'\"c\"d", "\"a\\\"b\\\\c\\d\"", "'a\\b'", "a\\ b \\\\ \\'", "''",
            "\"\" x",
            "a # b", "$HOME `x` | y; z", "é '☃ b'", "", "'a", "\"a", "a\\", "\"a\\",
        ]
        let theirs = try await oracle("split", commands, as: [[String]?].self)
        #expect(commands.map { ShellWords.split($0) } == theirs)
    }
}

@Suite("Profiles of the shared files")
struct SharedFilesProviderTests {
    private let fixture: CredentialFixture

    init() throws { self.fixture = try CredentialFixture() }

    private func provider(
        config: String,
        credentials: String = "",
        profile: String? = "a",
        environment: [String: String] = [:],
        sts: String? = nil
    ) throws -> SharedFilesProvider {
        try self.fixture.write(".aws/config", config)
        try self.fixture.write(".aws/credentials", credentials)
        return SharedFilesProvider(profile: profile, in: self.fixture.surroundings(environment, sts: sts))
    }

    @Test("a key pair is taken from either file, the credentials file first")
    func keys() async throws {
        let provider = try self.provider(
            config: "[profile a]\naws_access_key_id=AKIDCONF\naws_secret_access_key=HUSH-1\n",
            credentials: "[a]\naws_access_key_id=AKIDCRED\naws_secret_access_key=HUSH-2\naws_session_token=HUSH-3\n"
        )
        let found = try await found(provider)
        #expect(found.shown == OracleKey(id: "AKIDCRED", secret: "HUSH-2", token: "HUSH-3", expiration: nil))
        #expect(found.origin == .profile)
        // Files are read anew each time.
        try self.fixture.write(".aws/credentials", "[a]\naws_access_key_id=AKIDNEW\naws_secret_access_key=HUSH-4\n")
        #expect(try await provider.fetch(deadline: .now + .seconds(9)).key.accessKeyID == "AKIDNEW")
    }

    @Test("the environment names files and profile")
    func environment() async throws {
        let config = try self.fixture.write(
            "other/config",
            "[profile b]\naws_access_key_id=B\naws_secret_access_key=S\n"
        )
        let environment = ["AWS_CONFIG_FILE": config, "AWS_SHARED_CREDENTIALS_FILE": "~/none", "AWS_PROFILE": "b"]
        let provider = SharedFilesProvider(profile: nil, in: self.fixture.surroundings(environment))
        #expect(try await found(provider).key.accessKeyID == "B")
        let missing = SharedFilesProvider(profile: "c", in: self.fixture.surroundings(environment))
        #expect(await failure(missing) == CredentialError(.misconfigured, "the shared files have no profile \"c\""))
        let none = SharedFilesProvider(profile: nil, in: self.fixture.surroundings())
        #expect(await failure(none)?.code == .notConfigured)
    }

    @Test("roles on roles end in a key pair, and each is assumed with the one before")
    func chain() async throws {
        let server = try ScriptedServer { _ in Answers.role() }
        defer { server.stop() }
        let provider = try self.provider(
            config: """
                [profile a]
                role_arn = arn:aws:iam::111122223333:role/a
                source_profile = b
                external_id = xyz
                role_session_name = mine
                duration_seconds = 1800
                [profile b]
                role_arn = arn:aws:iam::111122223333:role/b
                source_profile = c
                """,
            credentials: "[c]\naws_access_key_id=AKIDROOT\naws_secret_access_key=HUSH\n",
            sts: server.url
        )
        #expect(try await found(provider).origin == .assumedRole)
        let requests = server.requests
        try #require(requests.count == 2)
        #expect(requests[0].header("authorization")?.contains("Credential=AKIDROOT/") == true)
        #expect(String(decoding: requests[0].body, as: UTF8.self).contains("role%2Fb"))
        let body = String(decoding: requests[1].body, as: UTF8.self)
        for part in ["role%2Fa", "ExternalId=xyz", "RoleSessionName=mine", "DurationSeconds=1800"] {
            #expect(body.contains(part))
        }
    }

    @Test("a profile may take its role's source from itself, the environment or a token file")
    func sources() async throws {
        let server = try ScriptedServer { _ in Answers.role() }
        defer { server.stop() }
        let token = try self.fixture.write("token", "a.b.c")
        let arn = "role_arn = arn:aws:iam::111122223333:role/a\n"
        let keys = "aws_access_key_id=AKIDSELF\naws_secret_access_key=HUSH\n"
        let environment = ["AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "HUSH"]
        for config in [
            "[profile a]\n\(arn)source_profile = a\n\(keys)", "[profile a]\n\(arn)credential_source = Environment\n",
            "[profile a]\n\(arn)web_identity_token_file = \(token)\n",
        ] {
            let provider = try self.provider(
                config: config,
                environment: environment,
                sts: server.url
            )
            _ = try await found(provider)
        }
        try #require(server.requests.count == 3)
        #expect(server.requests[0].header("authorization")?.contains("Credential=AKIDSELF/") == true)
        #expect(server.requests[1].header("authorization")?.contains("Credential=AKIDENV/") == true)
        #expect(server.requests[2].header("authorization") == nil)
    }

    @Test(
        "what cannot work is refused in words that help",
        arguments: [
            ("[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nrole_arn=r\nsource_profile=a\n", "a -> b -> a"),
            ("[profile a]\nrole_arn=r\nsource_profile=a\n", "a -> a"),
            ("[profile a]\nrole_arn=r\nsource_profile=b\n", "no profile \"b\" that \"a\" takes its source from"),
            ("[profile a]\nrole_arn=r\nsource_profile=b\n[profile b]\nregion=x\n", "\"b\" has no credentials"),
            ("[profile a]\nrole_arn=r\n", "no source_profile or credential_source"),
            ("[profile a]\nrole_arn=r\nsource_profile=b\ncredential_source=Environment\n", "both source_profile and"),
            ("[profile a]\nrole_arn=r\ncredential_source=Moon\n", "EcsContainer or Ec2InstanceMetadata, not \"Moon\""),
            ("[profile a]\nrole_arn=r\nsource_profile=b\nmfa_serial=m\n", "second factor (mfa_serial)"),
            ("[profile a]\nsso_session=s\n", "browser (SSO)"), ("[profile a]\nsso_start_url=s\n", "browser (SSO)"),
            ("[profile a]\naws_access_key_id=HUSH\n", "has no aws_secret_access_key"),
            ("[profile a]\naws_secret_access_key=HUSH\n", "has no aws_access_key_id"),
            ("[profile a]\naws_access_key_id=A\naws_secret_access_key=HUSH # c\n", "holds blanks"),
            ("[profile a]\nregion=x\n", "\"a\" has no credentials"), ("[profile a]\nHUSH\n", "config:2: expected"),
        ]
    )
    func refusals(config: String, words: String) async throws {
        let error = await failure(
            try self.provider(
                config: config
            )
        )
        let message = try #require(error).message
        #expect(message.contains(words), "\(message)")
        #expect(!message.contains("HUSH"))
    }
}

@Suite("A credential_process")
struct ProcessProviderTests {
    private func provider(_ command: String, _ environment: [String: String] = [:]) -> ProcessProvider {
        let environment = ["PATH": "/usr/bin:/bin"].merging(environment) { $1 }
        return ProcessProvider(command: command, profile: "a", environment: environment)
    }

    @Test("its output is taken, with our environment and no shell")
    func output() async throws {
        let fixture = try CredentialFixture()
        let script = try fixture.write(
            "with space.sh",
            """
            printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s","SessionToken":"t","Expiration":"%s"}' \
                "$NAME" "$1" 2030-01-01T00:00:00+00:00
            """
        )
        let found = try await found(self.provider("sh '\(script)' '$(id)'", ["NAME": "AKIDPROC"]))
        #expect(
            found.shown
                == OracleKey(id: "AKIDPROC", secret: "$(id)", token: "t", expiration: Answers.expiration)
        )
        #expect(found.origin == .process)
    }

    @Test(
        "what goes wrong is said, and its output is not shown",
        arguments: [
            ("sh -c 'echo HUSH; exit 3'", CredentialError.Code.refused, "status 3"),
            ("sh -c 'echo HUSH; kill -9 $$'", .refused, "signal 9"),
            ("sh -c 'echo HUSH'", .malformed, "has not"),
            ("echo '{\"Version\":2,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"HUSH\"}'", .malformed, "Version"),
            ("echo '{\"Version\":1,\"AccessKeyId\":\"A\"}'", .malformed, "SecretAccessKey"),
            ("/does/not/exist HUSH", .misconfigured, "cannot be run"),
            ("sh -c 'HUSH", .misconfigured, "quote without an end"),
            ("head -c 100000 /dev/zero", .malformed, "more than 65536 bytes"),
        ]
    )
    func faults(command: String, code: CredentialError.Code, words: String) async throws {
        let error = try #require(await failure(self.provider(command)))
        #expect(error.code == code)
        #expect(error.message.contains(words), "\(error.message)")
        #expect(!error.message.contains("HUSH"))
    }

    @Test("one that does not end is ended, with its children")
    func timeout() async throws {
        let fixture = try CredentialFixture()
        let pids = "\(fixture.folder)/pids"
        let command = "sh -c 'sleep 300 & echo $! $$ > \(pids); wait'"
        // Long enough for the shell to have written, which the last expectation needs.
        let error = await failure(self.provider(command), within: .milliseconds(1500))
        #expect(error?.code == .unreachable)
        #expect(error?.message.contains("did not end in time") == true)
        let started = try String(contentsOfFile: pids, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        try #require(started.count == 2)
        for _ in 0..<500 where started.contains(where: { Self.isRunning($0) }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        for pid in started { #expect(!Self.isRunning(pid)) }
    }

    private static func isRunning(_ pid: Substring) -> Bool {
        let stat = (try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)) ?? ""
        return !stat.isEmpty && !stat.contains(") Z ")
    }

    @Test("one that is no longer wanted is ended at once")
    func cancel() async throws {
        let provider = self.provider("sleep 300")
        let task = Task { await failure(provider) }
        task.cancel()
        #expect(await task.value?.code == .cancelled)
    }

    @Test("it inherits no connection of ours")
    func descriptors() async throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        // Of its descriptors, those that are sockets would be ours; the shell opens none.
        let count = "$(ls -l /proc/self/fd | grep -c socket)"
        let command = """
            sh -c 'echo "{\\"Version\\":1,\\"AccessKeyId\\":\\"A\(count)\\",\\"SecretAccessKey\\":\\"s\\"}"'
            """
        #expect(try await found(self.provider(command)).key.accessKeyID == "A0")
    }
}
