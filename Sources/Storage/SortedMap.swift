/// Keys to values in key order, as an array of small sorted arrays that are copied only when
/// written.
///
/// Copying the map costs one reference; the first write after a copy duplicates the list of chunks
/// and the one chunk it touches. That is what makes a consistent view of `MemoryEngine` free and
/// its many small writes cheap. Two levels, not a B-tree: a simulated store holds thousands of
/// keys, not millions.
package import Base

package struct SortedMap: Sendable {
    package struct Entry: Sendable {
        package var key: Key
        package var value: Bytes
    }

    /// An entry's place, or the end: `chunk == chunks.count`.
    private struct Position {
        var chunk: Int
        var offset: Int
    }

    private static let entriesPerChunk = 64

    /// Sorted, none empty, none longer than `entriesPerChunk`.
    private var chunks: [[Entry]] = []

    package init() {}

    package var count: Int { chunks.reduce(0) { $0 + $1.count } }

    package func value(of key: Key) -> Bytes? {
        let place = position(atOrAfter: key)
        guard place.chunk < chunks.count else { return nil }
        let entry = chunks[place.chunk][place.offset]
        return entry.key == key ? entry.value : nil
    }

    package mutating func put(_ key: Key, _ value: Bytes) {
        guard !chunks.isEmpty else {
            chunks.append([Entry(key: key, value: value)])
            return
        }
        let chunk = chunkCovering(key)
        let offset = offset(atOrAfter: key, in: chunk)
        if offset < chunks[chunk].count, chunks[chunk][offset].key == key {
            chunks[chunk][offset].value = value
            return
        }
        chunks[chunk].insert(Entry(key: key, value: value), at: offset)
        if chunks[chunk].count > Self.entriesPerChunk { split(chunk) }
    }

    package mutating func remove(_ key: Key) {
        let place = position(atOrAfter: key)
        guard place.chunk < chunks.count, chunks[place.chunk][place.offset].key == key else {
            return
        }
        chunks[place.chunk].remove(at: place.offset)
        if chunks[place.chunk].isEmpty { chunks.remove(at: place.chunk) }
    }

    package mutating func remove(_ range: KeyRange) {
        guard !range.isEmpty else { return }
        let first = position(atOrAfter: range.start)
        let last = end(of: range)
        guard first.chunk < chunks.count else { return }
        if first.chunk == last.chunk {
            chunks[first.chunk].removeSubrange(first.offset..<last.offset)
            if chunks[first.chunk].isEmpty { chunks.remove(at: first.chunk) }
            return
        }
        if last.offset > 0 { chunks[last.chunk].removeSubrange(..<last.offset) }
        chunks[first.chunk].removeSubrange(first.offset...)
        let emptied = chunks[first.chunk].isEmpty ? first.chunk : first.chunk + 1
        chunks.removeSubrange(emptied..<last.chunk)
    }

    /// Visits the entries of `range` in order until `visit` answers false.
    package func forEach(
        in range: KeyRange, reverse: Bool, _ visit: (borrowing Entry) -> Bool
    ) {
        guard !range.isEmpty else { return }
        let first = position(atOrAfter: range.start)
        let last = end(of: range)
        if reverse {
            visitBackwards(from: last, to: first, visit)
        } else {
            visitForwards(from: first, to: last, visit)
        }
    }

    private func visitForwards(
        from first: Position, to last: Position, _ visit: (borrowing Entry) -> Bool
    ) {
        var place = first
        while (place.chunk, place.offset) < (last.chunk, last.offset) {
            guard visit(chunks[place.chunk][place.offset]) else { return }
            place.offset += 1
            if place.offset == chunks[place.chunk].count {
                place = Position(chunk: place.chunk + 1, offset: 0)
            }
        }
    }

    private func visitBackwards(
        from last: Position, to first: Position, _ visit: (borrowing Entry) -> Bool
    ) {
        var place = last
        while (first.chunk, first.offset) < (place.chunk, place.offset) {
            if place.offset == 0 {
                place = Position(chunk: place.chunk - 1, offset: chunks[place.chunk - 1].count)
            }
            place.offset -= 1
            guard visit(chunks[place.chunk][place.offset]) else { return }
        }
    }

    /// The place of the first entry beyond `range`.
    private func end(of range: KeyRange) -> Position {
        guard let end = range.end else { return Position(chunk: chunks.count, offset: 0) }
        return position(atOrAfter: end)
    }

    private func position(atOrAfter key: Key) -> Position {
        guard !chunks.isEmpty else { return Position(chunk: 0, offset: 0) }
        let chunk = chunkCovering(key)
        let offset = offset(atOrAfter: key, in: chunk)
        return offset < chunks[chunk].count
            ? Position(chunk: chunk, offset: offset) : Position(chunk: chunk + 1, offset: 0)
    }

    /// The last chunk that begins at or before `key`; the first if none does.
    private func chunkCovering(_ key: Key) -> Int {
        max(0, partition(chunks.count) { chunks[$0][0].key > key } - 1)
    }

    private func offset(atOrAfter key: Key, in chunk: Int) -> Int {
        partition(chunks[chunk].count) { chunks[chunk][$0].key >= key }
    }

    /// The first index at which `isBeyond` holds, given that it then holds for all after it.
    private func partition(_ count: Int, _ isBeyond: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if isBeyond(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private mutating func split(_ chunk: Int) {
        let middle = chunks[chunk].count / 2
        let upper = Array(chunks[chunk][middle...])
        chunks[chunk].removeSubrange(middle...)
        chunks.insert(upper, at: chunk + 1)
    }
}
