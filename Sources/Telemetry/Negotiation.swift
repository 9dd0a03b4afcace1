/// Which exposition format a scraper gets, from its `Accept` fields (RFC 9110 §12.5.1).
///
/// The highest quality among the formats known here wins; nothing acceptable is no error but the
/// plain text that every scraper reads, because a 406 only loses the data. What a range asks for
/// beyond type and version (`escaping`, `charset`) is ignored: all names are ASCII.
package import Base

extension ExpositionFormat {
    package init(accept fields: [Bytes]) {
        var best: [ExpositionFormat: Preference] = [:]
        var position = 0
        for range in MediaRange.all(in: fields) {
            position += 1
            for format in ExpositionFormat.allCases {
                guard let specificity = range.specificity(for: format) else { continue }
                let preference = Preference(
                    quality: range.quality, specificity: specificity, position: position)
                if best[format].map({ preference.speaksLouder(than: $0) }) ?? true {
                    best[format] = preference
                }
            }
        }
        let text = best[.prometheus], openMetrics = best[.openMetrics]
        guard let openMetrics, openMetrics.quality > 0 else {
            self = .prometheus
            return
        }
        self = text.map { openMetrics.isPreferred(to: $0) } ?? true ? .openMetrics : .prometheus
    }
}

/// What one format's most telling range says about it.
private struct Preference {
    /// In thousandths.
    var quality: Int
    /// 0 for `*/*`, 1 for `type/*`, 2 for a type, 3 for a type in a version.
    var specificity: Int
    var position: Int

    /// Of two ranges that match one format the more specific counts, whatever its quality.
    func speaksLouder(than other: Preference) -> Bool {
        specificity != other.specificity
            ? specificity > other.specificity : quality > other.quality
    }

    /// Between formats quality decides, then who was named more precisely, then who was named
    /// first.
    func isPreferred(to other: Preference) -> Bool {
        if quality != other.quality { return quality > other.quality }
        if specificity != other.specificity { return specificity > other.specificity }
        return position < other.position
    }
}

/// One element of an Accept field.
package struct MediaRange {
    /// In lower case; may be `*/*` or `text/*`.
    package var type: Bytes
    var version: Bytes?
    /// In thousandths.
    package var quality = 1000

    /// The elements of all Accept fields, in the order sent.
    package static func all(in fields: some Sequence<Bytes>) -> [MediaRange] {
        fields.flatMap { split($0[...], at: UInt8(ascii: ",")).compactMap(MediaRange.init) }
    }

    /// nil if it is malformed; such an element is passed over.
    private init?(_ element: ArraySlice<UInt8>) {
        var parts = split(element, at: UInt8(ascii: ";"))
        type = lowercased(parts.removeFirst())
        guard !type.isEmpty else { return nil }
        for part in parts {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = unquoted(part[(equals + 1)...])
            switch lowercased(part[..<equals]) {
            case Bytes("q".utf8):
                guard let thousandths = MediaRange.thousandths(value) else { return nil }
                quality = thousandths
            case Bytes("version".utf8): version = Bytes(value)
            default: break
            }
        }
    }

    fileprivate func specificity(for format: ExpositionFormat) -> Int? {
        let (own, group, ownVersion) =
            switch format {
            case .prometheus: ("text/plain", "text/*", "0.0.4")
            case .openMetrics: ("application/openmetrics-text", "application/*", "1.0.0")
            }
        if type == Bytes(own.utf8) {
            guard let version else { return 2 }
            return version == Bytes(ownVersion.utf8) ? 3 : nil
        }
        if type == Bytes(group.utf8) { return 1 }
        return type == Bytes("*/*".utf8) ? 0 : nil
    }

    /// `0`, `1`, `0.5`, `0.125`, `1.000`: at most three digits after the point (RFC 9110 §12.4.2).
    private static func thousandths(_ text: ArraySlice<UInt8>) -> Int? {
        guard let first = text.first, first == UInt8(ascii: "0") || first == UInt8(ascii: "1")
        else { return nil }
        var result = first == UInt8(ascii: "1") ? 1000 : 0
        let rest = text.dropFirst()
        guard let point = rest.first else { return result }
        guard point == UInt8(ascii: "."), rest.count <= 4 else { return nil }
        var weight = 100
        for digit in rest.dropFirst() {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            result += Int(digit - UInt8(ascii: "0")) * weight
            weight /= 10
        }
        return result <= 1000 ? result : nil
    }
}

/// The parts between separators outside quoted strings, without surrounding white space.
private func split(_ text: ArraySlice<UInt8>, at separator: UInt8) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = text.startIndex
    var quoted = false
    var escaped = false
    for index in text.indices {
        let byte = text[index]
        if escaped {
            escaped = false
        } else if quoted, byte == UInt8(ascii: "\\") {
            escaped = true
        } else if byte == UInt8(ascii: "\"") {
            quoted.toggle()
        } else if byte == separator, !quoted {
            parts.append(trimmed(text[start..<index]))
            start = index + 1
        }
    }
    parts.append(trimmed(text[start...]))
    return parts
}

private func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text
    while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
    while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
    return text
}

private func unquoted(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let quote = UInt8(ascii: "\"")
    guard text.count >= 2, text.first == quote, text.last == quote else { return text }
    return text.dropFirst().dropLast()
}

private func lowercased(_ text: ArraySlice<UInt8>) -> Bytes {
    text.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
}
