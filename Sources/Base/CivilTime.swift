/// Wall time as people and JSON write it: RFC 3339, always UTC, always with milliseconds.
///
/// The proleptic Gregorian calendar by arithmetic on 400-year cycles that begin on 1 March, so
/// that the leap day is the last of its year and needs no special case. Foundation's calendars are
/// not for pure code.
extension WallTime {
    /// The last instant that RFC 3339 can write: 9999-12-31T23:59:59.999Z.
    private static let writableMax: UInt64 = 253_402_300_799_999

    package struct CivilDate: Hashable, Sendable {
        package var year: Int
        /// 1 to 12.
        package var month: Int
        /// 1 to 31.
        package var day: Int

        package init(year: Int, month: Int, day: Int) {
            self.year = year
            self.month = month
            self.day = day
        }
    }

    /// The date in UTC.
    package var date: CivilDate {
        // Days since 0000-03-01, the start of a cycle; 719,468 of them lie before 1970-01-01.
        let days = Int(milliseconds / 86_400_000) + 719_468
        let (cycle, dayOfCycle) = days.quotientAndRemainder(dividingBy: 146_097)
        // Day 1460 is the leap day that ends a fourth year, 36,524 the day after a century without
        // one, and 146,096 the leap day that ends the cycle.
        let yearOfCycle =
            (dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365
        let dayOfYear = dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        // From March on, five months always last 153 days.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return CivilDate(
            year: cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// Such as `2026-11-22T17:43:15.123Z`; a time past the year 9999 is written as that year's end.
    package var rfc3339: Bytes {
        let time = WallTime(milliseconds: min(milliseconds, Self.writableMax))
        let date = time.date
        let millisecondOfDay = Int(time.milliseconds % 86_400_000)
        var text = Bytes()
        text.reserveCapacity(24)
        func append(_ value: Int, digits: Int, then separator: Unicode.Scalar) {
            var divisor = digits == 4 ? 1000 : digits == 3 ? 100 : 10
            while divisor > 0 {
                text.append(UInt8(ascii: "0") + UInt8(value / divisor % 10))
                divisor /= 10
            }
            text.append(UInt8(ascii: separator))
        }
        append(date.year, digits: 4, then: "-")
        append(date.month, digits: 2, then: "-")
        append(date.day, digits: 2, then: "T")
        append(millisecondOfDay / 3_600_000, digits: 2, then: ":")
        append(millisecondOfDay / 60_000 % 60, digits: 2, then: ":")
        append(millisecondOfDay / 1000 % 60, digits: 2, then: ".")
        append(millisecondOfDay % 1000, digits: 3, then: "Z")
        return text
    }
}
