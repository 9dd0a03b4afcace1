/// Tells a write-ahead log that a crash cut off from one that was damaged, before RocksDB replays
/// it.
///
/// RocksDB checks the checksum of each record, but the checksum covers neither the record's length
/// nor the way a log ends. By design it then takes each of these for the normal end of a log, and
/// drops what follows, acknowledged or not, without a word: a length in the last block that points
/// beyond it, a type that belongs to a recycled log, a header of zeros. One flipped bit is enough
/// (reliability.md row 71).
///
/// A record cut off by a crash is the last thing in its log, and its payload is incomplete. So: a
/// length beyond the end is damage if some shorter length makes the checksum right, or if a whole
/// record comes after it; zeros are damage if anything follows them; and types that this store
/// never writes are damage. What this cannot tell apart is an acknowledged record at the very end
/// whose last bytes are gone from a cut-off one: only a copy on another node can.
///
/// The format: blocks of 32 KiB; in them records of a masked CRC-32C of type and payload (4 bytes),
/// the payload's length (2), a type (1: whole, 2 to 4: first, middle and last part), and the
/// payload; numbers are little-endian; the last 6 bytes of a block may be padding.
internal import Base
private import Glibc
internal import Storage

enum LogCheck {
    private static let blockBytes = 32 << 10
    private static let headerBytes = 7

    private enum BlockEnd {
        case whole
        /// The log ends in this block, by a record that was cut off at this offset.
        case cutOff(at: Int)
        /// From this offset on everything must be zero.
        case zeros(at: Int)
        /// Offset, and what is wrong there.
        case damaged(at: Int, String)
    }

    /// Checks every log in a database's folder, the manifest's as well, which has the same format.
    /// A folder without any passes.
    static func verify(folder: String) throws(StorageError) {
        var found: String?
        do throws(SystemFailure) {
            let names = try SystemFiles.names(in: folder)
            for name in names
            where found == nil && (name.hasSuffix(".log") || name.hasPrefix("MANIFEST-")) {
                found = try damage(in: folder + "/" + name).map { "\(name): \($0)" }
            }
        } catch {
            if error.isAbsence { return }
            throw .failed("\(error.operation) \(error.path): \(error.reason)")
        }
        if let found { throw .corrupt("\(found)") }
    }

    /// Nil if a crash explains how the log looks.
    private static func damage(in path: String) throws(SystemFailure) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemFailure("open", path) }
        defer { close(descriptor) }
        var base = 0
        /// Where a header of zeros was met.
        var zeros: Int?
        while true {
            let block = try SystemFiles.readAll(descriptor, path, blockBytes)
            if let zeros, block.contains(where: { $0 != 0 }) {
                return "a record of zeros at byte \(zeros) is followed by data"
            }
            guard zeros == nil else {
                if block.count < blockBytes { return nil }
                continue
            }
            let isLast = block.count < blockBytes
            switch end(of: block) {
            case .whole: break
            case .zeros(let offset): zeros = base + offset
            case .damaged(let offset, let what): return "\(what) at byte \(base + offset)"
            case .cutOff(let offset):
                guard isLast else {
                    return "a record at byte \(base + offset) is longer than its block"
                }
                return damage(insteadOfCut: block, at: offset).map {
                    "\($0) at byte \(base + offset)"
                }
            }
            if isLast { return nil }
            base += block.count
        }
    }

    private static func end(of block: Bytes) -> BlockEnd {
        var offset = 0
        while offset + headerBytes <= block.count {
            let length = length(of: block, at: offset)
            let type = block[offset + 6]
            if type == 0, length == 0 {
                return block[offset...].allSatisfy { $0 == 0 }
                    ? .zeros(at: offset) : .damaged(at: offset, "a record of zeros before data")
            }
            guard (1...4).contains(type) else {
                return .damaged(at: offset, "a record of the unknown type \(type)")
            }
            guard offset + headerBytes + length <= block.count else { return .cutOff(at: offset) }
            offset += headerBytes + length
        }
        return .whole
    }

    /// What says that the record at `offset`, too long for the log, was once whole.
    private static func damage(insteadOfCut block: Bytes, at offset: Int) -> String? {
        if payloadMatches(block, at: offset, upTo: block.count) {
            return "a record whose length is wrong"
        }
        for later in stride(from: offset + 1, through: block.count - headerBytes, by: 1) {
            let end = later + headerBytes + length(of: block, at: later)
            guard (1...4).contains(block[later + 6]), end <= block.count else { continue }
            if payloadMatches(block, from: end, at: later, upTo: end) {
                return "a record whose header is damaged, followed by a whole one,"
            }
        }
        return nil
    }

    /// Whether the record's checksum is right for some payload that ends within `first...last`.
    private static func payloadMatches(
        _ block: Bytes, from first: Int = 0, at offset: Int, upTo last: Int
    ) -> Bool {
        let stored = (0..<4).reduce(UInt32(0)) {
            $0 | UInt32(block[offset + $1]) << (8 * UInt32($1))
        }
        var register = CRC32C.initial
        for index in offset + 6..<last {
            register = CRC32C.updated(register, block[index])
            if index + 1 >= first, CRC32C.masked(register) == stored { return true }
        }
        return false
    }

    private static func length(of block: Bytes, at offset: Int) -> Int {
        Int(block[offset + 4]) | Int(block[offset + 5]) << 8
    }
}

/// CRC-32C (Castagnoli), a byte at a time: only logs that were cut off are checked with it.
private enum CRC32C {
    static let initial: UInt32 = 0xFFFF_FFFF

    private static let table: [UInt32] = (0..<256 as Range<UInt32>).map { byte in
        (0..<8).reduce(byte) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
    }

    static func updated(_ register: UInt32, _ byte: UInt8) -> UInt32 {
        register >> 8 ^ table[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
    }

    /// As RocksDB stores it: rotated and shifted, because checksums of data that holds checksums
    /// are weak.
    static func masked(_ register: UInt32) -> UInt32 {
        let sum = ~register
        return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
    }
}
