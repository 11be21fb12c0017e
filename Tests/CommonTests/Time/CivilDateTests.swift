import Testing

@testable import Common

@Suite("Days of the calendar")
struct CivilDateTests {
    @Test(
        "known days",
        arguments: [
            (0, CivilDate(year: 1970, month: 1, day: 1)), (-1, CivilDate(year: 1969, month: 12, day: 31)),
            (11_016, CivilDate(year: 2000, month: 2, day: 29)), (19_675, CivilDate(year: 2023, month: 11, day: 14)),
            (106_751, CivilDate(year: 2262, month: 4, day: 11)), (-719_468, CivilDate(year: 0, month: 3, day: 1)),
        ] as [(Int64, CivilDate)]
    )
    func known(days: Int64, date: CivilDate) {
        #expect(CivilDate(daysSinceEpoch: days) == date)
        #expect(date.daysSinceEpoch == days)
    }

    @Test("every day of eight centuries follows the one before, and comes back")
    func succession() {
        var previous = CivilDate(daysSinceEpoch: -150_001)
        for days: Int64 in -150_000...150_000 {
            let date = CivilDate(daysSinceEpoch: days)
            #expect(date.daysSinceEpoch == days)
            let isNextDay = date.month == previous.month && date.day == previous.day + 1
            let isNextMonth =
                date.day == 1 && (date.month == previous.month + 1 || date.month == 1) && previous.day >= 28
            #expect(isNextDay || isNextMonth)
            previous = date
        }
    }

    @Test(
        "days that no month has do not exist",
        arguments: [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 2, 30)] as [(Int64, Int64, Int64)]
    )
    func absent(year: Int64, month: Int64, day: Int64) {
        #expect(!CivilDate(year: year, month: month, day: day).exists)
    }
}
