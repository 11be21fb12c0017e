import NIOCore
import Testing

@testable import TLSTransport

@Suite("The course of a TLS connection")
struct TLSStateMachineTests {
    private let deadline = NIODeadline.uptimeNanoseconds(5_000_000_000)

    private func handshaking() -> TLSHandler.StateMachine {
        var machine = TLSHandler.StateMachine()
        #expect(machine.started(deadline: self.deadline) == .handshake)
        return machine
    }

    @Test("an unfinished handshake times out at its deadline, not before")
    func handshakeDeadline() {
        var machine = self.handshaking()
        #expect(machine.timerFired(now: self.deadline - .nanoseconds(1)) == .rearm(self.deadline))
        #expect(machine.timerFired(now: self.deadline) == .timedOut)
        #expect(machine.timerFired(now: self.deadline + .seconds(1)) == .ignore)
        #expect(machine.handshakeCompleted() == .ignore)
    }

    @Test("a timer that races the end of the handshake is ignored")
    func timerRace() {
        var machine = self.handshaking()
        #expect(machine.handshakeCompleted() == .announce)
        #expect(machine.timerFired(now: self.deadline) == .ignore)
        #expect(machine.isEstablished)
    }

    @Test("a failed handshake is reported once, lingers, and then closes")
    func failure() {
        var machine = self.handshaking()
        #expect(machine.failed(until: self.deadline) == .report)
        #expect(machine.isDiscarding)
        #expect(machine.failed(until: self.deadline) == .ignore)
        #expect(machine.handshakeCompleted() == .ignore)
        #expect(machine.timerFired(now: self.deadline) == .close)
        #expect(machine.inputClosed() == .ignore)
    }

    @Test("a broken established connection is told to its handlers")
    func brokenConnection() {
        var machine = self.handshaking()
        #expect(machine.handshakeCompleted() == .announce)
        #expect(machine.failed(until: self.deadline) == .tell)
    }

    @Test("the peer's end means something else before, during and after")
    func inputClosed() {
        var early = self.handshaking()
        #expect(early.inputClosed() == .abandon)
        var established = self.handshaking()
        #expect(established.handshakeCompleted() == .announce)
        #expect(established.inputClosed() == .forward)
        var failed = self.handshaking()
        #expect(failed.failed(until: self.deadline) == .report)
        #expect(failed.inputClosed() == .close)
    }

    @Test("starting twice starts once")
    func startTwice() {
        var machine = self.handshaking()
        #expect(machine.started(deadline: self.deadline) == .ignore)
        #expect(machine.ended() == .abandon)
        #expect(machine.ended() == .ignore)
    }

    @Test("a ticket's note reads back, and nothing else does")
    func ticketNote() {
        let digests: [[UInt8]] = [Array(repeating: 7, count: 32), Array(0..<32)]
        let note = TicketNote(verifiedAtSeconds: 1_700_000_000, notAfterSeconds: -1, chainDigests: digests)
        #expect(TicketNote(note.encoded) == note)
        #expect(TicketNote(Array(note.encoded.dropLast())) == nil)
        #expect(TicketNote([2] + note.encoded.dropFirst()) == nil)
        #expect(TicketNote([]) == nil)
    }

    @Test(
        "a ticket is good for an hour after the verification, and not beyond the chain's end",
        arguments: [(999, false), (1000, true), (4599, true), (4600, false)] as [(Int64, Bool)]
    )
    func ticketLife(now: Int64, isGood: Bool) {
        let note = TicketNote(verifiedAtSeconds: 1000, notAfterSeconds: 10_000, chainDigests: [])
        #expect(note.isGood(nowSeconds: now) == isGood)
        let shortLived = TicketNote(verifiedAtSeconds: 1000, notAfterSeconds: 1000, chainDigests: [])
        #expect(!shortLived.isGood(nowSeconds: now))
    }
}
