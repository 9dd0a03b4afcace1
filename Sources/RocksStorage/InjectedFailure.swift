/// What a failpoint returns, as the error that the store knows.
package import Failpoints
package import Injection
package import Storage

extension FailpointRegistry {
    /// Does what is set for that point of the store.
    package func check(_ point: Failpoint) throws(StorageError) {
        guard let fault = reached(point) else { return }
        let reason = "the failpoint \(point.name) says \(fault.rawValue)"
        throw switch fault {
        case .diskFull: .full(reason)
        case .corrupt: .corrupt(reason)
        case .unreadable: .unreadable(reason)
        default: .failed(reason)
        }
    }
}

extension DataDirectoryError {
    static func injected(_ point: Failpoint, _ path: String) -> DataDirectoryError {
        .failed(path: path, reason: "the failpoint \(point.name) says io_error")
    }
}
