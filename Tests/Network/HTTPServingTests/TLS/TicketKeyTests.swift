import Common
import Foundation
import TestSupport
import Testing

@testable import HTTPServing
@testable import TLSTransport

/// A clock that goes on when it is told to.
private final class ManualClock: Sendable {
    private let instant = Locked(ContinuousClock.now)
    var now: ContinuousClock.Instant { self.instant.withLock { $0 } }
    func advance(by duration: Duration) { self.instant.withLock { $0 += duration } }
}

private func context(_ pki: TestPKI, _ clock: ManualClock, sessionTickets: Bool = true) throws -> TLSServerContext {
    var configuration = TLSServerConfiguration(
        certificateChainPath: pki.certificate("server"),
        privateKeyPath: pki.key("server"),
        clientCAPath: pki.certificate("ca"),
        additionalCAPaths: [],
        clientAuthentication: .require,
        minimumVersion: .tls12,
        crlPath: nil
    )
    configuration.sessionTickets = sessionTickets
    return try TLSServerContext(configuration, ticketClock: { clock.now })
}

extension TestServer {
    /// A request with the session that was kept as `from`; what is got meanwhile is kept as `to`.
    fileprivate func resume(_ pki: TestPKI, _ version: String, from: String? = nil, to: String? = nil) async throws
        -> String
    {
        var more = [version]
        if let from { more += ["-sess_in", pki.path(from)] }
        if let to { more += ["-sess_out", pki.path(to)] }
        let output = try await self.sClient(pki, certificate: "client", more).output
        #expect(output.contains("cn=client"))
        return output
    }
}

@Suite("The keys of session tickets")
struct TicketKeyTests {
    @Test(
        "a ticket of the key before resumes and is renewed; an older one means a full handshake",
        arguments: [
            "-tls1_2", "-tls1_3",
        ]
    )
    func rotation(version: String) async throws {
        let pki = try await TestPKI.standard()
        let clock = ManualClock()
        try await TestServer.with(tls: try context(pki, clock), handler: TestServer.whoAmI) { server in
            let first = try await server.resume(pki, version, to: "first")
            #expect(first.contains("New, TLSv1"))

            clock.advance(by: TicketKeys.sealingTime - .seconds(1))
            #expect(try await server.resume(pki, version, from: "first").contains("Reused, TLSv1"))

            clock.advance(by: .seconds(2))
            let renewed = try await server.resume(pki, version, from: "first", to: "second")
            #expect(renewed.contains("Reused, TLSv1"))
            guard version == "-tls1_3" else {
                // s_client keeps no session that was resumed, but shows its ticket, which begins with the key's name.
                let names = [first, renewed].map { output in
                    output.components(separatedBy: "TLS session ticket:\n").last?.prefix(60)
                }
                #expect(names[0]?.contains("0000 - ") == true && names[0] != names[1])
                clock.advance(by: TicketKeys.sealingTime)
                #expect(try await server.resume(pki, version, from: "first").contains("New, TLSv1"))
                return
            }

            // The first key is past its time, the one that the renewed ticket was sealed with is not.
            clock.advance(by: TicketKeys.sealingTime)
            #expect(try await server.resume(pki, version, from: "first").contains("New, TLSv1"))
            #expect(try await server.resume(pki, version, from: "second").contains("Reused, TLSv1"))

            clock.advance(by: TicketKeys.openingTime)
            #expect(try await server.resume(pki, version, from: "second").contains("New, TLSv1"))
            #expect(server.handshakes(.resumed) == 3 && server.handshakes(.succeeded) == 3)
        }
    }

    @Test("a ticket that was tampered with, wherever, means a full handshake", arguments: ["-tls1_2", "-tls1_3"])
    func tampered(version: String) async throws {
        let pki = try await TestPKI.standard()
        try await TestServer.with(tls: try context(pki, ManualClock()), handler: TestServer.whoAmI) { server in
            _ = try await server.resume(pki, version, to: "good")
            let (session, ticket) = try Self.ticket(of: pki.path("good"))
            // In the key's name, the initialization vector, the sealed session, and the authentication code.
            for place in [3, 20, 60, ticket.count - 1] {
                var bytes = session
                bytes[ticket.lowerBound + place] ^= 0x40
                let text =
                    "-----BEGIN SSL SESSION PARAMETERS-----\n"
                    + Data(bytes).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
                    + "\n-----END SSL SESSION PARAMETERS-----\n"
                try text.write(toFile: pki.path("bad"), atomically: true, encoding: .utf8)
                #expect(try await server.resume(pki, version, from: "bad").contains("New, TLSv1"), "byte \(place)")
            }
            #expect(try await server.resume(pki, version, from: "good").contains("Reused, TLSv1"))
            #expect(server.handshakes(.resumed) == 1 && server.handshakes(.protocolError) == 0)
        }
    }

    @Test("without session tickets nothing is resumed", arguments: ["-tls1_2", "-tls1_3"])
    func off(version: String) async throws {
        let pki = try await TestPKI.standard()
        let tls = try context(pki, ManualClock(), sessionTickets: false)
        try await TestServer.with(tls: tls, handler: TestServer.whoAmI) { server in
            let first = try await server.resume(pki, version, to: "none")
            #expect(!first.contains("TLS session ticket:"))
            guard FileManager.default.fileExists(atPath: pki.path("none")) else { return }
            #expect(try await server.resume(pki, version, from: "none").contains("New, TLSv1"))
            #expect(server.handshakes(.resumed) == 0)
        }
    }

    @Test("keys seal for half an hour, open for an hour, and go for good when trust changes")
    func life() throws {
        let clock = ManualClock()
        let keys = TicketKeys(now: { clock.now })
        #expect(keys.opening([UInt8](repeating: 0, count: 16)) == nil)
        let first = try #require(keys.sealing())
        #expect(keys.sealing()?.name == first.name && keys.opening(first.name)?.isCurrent == true)

        clock.advance(by: TicketKeys.sealingTime)
        let second = try #require(keys.sealing())
        #expect(second.name != first.name && keys.opening(second.name)?.isCurrent == true)
        #expect(keys.opening(first.name)?.isCurrent == false)

        clock.advance(by: TicketKeys.sealingTime)
        #expect(keys.opening(first.name) == nil && keys.opening(second.name)?.isCurrent == false)
        keys.clear()
        #expect(keys.opening(second.name) == nil)
        #expect(keys.sealing().map { $0.name != first.name && $0.name != second.name } == true)
    }

    @Test("keys that are past their time are given up without any handshake")
    func wiped() throws {
        let clock = ManualClock()
        let keys = TicketKeys(now: { clock.now })
        weak var key: TicketKey?
        do {
            let made = try #require(keys.sealing())
            key = made
        }
        clock.advance(by: TicketKeys.openingTime - .seconds(1))
        keys.dropOld()
        #expect(key != nil)
        clock.advance(by: .seconds(1))
        keys.dropOld()
        #expect(key == nil)
    }

    private struct NoTicket: Error {}

    /// The DER form of a session that `s_client` kept, and where the ticket is in it: `[10] EXPLICIT OCTET STRING`.
    private static func ticket(of path: String) throws -> (session: [UInt8], ticket: Range<Int>) {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let der = try #require(Data(base64Encoded: lines.filter { !$0.hasPrefix("-") }.joined()))
        let bytes = [UInt8](der)
        func length(at index: Int) -> Int { Int(bytes[index]) << 8 | Int(bytes[index + 1]) }
        for index in 0..<bytes.count - 8
        where bytes[index] == 0xAA && bytes[index + 1] == 0x82 && bytes[index + 4] == 0x04 && bytes[index + 5] == 0x82
            && length(at: index + 2) == length(at: index + 6) + 4
        {
            return (bytes, index + 8..<index + 8 + length(at: index + 6))
        }
        throw NoTicket()
    }
}
