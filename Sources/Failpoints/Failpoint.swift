/// Every place where something can be made to go wrong in a running node: its public name, where it
/// stands, who waits there, and what a `return` can mean.
///
/// Closed, so that a wrong name does not compile and one from outside is told the nearest. All
/// stand in hosts, at the boundaries where effects are carried out: what decides is a value and has
/// no place to wait in. The table in docker/failpoints.md is compared with this file by a test.

package enum Failpoint: UInt8, CaseIterable, Hashable, Sendable {
    case acceptConnection, connectionGone, tlsHandshake, tlsReload, httpReceive, httpUpgrade
    case httpHead, httpBody, httpInflate, httpAnswer, httpDeflate, httpSend
    case gatewayAdmit, gatewayCancel, shardWrite, shardRead, coreInbox, corePost, coreDeadline
    case accessWrite
    case logQueue, logTake, logCut, logSync, logSynced, dataQueue, dataWrite, dataApplied
    case storeFailed, flushBegin, flushDone, compactionBegin, compactionExpired, readQueue
    case readStop, readBegin, readEnd, viewOpen, viewClose
    case diskLook, diskReclaim, diskFlushed, metricsCollect, startLock, startIdentity, startOpen
    case startData, startEmpty, startMade, startRecover, startListen, startReady, drainBegin
    case drainQuiet, drainClose, drainEnd
    case snapshotWanted, snapshotRead, snapshotArrived, snapshotWhole, snapshotMarked
    case snapshotCleared, snapshotTakenIn

    /// Who waits while an action waits.
    package enum Ground: String, CaseIterable, Hashable, Sendable {
        /// An event loop, with all connections of one core.
        case loop
        /// A thread that may wait.
        case thread
    }

    /// `where.when`, frozen: scripts name it.
    package var name: String { facts.name }
    /// Where it stands, in one line.
    package var place: String { facts.place }
    package var ground: Ground { facts.ground }
    /// What `return(…)` may say; the first is what `return` alone means. Empty: nothing can be
    /// returned there.
    package var faults: [InjectedFault] { facts.faults }

    private typealias Facts = (
        name: String, place: String, ground: Ground, faults: [InjectedFault]
    )

    private var facts: Facts {
        guard let facts = frontFacts ?? unitFacts ?? storeFacts ?? lifeFacts ?? snapshotFacts else {
            fatalError("every failpoint is in one of these tables")
        }
        return facts
    }

    private var frontFacts: Facts? {
        switch self {
        case .acceptConnection:
            ("accept.connection", "a connection was accepted and has no slot yet", .loop, [.closed])
        case .connectionGone:
            ("connection.gone", "a connection has ended and nobody was told", .loop, [])
        case .tlsHandshake:
            ("tls.handshake", "a first byte said TLS; no handshake yet", .loop, [.closed])
        case .tlsReload:
            ("tls.reload", "before the certificate's files are read again", .thread, [.unreadable])
        case .httpReceive:
            ("http.receive", "bytes were read from a socket and not looked at", .loop, [.closed])
        case .httpUpgrade:
            ("http.upgrade", "a client asked for HTTP/2 and still has no answer", .loop, [.closed])
        case .httpHead:
            ("http.head", "a request's head is complete and not judged", .loop, [.overloaded])
        case .httpBody: ("http.body", "a part of a request's body came", .loop, [.overloaded])
        case .httpInflate:
            ("http.inflate", "before a part of a body is undone from gzip", .loop, [.overloaded])
        case .httpAnswer:
            (
                "http.answer", "an answer was decided and counted, its connection has none of it",
                .loop,
                [.closed]
            )
        case .httpDeflate: ("http.deflate", "before an answer is put into gzip", .loop, [.kept])
        case .httpSend: ("http.send", "before bytes are handed to the kernel", .loop, [.closed])
        default: nil
        }
    }

    private var unitFacts: Facts? {
        switch self {
        case .gatewayAdmit:
            (
                "gateway.admit", "a whole request, before the gateway has seen it", .loop,
                [.overloaded, .notReady, .noLeader, .deadlineExceeded, .outcomeUnknown, .internal]
            )
        case .gatewayCancel:
            ("gateway.cancel", "a client has gone and the gateway was not told", .loop, [])
        case .shardWrite:
            (
                "shard.write", "before a shard gets writes", .loop,
                [.overloaded, .noLeader, .diskFull, .outcomeUnknown]
            )
        case .shardRead:
            (
                "shard.read", "before a shard gets reads", .loop,
                [.unreadable, .overloaded, .noLeader]
            )
        case .coreInbox:
            ("core.inbox", "before a core takes what other threads have for it", .loop, [])
        case .corePost:
            ("core.post", "before another core gets what this one has for it", .loop, [])
        case .coreDeadline: ("core.deadline", "a deadline has come and no unit was told", .loop, [])
        case .accessWrite: ("access.write", "before the line of the access log", .loop, [.lost])
        default: nil
        }
    }

    private var storeFacts: Facts? {
        switch self {
        case .logQueue:
            ("log.queue", "entries were proposed, the log thread has none of them", .loop, [])
        case .logTake:
            ("log.take", "the log thread has taken what queued and written nothing", .thread, [])
        case .logCut:
            ("log.cut", "before the log is cut behind what the data has on disk", .thread, [])
        case .logSync:
            (
                "log.sync", "before a batch goes into the log with its sync", .thread,
                [.ioError, .corrupt, .diskFull]
            )
        case .logSynced:
            (
                "log.synced", "the batch is on disk and nobody has been told", .thread,
                [.ioError, .corrupt]
            )
        case .dataQueue:
            ("data.queue", "entries were committed, nothing of them is in the data", .loop, [])
        case .dataWrite:
            (
                "data.write", "before what is committed goes into the data", .thread,
                [.ioError, .corrupt]
            )
        case .dataApplied: ("data.applied", "the data has it and nobody has been told", .thread, [])
        case .storeFailed:
            ("store.failed", "a write has failed for good and nobody has been told", .thread, [])
        case .flushBegin:
            (
                "flush.begin", "before the data's memory is written out on demand", .thread,
                [.ioError]
            )
        case .flushDone:
            (
                "flush.done", "it is written out, and who demanded it was not told", .thread,
                [.ioError]
            )
        case .compactionBegin: ("compaction.begin", "before a compaction on demand", .thread, [])
        case .compactionExpired:
            (
                "compaction.expired", "a compaction is about to drop an expired value", .thread,
                [.kept]
            )
        case .readQueue: ("read.queue", "before a read goes to the reader threads", .loop, [])
        case .readStop:
            ("read.stop", "nobody waits for a read any more; it was not told", .loop, [])
        case .readBegin:
            (
                "read.begin", "before a reader thread reads", .thread,
                [.unreadable, .ioError, .corrupt]
            )
        case .readEnd:
            (
                "read.end", "a reader thread has its outcome", .thread,
                [.unreadable, .ioError, .corrupt]
            )
        case .viewOpen: ("view.open", "before a consistent view is opened", .loop, [])
        case .viewClose: ("view.close", "before a consistent view is closed", .loop, [])
        default: nil
        }
    }

    private var lifeFacts: Facts? {
        switch self {
        case .diskLook:
            ("disk.look", "before free space is looked at", .thread, [.unreadable, .ioError])
        case .diskReclaim:
            ("disk.reclaim", "before space is got back, if any is to be", .thread, [.ioError])
        case .diskFlushed:
            (
                "disk.flushed", "before it is asked how much of the data is on disk", .thread,
                [.ioError, .corrupt]
            )
        case .metricsCollect:
            ("metrics.collect", "before the store and the process are measured", .thread, [.lost])
        case .startLock:
            ("start.lock", "before the data directory is looked at and locked", .thread, [.ioError])
        case .startIdentity:
            ("start.identity", "locked; before a new identity is written", .thread, [.ioError])
        case .startOpen:
            ("start.open", "before the log is opened", .thread, [.ioError, .corrupt, .diskFull])
        case .startData:
            (
                "start.data", "the log is open; before the data is opened", .thread,
                [.ioError, .corrupt, .diskFull]
            )
        case .startEmpty:
            ("start.empty", "both were made, and the log has no group yet", .thread, [.ioError])
        case .startMade:
            (
                "start.made", "the log has its group, and the identity does not say so yet",
                .thread,
                [.ioError]
            )
        case .startRecover:
            (
                "start.recover", "both are open; before the log and the data are brought together",
                .thread,
                [.ioError, .corrupt]
            )
        case .startListen: ("start.listen", "before an address is bound", .thread, [.addressInUse])
        case .startReady:
            ("start.ready", "requests are taken, and nobody has been told", .thread, [])
        case .drainBegin: ("drain.begin", "before requests are refused", .thread, [])
        case .drainQuiet:
            (
                "drain.quiet", "no connection is taken any more; before the answers are waited for",
                .thread,
                []
            )
        case .drainClose:
            ("drain.close", "all is answered; before threads end and the store closes", .thread, [])
        case .drainEnd: ("drain.end", "threads have ended, and nobody has been told", .thread, [])
        default: nil
        }
    }

    private var snapshotFacts: Facts? {
        switch self {
        case .snapshotWanted:
            ("snapshot.wanted", "a follower needs a snapshot, no view is open", .loop, [.lost])
        case .snapshotRead:
            ("snapshot.read", "before a chunk is read", .thread, [.unreadable])
        case .snapshotArrived:
            ("snapshot.arrived", "a chunk has come, none of it is on disk", .thread, [.ioError])
        case .snapshotWhole:
            (
                "snapshot.whole", "all chunks are in tables, nothing says that they are all",
                .thread,
                [.ioError]
            )
        case .snapshotMarked:
            (
                "snapshot.marked", "a snapshot has to take the place of the data, nothing has gone",
                .thread,
                [.ioError]
            )
        case .snapshotCleared:
            (
                "snapshot.cleared", "the data has gone, the snapshot's tables are not taken in",
                .thread,
                [.ioError]
            )
        case .snapshotTakenIn:
            (
                "snapshot.taken", "the tables are taken in, the data does not say what it is",
                .thread,
                [.ioError]
            )
        default: nil
        }
    }
}

/// What a failpoint makes of its place instead of what would have happened. The raw value is the
/// argument of `return`.
package enum InjectedFault: String, CaseIterable, Hashable, Sendable {
    /// The connection ends.
    case closed
    /// Refusals, by the code of their problem.
    case overloaded
    case notReady = "not_ready"
    case noLeader = "no_leader"
    case deadlineExceeded = "deadline_exceeded"
    case outcomeUnknown = "outcome_unknown"
    case diskFull = "disk_full"
    case `internal`
    /// The device or the file system failed.
    case ioError = "io_error"
    /// What was read does not match its checksum.
    case corrupt
    /// It could not be read, which says nothing about what is there.
    case unreadable
    /// It is left out.
    case lost
    /// It stays.
    case kept
    case addressInUse = "address_in_use"
}
