// The search for a delimiter against a plain one: every text and pattern of two letters up to a
// length at which borders of borders occur.
import Base
import Regions
import Testing

@Suite struct PatternSearchTests {
    private func texts(upTo length: Int) -> [Bytes] {
        (1...length).flatMap { count in
            (0..<1 << count).map { bits in (0..<count).map { UInt8(bits >> $0 & 1) } }
        }
    }

    private func plain(_ pattern: Bytes, _ text: Bytes, _ start: Int) -> Int? {
        guard start + pattern.count <= text.count else { return nil }
        return (start...text.count - pattern.count).first {
            Array(text[$0..<$0 + pattern.count]) == pattern
        }.map { $0 + pattern.count }
    }

    @Test func findsWhatAPlainSearchFinds() {
        for pattern in texts(upTo: 5) {
            let search = PatternSearch(pattern)
            for text in texts(upTo: 8) {
                for start in [0, 1, text.count] {
                    let found = text.withUnsafeBytes { search.firstEnd(in: $0, from: start) }
                    if found != plain(pattern, text, start) {
                        let what = String(describing: found)
                        Issue.record("\(pattern) in \(text) from \(start): \(what)")
                        return
                    }
                }
            }
        }
    }
}
