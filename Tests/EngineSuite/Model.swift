/// What an engine must answer, said as plainly as possible: dictionaries, sorted when asked.
///
/// The suite applies each batch to this and to the engine under test and compares. It knows no
/// testing library, so that any harness can run it.
package import Base
package import Storage

package enum ModelWrite: Hashable, Sendable {
    case put(ColumnFamily, Bytes, Bytes)
    case delete(ColumnFamily, Bytes)
    case deleteRange(ColumnFamily, from: Bytes, to: Bytes?)
}

extension [ModelWrite] {
    package var batch: WriteBatch {
        var batch = WriteBatch()
        for write in self {
            switch write {
            case .put(let family, let key, let value): batch.put(family, Key(key), value)
            case .delete(let family, let key): batch.delete(family, Key(key))
            case .deleteRange(let family, let start, let end):
                batch.deleteRange(family, KeyRange(start: Key(start), end: end.map(Key.init)))
            }
        }
        return batch
    }
}

package struct Model: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var key: Bytes
        package var value: Bytes
    }

    private var raw: [Bytes: Bytes] = [:]
    private var meta: [Bytes: Bytes] = [:]

    package init() {}

    package subscript(family: ColumnFamily) -> [Bytes: Bytes] {
        get { family == .raw ? raw : meta }
        set { if family == .raw { raw = newValue } else { meta = newValue } }
    }

    package mutating func apply(_ writes: [ModelWrite]) {
        for write in writes {
            switch write {
            case .put(let family, let key, let value): self[family][key] = value
            case .delete(let family, let key): self[family][key] = nil
            case .deleteRange(let family, let start, let end):
                self[family] = self[family].filter { !Self.covers($0.key, start, end) }
            }
        }
    }

    package func entries(
        _ family: ColumnFamily, from start: Bytes = [], to end: Bytes? = nil, reverse: Bool = false
    ) -> [Entry] {
        let ascending = self[family]
            .filter { Self.covers($0.key, start, end) }
            .map { Entry(key: $0.key, value: $0.value) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return reverse ? ascending.reversed() : ascending
    }

    private static func covers(_ key: Bytes, _ start: Bytes, _ end: Bytes?) -> Bool {
        guard !key.lexicographicallyPrecedes(start) else { return false }
        guard let end else { return true }
        return key.lexicographicallyPrecedes(end)
    }
}
