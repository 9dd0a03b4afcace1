/// Deletes each key of a range by name: those stored, and those put earlier in the same batch.
///
/// RocksDB's own range deletions would cost the same for any number of keys, but in RocksDB 7.8
/// their mere possibility makes iterators lose read errors (`RocksScan`), and they slow down every
/// read until they are compacted away. The price is a batch in memory as large as the keys in the
/// range: callers bound the number of keys.
///
/// A stored key is deleted once in a batch, and so is a put one before each time that it is put
/// again: many deletes of one range after many puts cost what one does.
internal import Base
private import CRocksDB
internal import Storage

/// What a batch has done so far to one family, as far as a later range delete has to know.
struct RangeDeletion {
    /// Put and not deleted by a range since.
    private var puts = SortedMap()
    /// Stored keys in here are deleted already.
    private var deleted = RangeCover()

    mutating func put(_ key: Key) { puts.put(key, []) }

    mutating func delete(
        _ range: KeyRange, of family: ColumnFamily, in database: RocksDatabase,
        into target: OpaquePointer
    ) throws(StorageError) {
        let handle = database.handle(of: family)
        puts.forEach(in: range, reverse: false) { entry in
            withCChars(entry.key.bytes) { start, count in
                rocksdb_writebatch_delete_cf(target, handle, start, count)
            }
            return true
        }
        puts.remove(range)
        for part in deleted.insert(range) {
            let options = makeReadOptions(.disk)
            defer { rocksdb_readoptions_destroy(options) }
            // What is about to go is not worth a place in the cache.
            rocksdb_readoptions_set_fill_cache(options, 0)
            _ = try database.scan(family, part, false, options, .unlimited) { key, _ in
                let start = key.baseAddress?.assumingMemoryBound(to: CChar.self)
                rocksdb_writebatch_delete_cf(target, handle, start, key.count)
                return .more
            }
        }
    }
}
