/// Finds a pattern in bytes in time that grows with their number alone (Knuth, Morris and Pratt,
/// 1977).
///
/// Keys and delimiters are the clients': compared place by place, keys of 4,096 equal bytes and a
/// delimiter of half that cost millions of steps each, on an event loop.
package import Base

package struct PatternSearch: Sendable {
    private let pattern: Bytes
    /// Of each prefix of the pattern, the length of its longest proper prefix that is its suffix.
    private let borders: [Int]

    /// - Parameter pattern: not empty.
    package init(_ pattern: Bytes) {
        self.pattern = pattern
        var borders = [Int](repeating: 0, count: pattern.count)
        var length = 0
        for index in pattern.indices.dropFirst() {
            while length > 0, pattern[index] != pattern[length] { length = borders[length - 1] }
            if pattern[index] == pattern[length] { length += 1 }
            borders[index] = length
        }
        self.borders = borders
    }

    /// Where the first occurrence that begins at `start` or behind it ends; nil without one.
    package func firstEnd(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var length = 0
        var index = start
        while index < bytes.count {
            while length > 0, bytes[index] != pattern[length] { length = borders[length - 1] }
            if bytes[index] == pattern[length] { length += 1 }
            index += 1
            if length == pattern.count { return index }
        }
        return nil
    }
}
