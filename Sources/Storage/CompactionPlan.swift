/// Which compactions rewrite a range of keys, one small one after the other.
///
/// Asked for a range as a whole, RocksDB takes all tables of a level in it together with all that
/// they overlap below, which can be everything there is: on a full disk there is no room for that,
/// and the database is lost for writes. Asked for a single key it takes the one table of the level
/// that has the key, and what that overlaps; RocksDB cuts tables so that this is bounded. A plan is
/// such keys, with what each may write.
package import Base

/// A table of an engine whose tables are in levels (an LSM tree): within a level, from 1 on, no two
/// overlap.
package struct TableFile: Hashable, Sendable {
    /// Later ones have higher numbers.
    package var number: UInt64
    package var level: Int
    package var least: Key
    package var greatest: Key
    package var byteCount: UInt64

    package init(number: UInt64, level: Int, least: Key, greatest: Key, byteCount: UInt64) {
        self.number = number
        self.level = level
        self.least = least
        self.greatest = greatest
        self.byteCount = byteCount
    }

    func overlaps(_ range: KeyRange) -> Bool {
        range.start <= greatest && range.end.map { least < $0 } ?? true
    }
}

package struct CompactionStep: Hashable, Sendable {
    /// The range from this key to itself is compacted.
    package var key: Key
    /// What that writes, at most, before its input is deleted.
    package var byteCount: UInt64

    package init(key: Key, byteCount: UInt64) {
        self.key = key
        self.byteCount = byteCount
    }
}

package struct CompactionPlan: Sendable {
    private let files: [TableFile]
    private let range: KeyRange
    private let levels: [Int]

    package init(_ files: [TableFile], in range: KeyRange) {
        self.files = files.sorted { ($0.level, $0.least) < ($1.level, $1.least) }
        self.range = range
        levels = Set(files.map(\.level)).sorted()
    }

    /// The first: empties level 0, whose tables overlap each other.
    package var levelZero: CompactionStep? {
        let zero = files.filter { $0.level == 0 }
        guard let key = zero.first(where: { $0.overlaps(range) })?.least else { return nil }
        let below = levels.first { $0 > 0 }
        let size = zero.reduce(0) { $0 + $1.byteCount }
        return CompactionStep(
            key: key,
            byteCount: size + (below.map { level in bytes(of: level, under: zero) } ?? 0))
    }

    /// The second: pushes what is above the last level into it, from the top.
    package var descent: [CompactionStep] {
        zip(levels, levels.dropFirst()).flatMap { level, below in
            files.filter { $0.level == level && level > 0 && $0.overlaps(range) }.map { file in
                CompactionStep(
                    key: file.least, byteCount: file.byteCount + bytes(of: below, under: [file]))
            }
        }
    }

    /// The third: rewrites what was in the last level already.
    package func rewriting(upTo number: UInt64) -> [CompactionStep] {
        files
            .filter { $0.level == levels.last && $0.number <= number && $0.overlaps(range) }
            .map { CompactionStep(key: $0.least, byteCount: $0.byteCount) }
    }

    private func bytes(of level: Int, under tables: [TableFile]) -> UInt64 {
        guard let least = tables.map(\.least).min(), let greatest = tables.map(\.greatest).max()
        else { return 0 }
        let span = KeyRange(start: least, end: greatest.successor)
        return files.reduce(0) { sum, file in
            file.level == level && file.overlaps(span) ? sum + file.byteCount : sum
        }
    }
}
