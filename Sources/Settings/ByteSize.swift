/// A number of bytes as people write it: `512MiB`, `1.5 GB`, `1048576`.
///
/// Binary units are powers of 1024 and decimal ones powers of 1000, as IEC 80000-13 has them; a
/// lone `K`, `M`, `G` or `T` is binary, as memory sizes are meant in practice.

package struct ByteSize: Hashable, Sendable, CustomStringConvertible {
    package let bytes: Int

    package init(bytes: Int) { self.bytes = bytes }

    package init?(_ text: String) {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text[digits.endIndex...].drop { $0 == " " }.lowercased()
        guard let factor = ByteSize.factor(unit), let number = Double(digits), number.isFinite,
            number >= 0, number * factor < 0x1p62, !digits.contains(".") || !unit.isEmpty
        else { return nil }
        bytes = Int(number * factor)
    }

    private static func factor(_ unit: String) -> Double? {
        switch unit {
        case "", "b": 1
        case "kb": 1e3
        case "mb": 1e6
        case "gb": 1e9
        case "tb": 1e12
        case "k", "kib": 0x1p10
        case "m", "mib": 0x1p20
        case "g", "gib": 0x1p30
        case "t", "tib": 0x1p40
        default: nil
        }
    }

    /// The largest binary unit with at most one decimal: `1.5 GiB`.
    package var description: String {
        var units = ["TiB", "GiB", "MiB", "KiB"]
        var size = 1 << 40
        while bytes < size, size > 1 {
            size >>= 10
            units.removeFirst()
        }
        guard let unit = units.first else { return "\(bytes) B" }
        let tenths = bytes / size * 10 + bytes % size * 10 / size
        return tenths % 10 == 0 || tenths >= 1000
            ? "\(tenths / 10) \(unit)" : "\(tenths / 10).\(tenths % 10) \(unit)"
    }
}
