/// Garbage collection during compaction: drops values of which a rule says that no reader sees
/// them.
///
/// RocksDB turns a dropped value into a deletion, so that an older value of the same key further
/// down does not come back (reliability.md row 65). The rule knows the record format; this file
/// does not.
private import CRocksDB

/// The rule, where C can carry it. Immutable, so RocksDB's threads may share it.
private final class GarbageRule: Sendable {
    let isGarbage: @Sendable (UnsafeRawBufferPointer) -> Bool

    init(_ isGarbage: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool) {
        self.isGarbage = isGarbage
    }
}

/// The name RocksDB writes to its log; it keeps the pointer.
private let filterName = StaticString("martlet.garbage")

func makeCompactionFilter(
    _ isGarbage: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool
) -> OpaquePointer {
    let rule = Unmanaged.passRetained(GarbageRule(isGarbage)).toOpaque()
    let filter = rocksdb_compactionfilter_create(
        rule,
        { rule in
            if let rule { Unmanaged<GarbageRule>.fromOpaque(rule).release() }
        },
        { rule, _, _, _, value, valueCount, _, _, _ in
            guard let rule else { return 0 }
            let bytes = UnsafeRawBufferPointer(start: value, count: valueCount)
            return Unmanaged<GarbageRule>.fromOpaque(rule)._withUnsafeGuaranteedRef {
                $0.isGarbage(bytes) ? 1 : 0
            }
        },
        { _ in UnsafeRawPointer(filterName.utf8Start).assumingMemoryBound(to: CChar.self) })
    guard let filter else { fatalError("out of memory") }
    return filter
}
