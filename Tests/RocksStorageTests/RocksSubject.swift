// A RocksDB engine in a folder of its own, removed with it.
import Base
import EngineSuite
import Foundation
import RocksStorage
import Storage

final class TemporaryFolder: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "martlet-test-" + UUID().uuidString
        precondition(mkdir(path, 0o700) == 0)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("left behind: \(path): \(error)")
        }
    }
}

extension RocksOptions {
    /// Small enough that tests meet flushes and compactions.
    static var small: RocksOptions {
        RocksOptions(
            for: MachineResources(memoryBytes: 256 << 20, cores: 2, fileDescriptors: 1024),
            diskBytes: 64 << 20)
    }
}

final class RocksSubject: EngineSubject {
    let folder = TemporaryFolder()
    private let options: RocksOptions
    private var open: RocksEngine?

    init(options: RocksOptions = .small) throws {
        self.options = options
        open = try RocksEngine(
            path: folder.path + "/db", options: options, creating: true, lease: folder)
    }

    var rocks: RocksEngine { open! }
    var engine: any KeyValueEngine { rocks }

    func reopen() throws {
        open = nil
        open = try RocksEngine(
            path: folder.path + "/db", options: options, creating: false, lease: folder)
    }

    func disturb(_ choice: UInt64, mayReopen: Bool) throws {
        switch choice % 3 {
        case 0 where mayReopen: try reopen()
        case 1: try rocks.flush()
        default: rocks.compact(.raw, .all)
        }
    }
}
