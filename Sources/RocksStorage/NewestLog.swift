/// Remembers the newest file of a write-ahead log, so that a start finds out if it is gone.
///
/// RocksDB takes the end of the files that are there for the end of the log: without the newest,
/// removed by hand or left out of a copy, everything in it is lost without a word, as after a crash
/// that cut it off. Its number only ever grows, because a file goes only when a newer one is there.
/// So the file `NEWEST` holds the number seen last, noted by the watch of the disk and not with
/// writes: what is not found is the loss of a file that began in the last moment before the end.
internal import Base
internal import Storage
private import Synchronization

final class NewestLog: Sendable {
    private static let name = "NEWEST"
    private static let suffix = ".log"

    private let folder: String
    private let noted = Mutex<UInt64>(0)

    init(in folder: String) { self.folder = folder }

    /// Before the log is opened, which begins a newer file.
    static func check(in folder: String) throws(StorageError) {
        let noted: Bytes
        let newest: UInt64
        do throws(SystemFailure) {
            guard try SystemFiles.names(in: folder).contains(name) else { return }
            noted = try SystemFiles.read(folder + "/" + name)
            newest = try number(in: folder)
        } catch {
            // Opening tells what is missing.
            if error.isAbsence { return }
            throw StorageError(error)
        }
        let digits = String(decoding: noted.dropLast(), as: UTF8.self)
        guard noted.last == UInt8(ascii: "\n"), let expected = UInt64(digits) else {
            throw .corrupt("\(name) should be a number and a line's end")
        }
        guard newest >= expected else {
            throw .corrupt(
                "its newest file, number \(expected), is missing, and all that was in it; put it "
                    + "back")
        }
    }

    /// Writes it down if it is another one.
    func note() throws(StorageError) {
        try noted.withLock { noted throws(StorageError) in
            do throws(SystemFailure) {
                let newest = try Self.number(in: folder)
                guard newest > noted else { return }
                try SystemFiles.replace(
                    Self.name, in: folder, with: Bytes("\(newest)\n".utf8))
                noted = newest
            } catch {
                throw .unreadable("\(error.operation) \(error.path): \(error.reason)")
            }
        }
    }

    private static func number(in folder: String) throws(SystemFailure) -> UInt64 {
        try SystemFiles.names(in: folder)
            .compactMap { $0.hasSuffix(suffix) ? UInt64($0.dropLast(suffix.count)) : nil }
            .max() ?? 0
    }
}
