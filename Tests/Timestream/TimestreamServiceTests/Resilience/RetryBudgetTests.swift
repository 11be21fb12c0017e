import Testing

@testable import TimestreamService

@Suite("The retry budget")
struct RetryBudgetTests {
    @Test("when every call fails, retries end; first tries go on without it")
    func outage() {
        var budget = RetryBudget(RetryBudget.Policy(capacity: 500, costOfRetry: 5, gainOfSuccess: 1))
        let allowed = (0..<1_000).count { _ in budget.takeRetry() }
        #expect(allowed == 100)
        #expect(budget.tokens == 0)
    }

    @Test("at a fault rate of 5 % every failed call may be repeated, for ever")
    func fewFaults() {
        var budget = RetryBudget(RetryBudget.Policy())
        for call in 0..<100_000 {
            if call % 20 == 0 { #expect(budget.takeRetry() == true) }
            budget.succeeded()
        }
    }

    @Test("a retry takes all of its price or nothing")
    func price() {
        var budget = RetryBudget(RetryBudget.Policy(capacity: 9, costOfRetry: 5, gainOfSuccess: 1))
        #expect(budget.takeRetry() == true)
        #expect(budget.takeRetry() == false)
        #expect(budget.tokens == 4)
        budget.succeeded()
        #expect(budget.takeRetry() == true)
        for _ in 0..<100 { budget.succeeded() }
        #expect(budget.tokens == 9)
    }
}
