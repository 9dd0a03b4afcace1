// A closed store whose data is all in its write-ahead log, to be opened again with another log.
import Base
import EngineSuite
import Foundation
import RocksStorage
import Storage

struct LogImage {
    let history = NumberedHistory(seed: 11, largestValue: 30)
    let log: Bytes
    private let folder = TemporaryFolder()
    private let logName: String

    init(batches: UInt64) throws {
        let path = folder.path + "/db"
        do {
            let engine = try RocksEngine(
                path: path, options: .small, creating: true, lease: folder)
            for number in 1...batches {
                try engine.write(history.batch(number).batch, sync: true)
            }
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        let logs = names.filter { $0.hasSuffix(".log") }
        precondition(logs.count == 1)
        logName = logs[0]
        log = Bytes(FileManager.default.contents(atPath: path + "/" + logName) ?? Data())
    }

    /// A copy of the store with this log in place of its own.
    func open(log: Bytes) throws -> RocksEngine {
        let copy = TemporaryFolder()
        let path = copy.path + "/db"
        try FileManager.default.copyItem(atPath: folder.path + "/db", toPath: path)
        try Data(log).write(to: URL(fileURLWithPath: path + "/" + logName))
        return try RocksEngine(path: path, options: .small, creating: false, lease: copy)
    }
}
