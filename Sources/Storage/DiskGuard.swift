/// Decides what a store may still write when its disk fills up; the one place that does.
///
/// Three marks, from the bottom: what the engine needs to write out and compact all that it has
/// taken; above that a reserve for deletes, which are what brings space back, also while a
/// compaction takes up room; above that room for writes. A store that has become full is well again
/// only some way above the last mark, so that it does not flap with each request. Between two looks
/// at the disk everything admitted is subtracted, so that the engine may look seldom while there is
/// plenty.
///
/// A file system that counts its files in advance (inodes) can also run out of those: the same
/// three marks once more, in files. They are not subtracted: thousands of writes become one file.

/// Space on the file system that holds the data, and what the guard says to it.
package struct DiskSpace: Hashable, Sendable {
    package var freeBytes: UInt64
    package var capacityBytes: UInt64
    /// What has to be free for a write to be taken.
    package var neededBytes: UInt64
    /// Files that can still be made; nil if the file system sets no such limit.
    package var freeFiles: UInt64?
    /// The same for files.
    package var neededFiles: UInt64
    /// Writes are refused; reads and deletes go on.
    package var isFull: Bool

    /// It is files that are missing.
    package var lacksFiles: Bool { freeFiles.map { $0 < neededFiles } ?? false }
}

/// Why a batch was refused.
package struct SpaceShortage: Hashable, Sendable {
    package enum Unit: Hashable, Sendable {
        case bytes
        /// Inodes.
        case files
    }

    package var unit: Unit
    package var free: UInt64
    /// The mark that was not met, and what the batch needs above it.
    package var needed: UInt64
    /// Not even deletes are taken.
    package var refusesDeletes: Bool

    package init(_ unit: Unit = .bytes, free: UInt64, needed: UInt64, refusesDeletes: Bool) {
        self.unit = unit
        self.free = free
        self.needed = needed
        self.refusesDeletes = refusesDeletes
    }
}

package struct DiskGuard: Hashable, Sendable {
    /// What an engine may have to write without being asked to.
    package struct Needs: Hashable, Sendable {
        /// Everything in memory, written out.
        package var flushBytes: UInt64
        /// The output of the largest compaction: its input goes only when it is complete.
        package var compactionBytes: UInt64
        /// One memtable.
        package var memtableBytes: UInt64

        package init(flushBytes: UInt64, compactionBytes: UInt64, memtableBytes: UInt64) {
            self.flushBytes = flushBytes
            self.compactionBytes = compactionBytes
            self.memtableBytes = memtableBytes
        }

        /// Of two engines on one disk, which may do all of it at the same time.
        package static func + (a: Needs, b: Needs) -> Needs {
            Needs(
                flushBytes: a.flushBytes + b.flushBytes,
                compactionBytes: a.compactionBytes + b.compactionBytes,
                memtableBytes: a.memtableBytes + b.memtableBytes)
        }
    }

    /// Parts per hundred of the capacity that writes leave free at least, for whatever else grows
    /// on a large disk…
    private static let floorPercent: UInt64 = 5
    /// …and how much more has to be free before a full store takes writes again.
    private static let resumePercent: UInt64 = 3
    private static let resumeBytesMin: UInt64 = 2 << 20
    private static let plentyBytes: UInt64 = 1 << 30
    /// For the engine's manifest and its own log, and what the file system needs for itself: one
    /// part in sixteen, at most so much.
    private static let spareBytesMax: UInt64 = 4 << 20
    /// Memtables full of deletes that fit above the engine's needs: the log of one, the table made
    /// of it, and the same for the next.
    private static let memtablesOfDeletes: UInt64 = 4
    /// A stored byte is written to the log's own log and to the log, to a table, and once more by
    /// a compaction of either before anything is gone.
    private static let bytesPerStoredByte: UInt64 = 5
    /// A deleted key is written to the same places; compacting it gives space back.
    private static let bytesPerDeletedByte: UInt64 = 4
    /// Files that a flush of all that is in memory makes, of both databases, with the logs and
    /// manifests that begin anew beside it, and as many once more for the next.
    package static let filesToFlush: UInt64 = 32
    /// Files that compactions make before their input goes: a table each for the 25 that one may
    /// read, and a few for another.
    private static let filesToCompact: UInt64 = 32
    /// Between two looks, by writes and by others on the same file system.
    private static let filesBetweenLooks: UInt64 = 64
    /// How many more have to be free before a full store takes writes again.
    private static let filesToResume: UInt64 = 32

    package private(set) var isFull = false
    private var freeBytes: UInt64 = 0
    private var capacityBytes: UInt64 = 0
    private var freeFiles: UInt64?
    /// Below it not even what is in memory may be written out by our own will.
    package private(set) var flushFloor: UInt64 = 0
    /// Below it not even deletes are taken…
    package private(set) var deleteFloor: UInt64 = 0
    /// …and below it no writes.
    package private(set) var writeFloor: UInt64 = 0

    package init() {}

    package var space: DiskSpace {
        DiskSpace(
            freeBytes: freeBytes, capacityBytes: capacityBytes,
            neededBytes: isFull ? resumeMark : writeFloor, freeFiles: freeFiles,
            neededFiles: filesMark, isFull: isFull)
    }

    /// So far from full that hardly anybody uses it up in half a second.
    package var hasPlenty: Bool {
        freeBytes >= writeFloor + Self.plentyBytes && has(files: Self.filesPlenty)
    }

    /// Full, or soon: deletes from here on are worth remembering.
    package var isTight: Bool { freeBytes < 2 * resumeMark || !has(files: 2 * filesMark) }

    /// Whether so much and the files of a flush may be set aside without bringing the end nearer.
    package func maySetAside(_ byteCount: UInt64) -> Bool {
        !isFull && freeBytes >= resumeMark + byteCount
            && has(files: filesMark + Self.filesToResume + Self.filesToFlush)
    }

    /// Whether a flush finds room. RocksDB does not survive one that finds none.
    package var mayFlush: Bool { freeBytes >= flushFloor && has(files: Self.filesToFlush) }

    /// Whether a compaction finds room that writes so much before its input is deleted.
    package func mayCompact(_ byteCount: UInt64) -> Bool {
        freeBytes >= flushFloor + byteCount && has(files: Self.filesToDelete)
    }

    /// Above it a full store takes writes again.
    package var resumeMark: UInt64 {
        writeFloor + max(capacityBytes / 100 * Self.resumePercent, Self.resumeBytesMin)
    }

    /// Below it not even deletes are taken…
    private static let filesToDelete = filesToFlush + filesToCompact
    /// …and below it no writes.
    private static let filesToWrite = filesToDelete + filesBetweenLooks
    private static let filesPlenty: UInt64 = 100 * filesToWrite

    private var filesMark: UInt64 { Self.filesToWrite + (isFull ? Self.filesToResume : 0) }

    private func has(files: UInt64) -> Bool { freeFiles.map { $0 >= files } ?? true }

    /// - Parameter freeFiles: nil if the file system sets them no limit.
    package mutating func observe(
        freeBytes: UInt64, capacityBytes: UInt64, freeFiles: UInt64?, needs: Needs
    ) {
        self.freeBytes = freeBytes
        self.capacityBytes = capacityBytes
        self.freeFiles = freeFiles
        flushFloor = min(Self.spareBytesMax, capacityBytes / 16) + needs.flushBytes
        deleteFloor = flushFloor + needs.compactionBytes
        // The compaction twice: while one is under way its output is no longer free, and deletes
        // still find room for what may follow it.
        writeFloor = max(
            capacityBytes / 100 * Self.floorPercent,
            deleteFloor + needs.compactionBytes + Self.memtablesOfDeletes * needs.memtableBytes)
        isFull = freeBytes < (isFull ? resumeMark : writeFloor) || !has(files: filesMark)
    }

    /// A look in between, with needs that have not changed much.
    package mutating func observe(freeBytes: UInt64, freeFiles: UInt64?) {
        self.freeBytes = freeBytes
        self.freeFiles = freeFiles
    }

    /// Admits a batch and subtracts what it will take, or says what is missing.
    /// - Parameter byteCount: of the batch as it goes into the log.
    package mutating func admit(_ byteCount: Int, storesNothing: Bool) -> SpaceShortage? {
        let filesNeeded = storesNothing ? Self.filesToDelete : filesMark
        if let freeFiles, freeFiles < filesNeeded {
            return SpaceShortage(
                .files, free: freeFiles, needed: filesNeeded, refusesDeletes: storesNothing)
        }
        let factor = storesNothing ? Self.bytesPerDeletedByte : Self.bytesPerStoredByte
        let mark = storesNothing ? deleteFloor : isFull ? resumeMark : writeFloor
        let needed = mark + factor * UInt64(byteCount)
        guard freeBytes >= needed else {
            return SpaceShortage(
                free: freeBytes, needed: needed, refusesDeletes: storesNothing)
        }
        freeBytes -= factor * UInt64(byteCount)
        return nil
    }

    /// The same for what another store has decided: taken as long as all that is taken can be
    /// written out and compacted, for there may be deletes in it.
    package mutating func admitReplicated(_ byteCount: Int) -> Bool {
        let taken = Self.bytesPerStoredByte * UInt64(byteCount)
        guard freeBytes >= deleteFloor + taken, has(files: Self.filesToDelete) else { return false }
        freeBytes -= taken
        return true
    }

    /// Subtracts what was admitted earlier and is not on the disk that was looked at.
    package mutating func charge(_ byteCount: Int) {
        freeBytes -= min(freeBytes, Self.bytesPerStoredByte * UInt64(byteCount))
    }
}
