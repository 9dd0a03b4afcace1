/// Mistakes that a host can make; switched on one at a time to see that a checker finds it.
///
/// Those of the node's units are `Node.Mutation`.

package enum HostBug: String, CaseIterable, Hashable, Sendable {
    /// The answer leaves although the sync of the log was left out (reliability.md row 70).
    case syncSkipped
    /// One sync in eight is left out, as if a log's tail were cut off before what was synced (71).
    case syncSometimesSkipped
    /// An error of the log's sync is taken for success.
    case failedSyncAcknowledged
    /// Tokens are reported when the batch is handed to the disk.
    case reportedBeforeWrite
    /// Readers see a batch as soon as it is handed over.
    case visibleBeforeSync
    /// Of several batches that are merged for the data the last is left out.
    case mergeLosesLast
    /// Of several batches that are merged for the data the last comes first.
    case mergeReversed
    /// The fact that an entry is applied is flushed, and what it wrote is not.
    case flushTornApart
    /// The log is cut behind what is applied, before that is on disk.
    case flushReportedEarly
    /// A restart takes up the data and drops what the log has behind it.
    case logIsForgotten
    /// A restart decides anew when values expire, as if each replay ordered the write again (79).
    case expiryStartsAnew
    /// After a restart the entity tags of the first life are gone.
    case tagChangesAtRestart
    /// A crash loses the vote of the newest term, which was written apart from it (1).
    case voteWrittenApart
    /// What is flushed is reported one entry too far (60).
    case flushReportedTooFar
    /// The log takes a snapshot before the data has it on disk (66).
    case snapshotIsNotFlushed
    /// One store leaves a delete out now and then, by a judgement of its own (67).
    case deleteIsLeftOut
    /// A store that lost its disk comes back under its old name (34).
    case wipedKeepsItsName
    /// A response is handed to the front a second time.
    case respondedTwice

    /// Those that a single node does not have.
    static let ofClusters: [HostBug] = [
        .voteWrittenApart, .snapshotIsNotFlushed, .deleteIsLeftOut, .wipedKeepsItsName,
    ]

    /// Those whose harm others of a group could hide, or spread.
    static let alsoInClusters: [HostBug] = [
        .syncSkipped, .syncSometimesSkipped, .failedSyncAcknowledged, .mergeLosesLast,
        .flushTornApart, .flushReportedEarly, .flushReportedTooFar, .logIsForgotten,
    ]

    /// Of the catalogue in the project's research of real bugs; nil: it has none like it.
    var row: Int? {
        switch self {
        case .voteWrittenApart: 1
        case .reportedBeforeWrite: 2
        case .visibleBeforeSync: 18
        case .wipedKeepsItsName: 34
        case .flushTornApart: 58
        case .flushReportedEarly: 59
        case .flushReportedTooFar: 60
        case .snapshotIsNotFlushed: 66
        case .deleteIsLeftOut: 67
        case .failedSyncAcknowledged: 69
        case .syncSkipped: 70
        case .syncSometimesSkipped: 71
        case .logIsForgotten: 73
        case .mergeLosesLast, .mergeReversed, .expiryStartsAnew, .tagChangesAtRestart,
            .respondedTwice:
            nil
        }
    }
}
