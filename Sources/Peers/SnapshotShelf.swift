/// Which snapshots are kept where they arrive: the one on its way, those that are all there until
/// the replica says whether it takes them, and the one that is taking the place of the data.
///
/// Between stores a snapshot goes by its origin, which names one making of it; between the replica
/// and the disk by what it is, of which there is one copy at most: whoever would send a second one
/// hears that it is there. So what the replica says concerns one copy, whichever leader it was that
/// it heard of it from, and the one that it takes is touched by nobody until it is in place.
///
/// Of two leaders the one of the later term is heard: the other one may not know yet that it is
/// over, and each chunk of either would end the transfer of the other. What nobody speaks of goes
/// after a while.
///
/// A value without files: each copy has a number, and its host keeps what belongs to it.
package import Base
package import Raft
package import Regions

package struct SnapshotShelf: Hashable, Sendable {
    package enum Event: Hashable, Sendable {
        case came(SnapshotChunk)
        /// What `write` asked for is on disk; all of the snapshot, if its arrival says so.
        case written(UInt64, SnapshotArrival, byteCount: Int)
        /// It is not, or not all of it.
        case failed(UInt64)
        /// A leader says that it is here.
        case told(SnapshotIdentity)
        /// The replica has no use for one that it was told of.
        case discarded(LogPosition)
        /// The replica takes it.
        case taken(SnapshotIdentity)
        case installed(SnapshotIdentity)
        case deadlineReached
    }

    package enum Effect: Hashable, Sendable {
        /// Add the chunk that came to that copy, the first to a new one.
        case write(UInt64, SnapshotArrival)
        case answer(SnapshotAnswer)
        case refuse(Refusal)
        /// The replica may be told, and will say what is to become of it.
        case tell
        case install(UInt64, SnapshotArrival)
        case remove(UInt64)
    }

    package enum Refusal: Hashable, Sendable {
        case otherGroup(GroupID)
        case leaderIsOver(term: Term, newest: Term)
        case full
    }

    package struct Counts: Hashable, Sendable {
        package var received: UInt64 = 0
        package var installed: UInt64 = 0
        package var discarded: UInt64 = 0
        package var bytes: UInt64 = 0
    }

    private struct Arriving: Hashable, Sendable {
        var number: UInt64
        var arrival: SnapshotArrival
        /// The host has a chunk of it in hand.
        var isBeingWritten = false
        var goesAt: Instant
    }

    private struct Staged: Hashable, Sendable {
        var number: UInt64
        var arrival: SnapshotArrival
        /// How often the replica was told, less its refusals: it may have taken any of them.
        var told = 0
        /// Unless the replica is told before.
        var goesAt: Instant
    }

    private let group: GroupID
    private var arriving: Arriving?
    /// Oldest first.
    private var staged: [Staged] = []
    private var installing: Staged?
    /// The latest that a leader was heard of in.
    private var term: Term = 0
    private var lastNumber: UInt64 = 0
    package private(set) var counts = Counts()

    package init(of group: GroupID) { self.group = group }

    package var nextDeadline: Instant? {
        var deadlines = staged.filter { $0.told == 0 }.map(\.goesAt)
        if let arriving, !arriving.isBeingWritten { deadlines.append(arriving.goesAt) }
        return deadlines.min()
    }

    package mutating func step(
        _ event: Event, at now: Instant, into effects: inout [Effect]
    ) {
        switch event {
        case .came(let chunk): came(chunk, at: now, into: &effects)
        case .written(let number, let arrival, let byteCount):
            counts.bytes += UInt64(byteCount)
            written(number, arrival, at: now, into: &effects)
        case .failed(let number):
            invariant(arriving?.number == number, "what failed was under way")
            arriving = nil
            effects.append(.remove(number))
        case .told(let identity): told(identity, into: &effects)
        case .discarded(let position): discarded(position, into: &effects)
        case .taken(let identity): take(identity, into: &effects)
        case .installed(let identity): installed(identity, into: &effects)
        case .deadlineReached: expire(at: now, into: &effects)
        }
    }

    // MARK: What comes

    private mutating func came(
        _ chunk: SnapshotChunk, at now: Instant, into effects: inout [Effect]
    ) {
        guard chunk.group == group else {
            return effects.append(.refuse(.otherGroup(chunk.group)))
        }
        guard chunk.leaderTerm >= term else {
            let refusal = Refusal.leaderIsOver(term: chunk.leaderTerm, newest: term)
            return effects.append(.refuse(refusal))
        }
        term = chunk.leaderTerm
        guard !isHere(chunk.snapshot) else {
            return answer(chunk.origin, wanted: chunk.number, isComplete: true, into: &effects)
        }
        if arriving?.arrival.isOf(chunk) != true { begin(chunk, at: now, into: &effects) }
        guard var current = arriving else { return effects.append(.refuse(.full)) }
        invariant(!current.isBeingWritten, "one chunk at a time")
        current.goesAt = now + Limits.snapshotKept
        current.isBeingWritten = chunk.number == current.arrival.wanted
        arriving = current
        if current.isBeingWritten {
            effects.append(.write(current.number, current.arrival))
        } else {
            answer(chunk.origin, wanted: current.arrival.wanted, into: &effects)
        }
    }

    private func isHere(_ identity: SnapshotIdentity) -> Bool {
        installing?.arrival.snapshot == identity
            || staged.contains { $0.arrival.snapshot == identity }
    }

    /// What the replica has not heard of is of no use beside a newer one.
    private mutating func begin(
        _ chunk: SnapshotChunk, at now: Instant, into effects: inout [Effect]
    ) {
        if let old = arriving {
            arriving = nil
            effects.append(.remove(old.number))
        }
        remove(where: { $0.told == 0 }, into: &effects)
        guard staged.count < Limits.snapshotsStaged else { return }
        lastNumber += 1
        arriving = Arriving(
            number: lastNumber,
            arrival: SnapshotArrival(of: group, chunk.snapshot, origin: chunk.origin),
            goesAt: now + Limits.snapshotKept)
    }

    private mutating func written(
        _ number: UInt64, _ arrival: SnapshotArrival, at now: Instant, into effects: inout [Effect]
    ) {
        guard var current = arriving, current.number == number, current.isBeingWritten else {
            return invariant(false, "what was written was asked for")
        }
        if arrival.isComplete {
            arriving = nil
            staged.append(
                Staged(number: number, arrival: arrival, goesAt: now + Limits.snapshotKept))
            counts.received += 1
        } else {
            current.arrival = arrival
            current.isBeingWritten = false
            current.goesAt = now + Limits.snapshotKept
            arriving = current
        }
        answer(
            arrival.origin, wanted: arrival.wanted, isComplete: arrival.isComplete, into: &effects)
    }

    private func answer(
        _ origin: UInt64, wanted: UInt64, isComplete: Bool = false, into effects: inout [Effect]
    ) {
        let answer = SnapshotAnswer(origin: origin, wanted: wanted, isComplete: isComplete)
        effects.append(.answer(answer))
    }

    // MARK: What the replica says

    private mutating func told(_ identity: SnapshotIdentity, into effects: inout [Effect]) {
        if let place = staged.firstIndex(where: { $0.arrival.snapshot == identity }) {
            staged[place].told += 1
            effects.append(.tell)
        } else if installing?.arrival.snapshot == identity {
            effects.append(.tell)
        }
    }

    /// History: two leaders sent the same snapshot; the replica took it from the later one and
    /// refused it of the earlier one, before the host had begun to put it in place.
    private mutating func discarded(_ position: LogPosition, into effects: inout [Effect]) {
        let found = staged.firstIndex {
            $0.arrival.snapshot.position == position && $0.told > 0
        }
        guard let found else { return }
        staged[found].told -= 1
        if staged[found].told == 0 {
            let number = staged[found].number
            remove(where: { $0.number == number }, into: &effects)
        }
    }

    private mutating func take(_ identity: SnapshotIdentity, into effects: inout [Effect]) {
        invariant(installing == nil, "one snapshot after the other is put in place")
        guard let place = staged.firstIndex(where: { $0.arrival.snapshot == identity }) else {
            return
        }
        let taken = staged.remove(at: place)
        installing = taken
        effects.append(.install(taken.number, taken.arrival))
    }

    /// Older ones are of no use any more.
    private mutating func installed(_ identity: SnapshotIdentity, into effects: inout [Effect]) {
        guard let taken = installing, taken.arrival.snapshot == identity else {
            return invariant(false, "what is in place was taken")
        }
        installing = nil
        counts.installed += 1
        effects.append(.remove(taken.number))
        let index = identity.position.index
        remove(where: { $0.arrival.snapshot.position.index <= index }, into: &effects)
    }

    // MARK: What goes

    private mutating func expire(at now: Instant, into effects: inout [Effect]) {
        if let old = arriving, !old.isBeingWritten, old.goesAt <= now {
            arriving = nil
            counts.discarded += 1
            effects.append(.remove(old.number))
        }
        remove(where: { $0.told == 0 && $0.goesAt <= now }, into: &effects)
    }

    private mutating func remove(
        where isOld: (Staged) -> Bool, into effects: inout [Effect]
    ) {
        for old in staged where isOld(old) {
            counts.discarded += 1
            effects.append(.remove(old.number))
        }
        staged.removeAll(where: isOld)
    }
}

extension SnapshotShelf.Refusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .otherGroup(let group): "it is of group \(group)"
        case .leaderIsOver(let term, let newest):
            "its leader is of term \(term), and one of term \(newest) has sent another"
        case .full: "\(Limits.snapshotsStaged) others wait for the replica"
        }
    }
}

extension SnapshotArrival {
    fileprivate func isOf(_ chunk: SnapshotChunk) -> Bool {
        origin == chunk.origin && snapshot == chunk.snapshot
    }
}
