// Replicas of one group in one thread: network, disks, clocks, and the checks of every step.
//
// Scenarios and random runs use the same cluster; they differ in what they ask of it.
import Base
import Raft

struct Cluster {
    enum Happening {
        case delivered(RaftMessage)
        case diskDone(ReplicaID, incarnation: UInt64)
        case deadline(ReplicaID, incarnation: UInt64)
        case snapshotBuilt(
            from: ReplicaID, to: ReplicaID, incarnation: UInt64, term: Term, beat: Beat)
    }

    var settings: RaftSettings
    var random: SeededGenerator
    var time: UInt64 = 0
    var replicas: [Replica] = []
    var agenda = Agenda<Happening>()
    var network = Network()
    var diskDelay: ClosedRange<UInt64> = 0...0
    var snapshotsFail = false
    var checks = Checks()
    /// What was seen, in words; nil when nobody reads it.
    var story: [String]?
    var accepted: [ProposalID: LogPosition] = [:]
    /// Reads that wait, with the commit index that they must not fall behind.
    var readFloors: [ReadID: LogIndex] = [:]
    var readsDone = 0
    /// When the highest commit index of all rose, in true time.
    private var rises: [(time: UInt64, commit: LogIndex)] = []
    private(set) var viewsSeen = 0
    private var effects: RaftEffects = []
    private var lastNumber: UInt64 = 0

    init(settings: RaftSettings, seed: UInt64) {
        self.settings = settings
        random = SeededGenerator(seed: seed)
    }

    mutating func number() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    func place(_ id: ReplicaID) -> Int { replicas.firstIndex { $0.id == id } ?? -1 }

    mutating func tell(_ line: @autoclosure () -> String) {
        if story != nil { story!.append(line()) }
    }

    // MARK: Running

    mutating func start(_ id: ReplicaID) {
        let place = place(id)
        replicas[place].start(settings, seed: random.next(), at: time)
        checks.started(id)
        scheduleDeadline(place)
    }

    /// Lets everything happen up to a time.
    mutating func run(until end: UInt64) {
        var count = 0
        while let next = agenda.nextTime, next <= end {
            time = max(time, next)
            happen(agenda.removeFirst())
            count += 1
            if count > 100_000 {
                checks.report("a hundred thousand happenings and no end")
                return
            }
        }
        time = max(time, end)
    }

    private mutating func happen(_ happening: Happening) {
        switch happening {
        case .delivered(let message):
            guard network.isOpen(from: message.from, to: message.to) else {
                tellMessage(message, isLost: true)
                return
            }
            if network.isHeld(message) {
                network.held.append(message)
                return
            }
            if replicas[place(message.to)].group == nil { return }
            tellMessage(message, isLost: false)
            step(message.to, .received(message))
        case .diskDone(let id, let incarnation):
            let place = place(id)
            guard replicas[place].incarnation == incarnation, replicas[place].group != nil,
                !replicas[place].isDiskStuck
            else { return }
            completeWrite(place)
        case .deadline(let id, let incarnation):
            let place = place(id)
            guard let group = replicas[place].group, replicas[place].incarnation == incarnation,
                let deadline = group.nextDeadline, deadline <= replicas[place].clock(at: time)
            else { return }
            step(id, .deadlineReached)
        case .snapshotBuilt(let from, let to, let incarnation, let term, let beat):
            guard replicas[place(from)].incarnation == incarnation else { return }
            sendSnapshot(from: from, to: to, term: term, beat: beat)
        }
    }

    mutating func step(_ id: ReplicaID, _ event: RaftEvent) {
        let place = place(id)
        guard replicas[place].group != nil else { return }
        let now = replicas[place].clock(at: time)
        replicas[place].group!.step(event, at: now, into: &effects)
        replicas[place].group!.step(.turnEnded, at: now, into: &effects)
        let batch = effects
        effects.removeAll(keepingCapacity: true)
        for effect in batch { execute(effect, of: place) }
        if let group = replicas[place].group { checks.observe(group) }
        if checks.commitMax > rises.last?.commit ?? 0 { rises.append((time, checks.commitMax)) }
        scheduleDeadline(place)
    }

    private mutating func scheduleDeadline(_ place: Int) {
        guard let deadline = replicas[place].group?.nextDeadline else { return }
        agenda.add(
            .deadline(replicas[place].id, incarnation: replicas[place].incarnation),
            at: max(time, replicas[place].time(of: deadline)))
    }

    // MARK: Effects

    private mutating func execute(_ effect: RaftEffect, of place: Int) {
        let id = replicas[place].id
        switch effect {
        case .persist(let write): persist(write, place)
        case .send(let message, let token):
            if let token, token > replicas[place].durableToken {
                replicas[place].held.append((token, message))
            } else {
                transmit(message)
            }
        case .sendSnapshot(let receiver, let term, let beat, _):
            tell("  \(id) builds a snapshot for \(receiver)")
            agenda.add(
                .snapshotBuilt(
                    from: id, to: receiver, incarnation: replicas[place].incarnation,
                    term: term, beat: beat), at: time + network.delay(using: &random))
        case .discardSnapshot(let position): tell("  \(id) discards snapshot \(position)")
        case .apply(let index): apply(through: index, place)
        case .accepted(let proposal, let position):
            accepted[proposal] = position
            tell("  \(id) takes it at \(position)")
        case .refused(_, let refusal): tell("  \(id) refuses: \(words(refusal))")
        case .readReady(let read, let index):
            tell("  \(id) may read at \(index)")
            readsDone += 1
            if let floor = readFloors.removeValue(forKey: read), index < floor {
                checks.report("stale read: \(id) read at \(index), committed was \(floor)")
            }
        case .readRefused(let read, let refusal):
            readFloors[read] = nil
            tell("  \(id) refuses the read: \(words(refusal))")
        case .viewed(let index, let asOf): viewed(index, asOf: asOf, place)
        case .transferFailed(let target, let refusal):
            tell("  \(id) gives up the transfer to \(target): \(words(refusal))")
        case .roleChanged(let report):
            tell("  \(id) \(words(report))")
            checks.changed(id, report, replicas[place].group!)
        }
    }

    /// A claim about a moment of the replica's own clock, held against true time.
    private mutating func viewed(_ index: LogIndex, asOf: Instant, _ place: Int) {
        viewsSeen += 1
        let moment = replicas[place].time(of: asOf)
        guard let floor = rises.last(where: { $0.time < moment })?.commit, index < floor
        else { return }
        checks.report(
            "stale view: \(replicas[place].id) takes \(index) for all that there was at \(moment), "
                + "and \(floor) was committed before")
    }

    private mutating func persist(_ write: LogWrite, _ place: Int) {
        let id = replicas[place].id
        checks.written(write, replicas[place].group!)
        replicas[place].writes.append(write)
        if let snapshot = write.snapshot {
            replicas[place].applied = snapshot.position.index
            checks.installed(snapshot.position)
            tell("  \(id) installs snapshot \(snapshot.position)")
        }
        agenda.add(
            .diskDone(id, incarnation: replicas[place].incarnation),
            at: time + UInt64.random(in: diskDelay, using: &random))
    }

    /// One more write is on disk. Delays differ, but the order of writes does not.
    mutating func completeWrite(_ place: Int) {
        guard !replicas[place].writes.isEmpty else { return }
        let write = replicas[place].writes.removeFirst()
        replicas[place].disk.apply(write)
        replicas[place].durableToken = write.token
        let ready = replicas[place].held.filter { $0.token <= write.token }
        replicas[place].held.removeAll { $0.token <= write.token }
        for (_, message) in ready { transmit(message) }
        step(replicas[place].id, .persisted(write.token))
    }

    private mutating func transmit(_ message: RaftMessage) {
        checks.sent(message)
        if network.loses(using: &random) { return }
        agenda.add(.delivered(message), at: time + network.delay(using: &random))
        if network.doubles(using: &random) {
            agenda.add(.delivered(message), at: time + network.delay(using: &random))
        }
    }

    private mutating func apply(through index: LogIndex, _ place: Int) {
        let group = replicas[place].group!
        var next = replicas[place].applied
        while next < index {
            next += 1
            guard let entry = group.trail.entry(at: next) else {
                checks.report("\(group.id) is to apply \(next), which its log does not have")
                break
            }
            checks.applied(LogPosition(index: next, term: entry.term), by: group, replicas)
        }
        tell("  \(group.id) applies through \(index)")
        replicas[place].applied = index
        if story != nil || random.chance(1, in: 3) { replicas[place].disk.flushed = index }
    }

    private mutating func sendSnapshot(
        from: ReplicaID, to: ReplicaID, term: Term, beat: Beat
    ) {
        guard let group = replicas[place(from)].group else { return }
        let index = replicas[place(from)].disk.flushed
        let isFailed =
            snapshotsFail || network.loses(using: &random)
            || !network.isOpen(from: from, to: to) || replicas[place(to)].group == nil
        if isFailed || group.trail.term(at: index) == nil {
            tell("  the snapshot for \(to) does not arrive")
            step(from, .snapshotEnded(to: to, at: nil))
            return
        }
        let snapshot = SnapshotIdentity(
            position: LogPosition(index: index, term: group.trail.term(at: index)!),
            membership: group.trail.membership(at: index))
        transmit(
            RaftMessage(from: from, to: to, term: term, body: .snapshot(snapshot, beat)))
        step(from, .snapshotEnded(to: to, at: index))
    }

    mutating func compact(_ id: ReplicaID, through index: LogIndex) {
        let place = place(id)
        guard let group = replicas[place].group else { return }
        let bound = min(index, replicas[place].disk.flushed, group.durable)
        // While a snapshot is on its way to the disk the disk has another log than the group.
        guard !replicas[place].writes.contains(where: { $0.snapshot != nil }),
            bound > group.trail.base.index
        else { return }
        replicas[place].disk.compact(
            through: bound, membership: group.trail.membership(at: bound))
        step(id, .compacted(through: bound))
    }

    mutating func read(_ id: ReplicaID) {
        let read = ReadID(number())
        readFloors[read] = checks.commitMax
        step(id, .read(read))
    }

    private mutating func tellMessage(_ message: RaftMessage, isLost: Bool) {
        guard story != nil else { return }
        switch message.body {
        case .heartbeat(let heartbeat) where !heartbeat.asksSleep: return
        case .heartbeatReply(_, let isAsleep, _) where !isAsleep: return
        default: break
        }
        let text = "  \(message.from) -> \(message.to) \(describe(message))"
        tell(isLost ? text + ", lost" : text)
    }
}

/// What the network does to messages.
struct Network {
    var delays: ClosedRange<UInt64> = 1_000_000...1_000_000
    var lossPercent: UInt64 = 0
    var doublePercent: UInt64 = 0
    /// Directions in which nothing gets through.
    var cuts: Set<[ReplicaID]> = []
    /// Directions, and a message's first word, that are kept back until released.
    var holds: [(from: ReplicaID, to: ReplicaID, word: String)] = []
    var held: [RaftMessage] = []

    func isOpen(from: ReplicaID, to: ReplicaID) -> Bool { !cuts.contains([from, to]) }

    func isHeld(_ message: RaftMessage) -> Bool {
        holds.contains {
            $0.from == message.from && $0.to == message.to
                && ($0.word == "*" || describe(message).hasPrefix($0.word))
        }
    }

    func delay(using random: inout SeededGenerator) -> UInt64 {
        delays.lowerBound == delays.upperBound
            ? delays.lowerBound
            : random.chance(1, in: 20)
                ? UInt64.random(in: delays, using: &random) * 10
                : UInt64.random(in: delays, using: &random)
    }

    func loses(using random: inout SeededGenerator) -> Bool {
        lossPercent > 0 && random.chance(lossPercent, in: 100)
    }

    func doubles(using random: inout SeededGenerator) -> Bool {
        doublePercent > 0 && random.chance(doublePercent, in: 100)
    }
}
