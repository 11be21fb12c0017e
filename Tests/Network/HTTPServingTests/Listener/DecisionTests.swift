import Common
import NIOCore
import Testing

@testable import HTTPServing

@Suite("Decisions without a channel")
struct DecisionTests {
    @Test("the handshake budget grants a second's worth at once, then one after the other")
    func handshakeBudget() {
        var budget = HandshakeBudget(perSecond: 10)
        for _ in 0..<10 { #expect(budget.take(now: 0) == true) }
        #expect(budget.take(now: 0) == false)
        #expect(budget.take(now: 99_999_999) == false)
        #expect(budget.next(now: 0) == 100_000_000)
        #expect(budget.take(now: 100_000_000) == true)
        #expect(budget.take(now: 100_000_000) == false)
        #expect(budget.take(now: 10_000_000_000) == true)
    }

    @Test("extreme rates neither overflow nor divide by zero", arguments: [Int.min, 0, 1, Int.max])
    func extremeRates(rate: Int) {
        var budget = HandshakeBudget(perSecond: rate)
        #expect(budget.take(now: 0) == true)
        #expect(budget.take(now: 2_000_000_000) == true)
    }

    @Test("a client that takes back more requests than it lets us answer runs out")
    func cancellationBudget() {
        var budget = CancellationBudget(limit: 2)
        #expect(budget.requestCancelled() == true)
        budget.requestAnswered()
        budget.requestAnswered()
        #expect(budget.requestCancelled() == true)
        #expect(budget.requestCancelled() == true)
        #expect(budget.requestCancelled() == false)
    }

    @Test("a deadline that moves later is found by the timer that is already running")
    func movingDeadline() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var moving = MovingDeadline()
        #expect(moving.move(to: start + .seconds(5)) == .schedule(start + .seconds(5)))
        #expect(moving.move(to: start + .seconds(9)) == .keep)
        #expect(moving.timerFired(now: start + .seconds(5)) == .schedule(start + .seconds(9)))
        #expect(moving.move(to: start + .seconds(7)) == .schedule(start + .seconds(7)))
        #expect(moving.timerFired(now: start + .seconds(7)) == .expired)
        #expect(moving.timerFired(now: start + .seconds(8)) == .ignore)
        #expect(moving.move(to: start + .seconds(20)) == .schedule(start + .seconds(20)))
        moving.clear()
        #expect(moving.timerFired(now: start + .seconds(20)) == .ignore)
    }

    @Test("a body is delivered, refused or failed, once")
    func bodyMachine() {
        var whole = BodyMachine(declaredLength: 4)
        let step1 = whole.receive(ByteBuffer(string: "ab"))
        #expect(step1 == .hold)
        let step2 = whole.receive(ByteBuffer(string: "cd"))
        #expect(step2 == .hold)
        let step3 = whole.end()
        #expect(step3 == .nothing)
        let delivered = whole.collect(limitBytes: 4)
        #expect(delivered == .deliver(Array("abcd".utf8)))
        let step4 = whole.collect(limitBytes: 4)
        #expect(step4 == .fail(.disconnected))

        var late = BodyMachine(declaredLength: nil)
        let step5 = late.collect(limitBytes: 3)
        #expect(step5 == .wait)
        let step6 = late.receive(ByteBuffer(string: "abc"))
        #expect(step6 == .wantMore)
        let step7 = late.end()
        #expect(step7 == .deliver(Array("abc".utf8)))

        var long = BodyMachine(declaredLength: nil)
        let step8 = long.collect(limitBytes: 3)
        #expect(step8 == .wait)
        let step9 = long.receive(ByteBuffer(string: "abcd"))
        #expect(step9 == .fail(.tooLarge(limitBytes: 3, declared: nil)))
        let step10 = long.receive(ByteBuffer(string: "e"))
        #expect(step10 == .discard)
        let step11 = long.end()
        #expect(step11 == .nothing)

        var declaredLong = BodyMachine(declaredLength: 9)
        let step12 = declaredLong.collect(limitBytes: 3)
        #expect(step12 == .fail(.tooLarge(limitBytes: 3, declared: 9)))

        var failed = BodyMachine(declaredLength: nil)
        let step13 = failed.fail(.timedOut)
        #expect(step13 == .nothing)
        let step14 = failed.fail(.disconnected)
        #expect(step14 == .nothing)
        let step15 = failed.collect(limitBytes: 3)
        #expect(step15 == .fail(.timedOut))

        var abandoned = BodyMachine(declaredLength: nil)
        let step16 = abandoned.collect(limitBytes: 3)
        #expect(step16 == .wait)
        let step17 = abandoned.abandon()
        #expect(step17 == .fail(.disconnected))
        let step18 = abandoned.end()
        #expect(step18 == .nothing)
    }

    @Test("dates are written as HTTP writes them")
    func dates() {
        // RFC 9110, section 5.6.7.
        #expect(HTTPDateSource.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPDateSource.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
    }

    @Test("an HTTP/1 connection that waits is closed by a drain, one with a request finishes it")
    func http1Machine() {
        var idle = HTTP1ConnectionHandler.StateMachine()
        #expect(idle.drain() == .close)

        var busy = HTTP1ConnectionHandler.StateMachine()
        #expect(busy.partReceived() == .nothing)
        busy.headReceived(keepsAlive: true)
        busy.requestEnded()
        #expect(busy.drain() == .ignore)
        #expect(busy.answer(closes: false) == .write(closes: true))
        #expect(busy.answer(closes: false) == .ignore)
        #expect(busy.answerWritten() == .flush)
        #expect(busy.lastAnswerFlushed() == .linger)
        #expect(busy.timerFired() == .close)
        #expect(busy.refuse() == .ignore)
    }

    @Test("an answer that is under way when a drain begins, or its peer ends its side, is its connection's last")
    func http1LastAnswer() {
        var drained = HTTP1ConnectionHandler.StateMachine()
        drained.headReceived(keepsAlive: true)
        drained.requestEnded()
        #expect(drained.answer(closes: false) == .write(closes: false))
        #expect(drained.drain() == .ignore)
        #expect(drained.answerWritten() == .flush)
        #expect(drained.lastAnswerFlushed() == .linger)

        var halfClosed = HTTP1ConnectionHandler.StateMachine()
        halfClosed.headReceived(keepsAlive: true)
        halfClosed.requestEnded()
        #expect(halfClosed.answer(closes: false) == .write(closes: false))
        #expect(halfClosed.inputClosed() == .ignore)
        #expect(halfClosed.answerWritten() == .flush)
        #expect(halfClosed.lastAnswerFlushed() == .close)
    }

    @Test("an unread body costs the connection, and a refusal comes before the answer")
    func http1Refusals() {
        var early = HTTP1ConnectionHandler.StateMachine()
        early.headReceived(keepsAlive: true)
        #expect(early.answer(closes: false) == .write(closes: true))

        var refused = HTTP1ConnectionHandler.StateMachine()
        refused.headReceived(keepsAlive: true)
        #expect(refused.refuse() == .write)
        #expect(refused.answer(closes: false) == .ignore)
        #expect(refused.answerWritten() == .flush)
        #expect(refused.inputClosed() == .ignore)
        #expect(refused.lastAnswerFlushed() == .close)
    }

    @Test("the timer of an HTTP/1 connection means what its state means")
    func http1Timer() {
        var next = HTTP1ConnectionHandler.StateMachine()
        next.headReceived(keepsAlive: true)
        #expect(next.timerFired() == .failBody)
        next.requestEnded()
        #expect(next.timerFired() == .cancelTask)
        #expect(next.answer(closes: false) == .write(closes: false))
        #expect(next.answerWritten() == .next)
        #expect(next.partReceived() == .startHeaderTimer)
        #expect(next.timerFired() == .refuseHead)
    }

    @Test("an HTTP/2 connection drains in two steps while streams are open, in one when none is")
    func http2Machine() {
        var empty = HTTP2ConnectionHandler.StateMachine()
        #expect(empty.frameReceived() == .startIdleTimer)
        #expect(empty.drain(hasStreams: false) == .endWithLastStream)
        #expect(empty.drain(hasStreams: false) == .ignore)
        #expect(empty.timerFired(hasStreams: false) == .close)

        var busy = HTTP2ConnectionHandler.StateMachine()
        #expect(busy.frameReceived() == .startIdleTimer)
        #expect(busy.frameReceived() == .nothing)
        #expect(busy.drain(hasStreams: true) == .announce)
        #expect(busy.drainPingAcknowledged() == .sendLastStream)
        #expect(busy.drainPingAcknowledged() == .ignore)
        #expect(busy.streamsEmptied() == .end)
        #expect(busy.failed() == .ignore)

        var idle = HTTP2ConnectionHandler.StateMachine()
        #expect(idle.frameReceived() == .startIdleTimer)
        #expect(idle.timerFired(hasStreams: true) == .ignore)
        #expect(idle.timerFired(hasStreams: false) == .endWithLastStream)

        var silent = HTTP2ConnectionHandler.StateMachine()
        #expect(silent.timerFired(hasStreams: false) == .close)
    }
}
