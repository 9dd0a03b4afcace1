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
    /// A store that lost its disk comes back under its old name (34).
    case wipedKeepsItsName
    /// A response is handed to the front a second time.
    case respondedTwice
}
