/// What a replica's log gets so that it goes on without those that are lost: the membership of it
/// alone, and the table of stores without the others, in a term of their own.
///
/// A membership is in force from the moment it is in a log, so the replica that starts with this is
/// a group of one: it elects itself, and all that its log holds becomes committed, whether it was
/// or not. Nothing of the log is dropped, for any of it may have been acknowledged. The term is one
/// above the last that the replica knew; nobody voted in it, and nobody who could object will ever
/// be heard again: the cluster gets another name at the same time (`StoreIdentity`).
internal import Base
package import Raft
internal import Storage

package struct QuorumRecovery: Sendable {
    package let group: GroupID
    package let loss: QuorumLoss
    /// Of the last entry; the greater it is, the more this replica has.
    package let last: LogPosition
    /// Known to be committed, for it is applied and on disk.
    package let applied: LogIndex
    package let hardState: HardState
    /// The others are not in it, but their numbers stay given.
    package let table: StoreTable

    /// As it will be.
    package var term: Term { hardState.term + 1 }

    package init(
        of recovered: RecoveredReplica, _ stored: StoreTable, lost: [StoreID]
    ) throws(QuorumLoss.Refusal) {
        let everyone = recovered.membership.everyone
        loss = try QuorumLoss(
            of: recovered.id, in: recovered.membership,
            lost: lost.map { store in
                everyone.first { $0.store == store } ?? ReplicaID(on: store)
            })
        group = recovered.group
        last = recovered.last
        applied = recovered.applied
        hardState = recovered.hardState
        let known = recovered.lastTable ?? stored
        let greatest = everyone.map(\.store.number).max() ?? 0
        var table = StoreTable()
        // Numbers are never given again.
        table.next = max(known.next, greatest + 1)
        table[recovered.id.store] = known[recovered.id.store]
        self.table = table
    }

    /// One batch, so that there is all of it or nothing.
    package var batch: LogBatch {
        var stores = WriteBatch()
        stores.put(.meta, StoreTable.key, table.encoded)
        let command = CommandRecord.encode(stores)
        let entries = [
            Entry(term: term, .membership(loss.after)),
            Entry(term: term, .command(byteCount: command.count)),
        ]
        let records = [
            EntryRecord.encode(entries[0]), EntryRecord.encode(entries[1], command: command),
        ]
        let first = last.index + 1
        let write = LogWrite(
            token: DurabilityToken(number: 0), hardState: HardState(term: term, vote: nil),
            firstIndex: first, entries: entries, truncates: false)
        var batch = LogBatch()
        batch.add(write, of: group, replica: loss.replica) { records[Int($0 - first)] }
        return batch
    }
}

extension RecoveredReplica {
    /// Written down last, in an entry that is not applied yet; nil if no such entry writes one.
    fileprivate var lastTable: StoreTable? {
        var found: StoreTable?
        for record in records {
            do throws(DecodeError) {
                guard let batch = try CommandRecord.batch(ofEntry: record) else { continue }
                for operation in batch.operations
                where operation.kind == .put && operation.family == .meta
                    && batch.arena[operation.key].elementsEqual(StoreTable.key.bytes)
                {
                    found = try StoreTable(decoding: Bytes(batch.arena[operation.value]))
                }
            } catch {
                // What cannot be read stops the replica when it is applied, and says so there.
                continue
            }
        }
        return found
    }
}
