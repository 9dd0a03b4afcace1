/// The `Date` field (RFC 9110 §5.6.7), written once a second.
internal import Base

package enum HTTPDate {
    package static let length = 29

    /// Writes `Sun, 06 Nov 1994 08:49:37 GMT` to `bytes`, which has room for `length` bytes.
    package static func write(_ secondsSince1970: Int, to bytes: UnsafeMutablePointer<UInt8>) {
        let date = WallTime(milliseconds: UInt64(secondsSince1970) * 1_000).date
        let (days, second) = secondsSince1970.quotientAndRemainder(dividingBy: 86_400)
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
        put(date.day, digits: 2)
        put(" ", from: 0, 1)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", from: (date.month - 1) * 3, 3)
        put(" ", from: 0, 1)
        put(date.year, digits: 4)
        put(" ", from: 0, 1)
        put(second / 3_600, digits: 2)
        put(":", from: 0, 1)
        put(second / 60 % 60, digits: 2)
        put(":", from: 0, 1)
        put(second % 60, digits: 2)
        put(" GMT", from: 0, 4)
    }
}
