/// How many columns of a terminal a text takes.
///
/// Unicode leaves this to the terminal, and they differ in what they join. Taken here: one grapheme
/// is one or two columns, two if any of its scalars is wide by UAX #11 or asks to be an emoji.
/// What a terminal draws in other ways (a joined family as four faces) is shifted by that.

extension String {
    package var columns: Int { reduce(0) { $0 + $1.columns } }
}

extension Character {
    fileprivate var columns: Int {
        if isASCII { return 1 }
        if unicodeScalars.contains(where: \.isWide) { return 2 }
        return unicodeScalars.allSatisfy(\.isWithoutWidth) ? 0 : 1
    }
}

extension Unicode.Scalar {
    /// Variation selector 16 turns what stands before it into an emoji.
    fileprivate var isWide: Bool {
        if value < 0x1100 { return false }
        if value == 0xFE0F || properties.isEmojiPresentation { return true }
        return Self.wide.contains { $0.contains(value) }
    }

    fileprivate var isWithoutWidth: Bool {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format: true
        default: false
        }
    }

    /// Wide and full width: Hangul, kana, ideographs, their punctuation, with room for what is
    /// still to be assigned in the planes of ideographs.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6F, 0xFF01...0xFF60,
        0xFFE0...0xFFE6, 0x16FE0...0x18CFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F2FF,
        0x20000...0x3FFFD,
    ]
}
