/// The `Date` field (RFC 9110 §5.6.7), from seconds since 1970 without a calendar library.
///
/// The algorithm counts days from 1 March of year 0, so that the leap day is the last of its year.

enum HTTPDate {
    static let length = 29

    /// Writes `Sun, 06 Nov 1994 08:49:37 GMT` to `bytes`, which has room for `length` bytes.
    static func write(_ secondsSince1970: Int, to bytes: UnsafeMutablePointer<UInt8>) {
        let (days, second) = secondsSince1970.quotientAndRemainder(dividingBy: 86_400)
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 2 : monthFromMarch - 10
        let year = yearOfEra + era * 400 + (month <= 1 ? 1 : 0)

        var at = bytes
        func put(_ text: StaticString, from start: Int, _ count: Int) {
            at.update(from: text.utf8Start + start, count: count)
            at += count
        }
        func put(_ number: Int, digits: Int) {
            var rest = number
            for index in stride(from: digits - 1, through: 0, by: -1) {
                at[index] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            at += digits
        }
        put("ThuFriSatSunMonTueWed", from: (days % 7) * 3, 3)
        put(", ", from: 0, 2)
        put(day, digits: 2)
        put(" ", from: 0, 1)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", from: month * 3, 3)
        put(" ", from: 0, 1)
        put(year, digits: 4)
        put(" ", from: 0, 1)
        put(second / 3_600, digits: 2)
        put(":", from: 0, 1)
        put(second / 60 % 60, digits: 2)
        put(":", from: 0, 1)
        put(second % 60, digits: 2)
        put(" GMT", from: 0, 4)
    }
}
