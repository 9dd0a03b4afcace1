/// Why a node does not start. Closed: whoever adds a reason writes its sentence and its exit status
/// here.
///
/// Each is found before the port opens, and `martlet doctor` finds the same ones without starting.

package enum StartError: Error, Hashable, Sendable {
    case settings(SettingsError)
    /// Listening beyond loopback in clear.
    case openWithoutTLS(ListenAddress, command: String)
    /// A certificate or key that cannot be used, in the TLS layer's words.
    case certificateUnreadable(fact: String, advice: String)
    /// `command` starts the node on a free port instead.
    case portInUse(ListenAddress, PortHolder?, command: String)
    case addressUnavailable(ListenAddress, reason: String, command: String)
    /// A port below the first unprivileged one.
    case portForbidden(ListenAddress, command: String)
    case dataInUse(path: String, ProcessName?, command: String)
    case dataBelongsToOther(path: String, reason: String, command: String)
    case dataNewerFormat(path: String, found: Int, supported: Int)
    /// Of a state of the program that was never released.
    case dataOlderFormat(path: String, found: Int, supported: Int, command: String)
    case dataCorrupt(path: String, reason: String, directory: String)
    /// `martlet recover` was begun there and did not come to its end.
    case dataRecovering(path: String)
    case dataUnwritable(path: String, reason: String, command: String)
    case diskFull(path: String, freeBytes: Int, neededBytes: Int)
    /// The limit of open files is too low for the storage.
    case tooFewDescriptors(limit: Int, needed: Int, advice: String?)
    /// Of the file system; nothing can be made in it.
    case noInodes(path: String, free: Int, needed: Int)
    /// The device or the file system fails.
    case diskFailed(path: String, reason: String)
    /// No node of a cluster took this one.
    case joinFailed(url: String, reason: String, command: String)
    /// The directory is of another cluster than the one to be joined.
    case wrongCluster(path: String, own: String, url: String, theirs: String)
    /// One of several stores has TLS, and no authorities by which to tell the others.
    case peersUnprovable(certificate: String)
    /// A fault that no check foresaw.
    case unforeseen(String)

    package var code: String {
        switch self {
        case .settings(let error): error.code
        case .openWithoutTLS: "open_without_tls"
        case .certificateUnreadable: "certificate_unreadable"
        case .portInUse: "port_in_use"
        case .addressUnavailable: "address_unavailable"
        case .portForbidden: "port_forbidden"
        case .dataInUse: "data_in_use"
        case .dataBelongsToOther: "data_belongs_to_other_node"
        case .dataNewerFormat: "data_newer_format"
        case .dataOlderFormat: "data_older_format"
        case .dataCorrupt: "data_corrupt"
        case .dataRecovering: "data_recovering"
        case .dataUnwritable: "data_unwritable"
        case .diskFull: "disk_full"
        case .noInodes: "no_inodes"
        case .tooFewDescriptors: "too_few_file_descriptors"
        case .diskFailed: "disk_failed"
        case .joinFailed: "join_failed"
        case .wrongCluster: "wrong_cluster"
        case .peersUnprovable: "peer_ca_missing"
        case .unforeseen: "internal"
        }
    }

    package var exitStatus: ExitStatus {
        switch self {
        case .settings(let error): error.exitStatus
        case .openWithoutTLS, .tooFewDescriptors, .dataNewerFormat, .dataOlderFormat,
            .dataRecovering:
            .configuration
        case .certificateUnreadable, .portForbidden, .dataUnwritable: .notAllowed
        case .portInUse, .addressUnavailable, .joinFailed: .unreachable
        case .wrongCluster, .peersUnprovable: .configuration
        case .dataInUse: .tryAgain
        case .dataBelongsToOther, .dataCorrupt: .dataWrong
        case .diskFull, .noInodes, .diskFailed: .disk
        case .unforeseen: .fault
        }
    }

    package var fact: String {
        switch self {
        case .settings(let error): error.fact
        case .openWithoutTLS(let address, _):
            "--listen \(address) would offer all data to the network without TLS"
        case .certificateUnreadable(let fact, _): fact
        case .portInUse(let address, let holder?, _):
            "cannot listen on \(address), it is held by \(holder)"
        case .portInUse(let address, nil, _):
            "cannot listen on \(address), it is held by a process of another user"
        case .addressUnavailable(let address, let reason, _):
            "cannot listen on \(address): \(reason)"
        case .portForbidden(let address, _):
            "cannot listen on \(address): ports below 1024 need CAP_NET_BIND_SERVICE"
        case .dataInUse(let path, let holder?, _): "\(path) is open in \(holder)"
        case .dataInUse(let path, nil, _): "\(path) is open in another process"
        case .dataBelongsToOther(let path, let reason, _): "\(path) \(reason)"
        case .dataNewerFormat(let path, let found, let supported):
            "\(path) has format \(found); this binary knows formats up to \(supported)"
        case .dataOlderFormat(let path, let found, let supported, _):
            "\(path) has format \(found), from before the first release; "
                + "this binary reads format \(supported) only"
        case .dataCorrupt(let path, let reason, _): "\(path): \(reason)"
        case .dataRecovering(let path):
            "\(path): a recovery was begun there and did not come to its end"
        case .dataUnwritable(let path, let reason, _): "\(path): \(reason)"
        case .diskFull(let path, let free, let needed):
            "\(path) has \(ByteSize(bytes: free)) left, "
                + "a start needs \(ByteSize(bytes: needed))"
        case .tooFewDescriptors(let limit, let needed, _):
            "the limit of open files is \(limit), a node needs \(needed)"
        case .noInodes(let path, let free, let needed):
            "the file system of \(path) has \(free) inodes left, a start needs \(needed)"
        case .diskFailed(let path, let reason): "\(path): \(reason)"
        case .joinFailed(let url, let reason, _): "\(url): \(reason)"
        case .wrongCluster(let path, let own, let url, let theirs):
            "\(url) is cluster \(theirs); \(path) belongs to \(own)"
        case .peersUnprovable:
            "this store is one of several, and has TLS but nothing to tell the others by"
        case .unforeseen(let what): what
        }
    }

    package var advice: String? {
        switch self {
        case .settings(let error): error.advice
        case .certificateUnreadable(_, let advice): advice
        case .tooFewDescriptors(_, _, let advice): advice
        case .openWithoutTLS(_, let command), .portInUse(_, _, let command),
            .addressUnavailable(_, _, let command), .portForbidden(_, let command),
            .dataBelongsToOther(_, _, let command), .dataUnwritable(_, _, let command),
            .dataOlderFormat(_, _, _, let command), .joinFailed(_, _, let command):
            command
        case .wrongCluster(let path, _, _, _):
            "mv \(path) \(path).old   # and join as a new node; or correct --join"
        case .diskFailed: "dmesg | tail"
        case .peersUnprovable(let certificate):
            "martlet serve --tls-cert \(shellQuoted(certificate)) --peer-ca ca.crt …"
                + "   # ca.crt: who signs the certificates of all stores"
        case .dataInUse(_, let holder?, let command):
            "\(command)   # or end the other: kill -TERM \(holder.pid)"
        case .dataInUse(_, nil, let command): command
        case .dataNewerFormat:
            "martlet version   # older than what wrote the data; install that one"
        case .dataCorrupt(_, _, let path):
            "mv \(shellQuoted(path)) \(shellQuoted(path)).broken   # then restore a backup"
        case .dataRecovering(let path):
            "martlet recover --data-dir \(shellQuoted(path))   # says how it goes on"
        case .diskFull(let path, _, _): "df -h \(shellQuoted(path))"
        case .noInodes(let path, _, _):
            "df -i \(shellQuoted(path))   # then remove files there that nobody needs"
        case .unforeseen: "martlet doctor   # with the same flags"
        }
    }

    package var diagnosis: Diagnosis {
        Diagnosis(.error, code, fact, advice: advice)
    }
}

/// A process as a person knows it.
package struct ProcessName: Hashable, Sendable, CustomStringConvertible {
    package var pid: Int
    /// The program and perhaps its first argument: `redis-server`, `martlet serve`.
    package var program: String?

    package init(pid: Int, program: String?) {
        self.pid = pid
        self.program = program
    }

    package var description: String {
        program.map { "pid \(pid) (\($0))" } ?? "pid \(pid)"
    }
}

package typealias PortHolder = ProcessName
