/// Writes that happen together or not at all, in order; what a rule collects and a disk worker
/// merges.
///
/// One arena for all bytes, so that a batch of thousands costs two growing arrays and travels
/// between threads as a value.
package import Base

/// What a range holds, expired keys too: deleting it becomes a batch of so much, because an engine
/// may have to name each key.
package struct RangeWeight: Hashable, Sendable {
    /// Of one delete beside its key: what it is, its family, lengths.
    private static let bytesPerDelete = 8

    package var keys: Int
    package var keyBytes: Int

    package static let none = RangeWeight(keys: 0, keyBytes: 0)

    package var byteCount: Int { keyBytes + keys * Self.bytesPerDelete }

    package init(keys: Int, keyBytes: Int) {
        self.keys = keys
        self.keyBytes = keyBytes
    }
}

package struct WriteBatch: Sendable {
    /// The raw values stand in Raft logs: frozen.
    package enum Kind: UInt8, Hashable, Sendable {
        case put
        case delete
        /// Deletes `key ..< value`: the value slot holds the end; an empty end means to the end of
        /// the family.
        case deleteRange
    }

    package struct Operation: Sendable {
        package var kind: Kind
        package var family: ColumnFamily
        package var key: Range<Int>
        package var value: Range<Int>

        package init(kind: Kind, family: ColumnFamily, key: Range<Int>, value: Range<Int>) {
            self.kind = kind
            self.family = family
            self.key = key
            self.value = value
        }
    }

    package private(set) var operations: [Operation] = []
    /// The bytes that the operations' ranges refer to.
    package private(set) var arena: Bytes = []
    /// What the range deletes become in the engine.
    private var rangeBytes = 0

    package init() {}

    /// Of operations whose keys and values stand somewhere in `arena`, as in the record of a
    /// command.
    package init(operations: [Operation], arena: Bytes) {
        invariant(
            operations.allSatisfy { max($0.key.upperBound, $0.value.upperBound) <= arena.count },
            "an operation's bytes are in the arena")
        self.operations = operations
        self.arena = arena
    }

    package var isEmpty: Bool { operations.isEmpty }
    package var count: Int { operations.count }
    /// Bytes of keys and values, with what lies between them in a batch that was decoded, and of
    /// those keys that a range delete will name.
    package var byteCount: Int { arena.count + rangeBytes }

    /// What a `deleteRange` deletes.
    package func range(of operation: Operation) -> KeyRange {
        KeyRange(
            start: Key(Bytes(arena[operation.key])),
            end: operation.value.isEmpty ? nil : Key(Bytes(arena[operation.value])))
    }

    package mutating func put(_ family: ColumnFamily, _ key: Key, _ value: Bytes) {
        add(.put, family, key.bytes, value)
    }

    package mutating func delete(_ family: ColumnFamily, _ key: Key) {
        add(.delete, family, key.bytes, [])
    }

    /// - Parameter weight: what is in the range, as far as it is known.
    package mutating func deleteRange(
        _ family: ColumnFamily, _ range: KeyRange, weight: RangeWeight = .none
    ) {
        invariant(!range.isEmpty, "a range to delete is not empty")
        rangeBytes += weight.byteCount
        add(.deleteRange, family, range.start.bytes, range.end?.bytes ?? [])
    }

    package mutating func append(_ other: WriteBatch) {
        let base = arena.count
        arena.append(contentsOf: other.arena)
        rangeBytes += other.rangeBytes
        operations.reserveCapacity(operations.count + other.operations.count)
        for operation in other.operations {
            var moved = operation
            moved.key = operation.key.lowerBound + base..<operation.key.upperBound + base
            moved.value = operation.value.lowerBound + base..<operation.value.upperBound + base
            operations.append(moved)
        }
    }

    private mutating func add(_ kind: Kind, _ family: ColumnFamily, _ key: Bytes, _ value: Bytes) {
        let start = arena.count
        arena.append(contentsOf: key)
        let middle = arena.count
        arena.append(contentsOf: value)
        operations.append(
            Operation(
                kind: kind, family: family, key: start..<middle, value: middle..<arena.count))
    }
}
