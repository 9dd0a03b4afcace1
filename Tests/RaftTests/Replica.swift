// One replica with its disk: what a host does for a group, without bytes.
import Base
import Raft

/// What is on a replica's disk, and survives a crash.
struct DiskImage {
    var hardState = HardState.initial
    var snapshot: SnapshotIdentity
    var entries: [Entry] = []
    /// The state on disk has everything up to here.
    var flushed: LogIndex

    init(_ snapshot: SnapshotIdentity) {
        self.snapshot = snapshot
        flushed = snapshot.position.index
    }

    mutating func apply(_ write: LogWrite) {
        if let new = write.hardState { hardState = new }
        if let new = write.snapshot {
            snapshot = new
            entries = []
            flushed = new.position.index
        }
        let kept = Int(write.firstIndex - snapshot.position.index) - 1
        precondition(kept >= 0 && kept <= entries.count, "a write leaves no hole in the log")
        entries.removeLast(entries.count - kept)
        entries += write.entries
    }

    mutating func compact(through index: LogIndex, membership: Membership) {
        guard index > snapshot.position.index else { return }
        let count = Int(index - snapshot.position.index)
        let term = entries[count - 1].term
        entries.removeFirst(count)
        snapshot = SnapshotIdentity(
            position: LogPosition(index: index, term: term), membership: membership)
    }

    func holds(_ position: LogPosition) -> Bool {
        if position.index <= snapshot.position.index { return true }
        let place = Int(position.index - snapshot.position.index) - 1
        return place < entries.count && entries[place].term == position.term
    }
}

struct Replica {
    let id: ReplicaID
    var disk: DiskImage
    /// Nil while the process is down.
    var group: RaftGroup?
    var incarnation: UInt64 = 0
    /// At the disk, oldest first.
    var writes: [LogWrite] = []
    var isDiskStuck = false
    /// Messages that wait for a write.
    var held: [(token: DurabilityToken, message: RaftMessage)] = []
    var durableToken = DurabilityToken(number: 0)
    /// What the running process has applied.
    var applied: LogIndex = 0

    /// This replica's clock: its own origin, and a rate in percent of the true one.
    var clockOffset: UInt64
    var clockPercent: UInt64 = 100

    init(id: ReplicaID, _ snapshot: SnapshotIdentity) {
        self.id = id
        disk = DiskImage(snapshot)
        clockOffset = id.number * 1_000_000_000
    }

    func clock(at time: UInt64) -> Instant {
        Instant(nanoseconds: clockOffset + time * clockPercent / 100)
    }

    func time(of instant: Instant) -> UInt64 {
        guard instant.nanoseconds > clockOffset else { return 0 }
        return ((instant.nanoseconds - clockOffset) * 100 + clockPercent - 1) / clockPercent
    }

    mutating func start(_ settings: RaftSettings, seed: UInt64, at time: UInt64) {
        incarnation += 1
        group = RaftGroup(
            id: id, settings: settings,
            recovered: RecoveredState(
                hardState: disk.hardState, snapshot: disk.snapshot, entries: disk.entries,
                applied: disk.flushed),
            generator: SeededGenerator(seed: seed), at: clock(at: time))
        applied = disk.flushed
        durableToken = DurabilityToken(number: 0)
    }

    /// Loses what was not on disk, except that the first writes may have arrived unseen.
    mutating func crash(writesThatArrive count: Int) {
        for write in writes.prefix(count) { disk.apply(write) }
        group = nil
        writes = []
        held = []
    }
}
