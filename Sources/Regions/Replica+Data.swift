/// From commitment to the data: what is applied, when, and what became of each proposal.
internal import Base
internal import DequeModule
internal import Raft
internal import Storage

extension Replica {
    /// Hands over what is committed: whole entries, not much more at once than one write may be.
    mutating func apply(through end: LogIndex, into effects: inout [ReplicaEffect]) {
        while handedOver < end {
            var batch = WriteBatch()
            repeat {
                handedOver += 1
                do throws(DecodeError) {
                    try take(Int(handedOver - firstItem), into: &batch)
                } catch {
                    let place = "entry \(handedOver) of group \(group)"
                    effects.append(.failed(.corrupt("\(place) cannot be read: \(error)")))
                    return
                }
            } while handedOver < end && batch.byteCount < Limits.mergedWriteBytes
            let record = AppliedRecord(group: group, snapshot: identity(at: handedOver))
            batch.put(.meta, AppliedRecord.key(of: group), record.encoded)
            if hasStagedFact {
                batch.delete(.meta, AppliedRecord.stagedKey(of: group))
                hasStagedFact = false
            }
            effects.append(.apply(LogApply(group: group, through: handedOver, batch: batch)))
        }
        forget()
    }

    mutating func take(_ place: Int, into batch: inout WriteBatch) throws(DecodeError) {
        if let own = items[place].batch {
            items[place].batch = nil
            if batch.isEmpty { batch = own } else { batch.append(own) }
            return
        }
        guard let command = try CommandRecord.batch(ofEntry: items[place].record) else { return }
        batch.append(command)
    }

    mutating func settle(through index: LogIndex, into effects: inout [ReplicaEffect]) {
        invariant(index > applied && index <= handedOver, "entries are applied in order")
        applied = index
        freshness.applied(through: index)
        while let first = reads.first, first.index <= index {
            effects.append(.readReady(first.id))
            reads.removeFirst()
        }
        while let first = proposals.first, first.position.index <= index {
            effects.append(.settled(first.id, fate(of: first)))
            proposals.removeFirst()
        }
        guard !doubtful.isEmpty else { return }
        // What is behind the first entry of a later term that is committed will be in no log again
        // (Raft §5.4.3): nobody has to wait until the log is as long as it was.
        let term = raft.trail.term(at: index) ?? 0
        func isSettled(_ proposal: Proposal) -> Bool {
            proposal.position.index <= index || proposal.position.term < term
        }
        for proposal in doubtful where isSettled(proposal) {
            let isBehind = proposal.position.index > index
            effects.append(.settled(proposal.id, isBehind ? .superseded : fate(of: proposal)))
        }
        doubtful.removeAll(where: isSettled)
    }

    func fate(of proposal: Proposal) -> ProposalFate {
        guard let term = raft.trail.term(at: proposal.position.index) else { return .unknown }
        return term == proposal.position.term ? .applied(proposal.position.index) : .superseded
    }
}
