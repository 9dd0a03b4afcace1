// Dates and times of RFC 3339 against a calendar counted off day by day.
import Base
import Testing

@Suite struct CivilTimeTests {
    private static let millisecondsPerDay: UInt64 = 86_400_000

    private static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func daysInMonth(_ month: Int, of year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Every day of 1,500 years, counted off one by one.
    @Test func everyDayFrom1970() {
        var expected = WallTime.CivilDate(year: 1970, month: 1, day: 1)
        for day in 0..<UInt64(1500 * 365) {
            let time = WallTime(milliseconds: day * Self.millisecondsPerDay)
            guard time.date == expected,
                WallTime(milliseconds: time.milliseconds + Self.millisecondsPerDay - 1).date
                    == expected
            else {
                Issue.record("day \(day): \(time.date), not \(expected)")
                return
            }
            expected.day += 1
            if expected.day > Self.daysInMonth(expected.month, of: expected.year) {
                expected.day = 1
                expected.month += 1
            }
            if expected.month > 12 {
                expected.month = 1
                expected.year += 1
            }
        }
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (1, "1970-01-01T00:00:00.001Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"), (.max, "9999-12-31T23:59:59.999Z"),
        ] as [(UInt64, String)]) func text(_ milliseconds: UInt64, _ expected: String)
    {
        #expect(WallTime(milliseconds: milliseconds).rfc3339 == Bytes(expected.utf8))
    }

    @Test func dateOfTheLastInstantDoesNotTrap() {
        #expect(WallTime(milliseconds: .max).date.year > 584_000_000)
    }
}
