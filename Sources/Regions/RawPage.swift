/// One page of a scan: all bytes in one arena, so that a thousand entries cost two growing arrays
/// and not two thousand small ones, here, between cores and between nodes.
package import Base

package struct RawPage: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package var key: Range<Int>
        package var value: Range<Int>
        package var expiresAt: WallTime?
    }

    package private(set) var entries: [Entry] = []
    package private(set) var commonPrefixes: [Key] = []
    package private(set) var arena: Bytes = []
    /// What is left to scan; nil once the range was seen to its end.
    package var rest: KeyRange?

    package init() {}

    /// Entries and common prefixes, which share the limit.
    package var count: Int { entries.count + commonPrefixes.count }
    package var byteCount: Int { arena.count }

    package mutating func append(
        key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, expiresAt: WallTime?
    ) {
        let start = arena.count
        arena.append(contentsOf: key)
        let middle = arena.count
        arena.append(contentsOf: value)
        entries.append(
            Entry(key: start..<middle, value: middle..<arena.count, expiresAt: expiresAt))
    }

    package mutating func append(commonPrefix: Key) { commonPrefixes.append(commonPrefix) }
}
