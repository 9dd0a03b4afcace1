/// Why a data directory cannot be used, with everything that the one sentence to its operator
/// needs.
package import Base

package enum DataDirectoryError: Error, Hashable, Sendable {
    /// Who holds the lock, as far as they wrote it down.
    package struct Holder: Hashable, Sendable {
        package var pid: Int32
        package var since: WallTime
        package var command: String

        package init(pid: Int32, since: WallTime, command: String) {
            self.pid = pid
            self.since = since
            self.command = command
        }
    }

    /// `data_in_use`
    case inUse(path: String, holder: Holder?)
    /// `data_newer_format`: a later release wrote it.
    case newerFormat(path: String, found: UInt64, supported: UInt64)
    /// `data_older_format`: a state of the program before its first release wrote it.
    case olderFormat(path: String, found: UInt64, supported: UInt64)
    /// `data_corrupt`
    case corrupt(path: String, detail: String)
    /// `data_belongs_to_other`: not empty, and not a data directory; `found` is one of its entries.
    case belongsToOther(path: String, found: String)
    /// `data_not_a_directory`
    case notDirectory(path: String)
    /// `data_unwritable`: the system does not permit it.
    case unwritable(path: String, reason: String)
    /// `data_recovering`: it is about to be of another cluster, and a crash came in between.
    case recovering(path: String)
    /// `data_disk_full`
    case full(path: String, reason: String)
    /// `data_failed`: the disk or the file system failed.
    case failed(path: String, reason: String)

    /// Stable; `error[code]` on the terminal and in the log.
    package var code: String {
        switch self {
        case .inUse: "data_in_use"
        case .newerFormat: "data_newer_format"
        case .olderFormat: "data_older_format"
        case .corrupt: "data_corrupt"
        case .belongsToOther: "data_belongs_to_other"
        case .notDirectory: "data_not_a_directory"
        case .unwritable: "data_unwritable"
        case .recovering: "data_recovering"
        case .full: "data_disk_full"
        case .failed: "data_failed"
        }
    }

    init(_ failure: SystemFailure) {
        let reason = "\(failure.operation): \(failure.reason)"
        if failure.isDenial {
            self = .unwritable(path: failure.path, reason: reason)
        } else if failure.isFull {
            self = .full(path: failure.path, reason: reason)
        } else {
            self = .failed(path: failure.path, reason: reason)
        }
    }
}
