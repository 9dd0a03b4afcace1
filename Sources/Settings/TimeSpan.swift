/// A length of time as people write it: `10s`, `500ms`, `2m`, `1h`, `7d`, or seconds as a bare
/// number.

package struct TimeSpan: Hashable, Sendable {
    package let duration: Duration

    package init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), number <= 1_000_000_000_000 else { return nil }
        switch text[digits.endIndex...] {
        case "ms": duration = .milliseconds(number)
        case "", "s": duration = .seconds(number)
        case "m": duration = .seconds(number * 60)
        case "h": duration = .seconds(number * 3600)
        case "d": duration = .seconds(number * 86_400)
        default: return nil
        }
    }
}
