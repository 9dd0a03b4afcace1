// One random run of a cluster from a seed: faults drawn by swarm, then peace and convergence.
import Base
import Raft

struct RandomRun {
    var cluster: Cluster
    private var random: SeededGenerator
    private let shape: Shape
    private var nextID: UInt64
    private(set) var proposals = 0
    private(set) var failure: String?

    /// Which faults this run has: leaving some out lets the others reach further.
    private struct Shape {
        var loses: Bool
        var doubles: Bool
        var reorders: Bool
        var partitions: Bool
        var crashes: Bool
        var slowDisks: Bool
        var drifts: Bool
        var changesMembers: Bool
        var compacts: Bool
        var sleeps: Bool

        init(_ random: inout SeededGenerator) {
            func draw() -> Bool { random.chance(1, in: 2) }
            loses = draw()
            doubles = draw()
            reorders = draw()
            partitions = draw()
            crashes = draw()
            slowDisks = draw()
            drifts = draw()
            changesMembers = draw()
            compacts = draw()
            sleeps = draw()
        }
    }

    static let millisecond: UInt64 = 1_000_000

    init(seed: UInt64, mutations: RaftMutations = RaftMutations(), isTold: Bool = false) {
        random = SeededGenerator(seed: seed)
        shape = Shape(&random)
        var settings = RaftSettings()
        settings.quietRoundsBeforeSleep = shape.sleeps ? 3 : nil
        settings.appendEntries = Int.random(in: 1...6, using: &random)
        settings.windowEntries = settings.appendEntries * Int.random(in: 1...3, using: &random)
        settings.uncommittedBytes = 40
        settings.mutations = mutations
        cluster = Cluster(settings: settings, seed: random.next())
        if isTold { cluster.story = [] }
        let count = UInt64.random(in: 1...5, using: &random)
        let learners = UInt64.random(in: 0...1, using: &random)
        nextID = count + learners + 1
        let ids = (1...count + learners).map(ReplicaID.init)
        let membership = Membership(
            voters: Array(ids.prefix(Int(count))), learners: Array(ids.dropFirst(Int(count))))
        let start = SnapshotIdentity(position: .start, membership: membership)
        for id in ids { add(Replica(id: id, start)) }
    }

    private mutating func add(_ new: Replica) {
        var replica = new
        if shape.drifts { replica.clockPercent = UInt64.random(in: 95...105, using: &random) }
        replica.clockOffset = UInt64.random(in: 0...1_000_000_000_000, using: &random)
        cluster.replicas.append(replica)
        cluster.settings.priority = random.chance(1, in: 4) ? 1 : 0
        cluster.start(replica.id)
    }

    mutating func play(turns: Int) {
        let ms = Self.millisecond
        cluster.network.delays = shape.reorders ? 1 * ms...30 * ms : 1 * ms...2 * ms
        cluster.network.lossPercent = shape.loses ? UInt64.random(in: 1...25, using: &random) : 0
        cluster.network.doublePercent = shape.doubles ? 10 : 0
        cluster.diskDelay = shape.slowDisks ? 1 * ms...60 * ms : 0...2 * ms
        for _ in 0..<turns {
            act()
            let pause = [2 * ms, 40 * ms, 40 * ms, 400 * ms][Int.random(in: 0...3, using: &random)]
            cluster.run(until: cluster.time + UInt64.random(in: 0...pause, using: &random))
            if !cluster.checks.violations.isEmpty { return }
        }
        heal()
    }

    private mutating func anyone() -> ReplicaID {
        let place = Int.random(in: 0..<cluster.replicas.count, using: &random)
        return cluster.replicas[place].id
    }

    /// Mostly whoever leads, else anyone.
    private mutating func target() -> ReplicaID {
        let leaders = cluster.replicas.filter { $0.group?.role == .leader }.map(\.id)
        guard !leaders.isEmpty, random.chance(4, in: 5) else { return anyone() }
        return leaders[Int.random(in: 0..<leaders.count, using: &random)]
    }

    private mutating func act() {
        switch UInt64.random(in: 0..<100, using: &random) {
        case 0..<32: propose()
        case 32..<52: cluster.read(random.chance(1, in: 2) ? target() : anyone())
        case 52..<57: if shape.partitions { isolate(target()) }
        case 57..<61: if shape.crashes { crash(target()) }
        case 61..<62: if shape.crashes { for replica in cluster.replicas { crash(replica.id) } }
        case 62..<66: cluster.step(target(), .transferLeadership(to: anyone()))
        case 66..<74: if shape.changesMembers { changeMembers() }
        case 74..<80: if shape.partitions { cut() }
        case 80..<84: cluster.network.cuts = []
        case 84..<90: if shape.crashes { crash(anyone()) }
        case 90..<94: restartOne()
        case 94..<97: if shape.compacts { compact(anyone()) }
        case 97: cluster.snapshotsFail.toggle()
        case 98: cluster.step(target(), .unreachable(anyone()))
        default: cluster.step(anyone(), .wake)
        }
    }

    private mutating func propose() {
        let target = target()
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let bytes = Int.random(in: 1...9, using: &random)
            cluster.step(target, .propose(ProposalID(cluster.number()), byteCount: bytes))
            proposals += 1
        }
    }

    private mutating func compact(_ id: ReplicaID) {
        let flushed = cluster.replicas[cluster.place(id)].disk.flushed
        let back = LogIndex.random(in: 0...3, using: &random)
        cluster.compact(id, through: flushed - min(flushed, back))
    }

    private mutating func changeMembers() {
        let target = target()
        guard let group = cluster.replicas[cluster.place(target)].group, group.role == .leader
        else { return }
        var changes: [MembershipChange] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let id = anyone()
            switch UInt64.random(in: 0..<4, using: &random) {
            case 0: changes.append(.remove(id))
            case 1: changes.append(.addLearner(id))
            case 2: changes.append(.addVoter(id))
            default:
                guard cluster.replicas.count < 8 else { continue }
                let new = ReplicaID(nextID)
                nextID += 1
                let empty = SnapshotIdentity(position: .start, membership: Membership())
                add(Replica(id: new, empty))
                changes.append(random.chance(1, in: 2) ? .addLearner(new) : .addVoter(new))
            }
        }
        cluster.step(target, .changeMembership(ProposalID(cluster.number()), changes))
    }

    private mutating func cut() {
        for a in cluster.replicas.map(\.id) {
            for b in cluster.replicas.map(\.id) where a != b && random.chance(1, in: 4) {
                cluster.network.cuts.insert([a, b])
                // Some cuts are in one direction only.
                if random.chance(3, in: 4) { cluster.network.cuts.insert([b, a]) }
            }
        }
    }

    /// Cuts a replica off, mostly with one that still hears it; its clients do not notice.
    private mutating func isolate(_ id: ReplicaID) {
        cluster.network.cuts = []
        let friend = anyone()
        for other in cluster.replicas.map(\.id) where other != id && other != friend {
            for inside in [id, friend] {
                cluster.network.cuts.insert([inside, other])
                cluster.network.cuts.insert([other, inside])
            }
        }
    }

    private mutating func crash(_ id: ReplicaID) {
        let place = cluster.place(id)
        let waiting = cluster.replicas[place].writes.count
        cluster.tell("  \(id) crashes")
        cluster.replicas[place].crash(
            writesThatArrive: Int.random(in: 0...waiting, using: &random))
        if random.chance(1, in: 2) { cluster.start(id) }
    }

    private mutating func restartOne() {
        let down = cluster.replicas.filter { $0.group == nil }
        guard let replica = down.first else { return }
        cluster.tell("  \(replica.id) restarts")
        cluster.start(replica.id)
    }

    // MARK: Peace

    /// Everyone is up and everything arrives: within a bound there is a leader, a command is
    /// committed, and all members have applied the same.
    private mutating func heal() {
        cluster.tell("peace")
        cluster.network = Network()
        cluster.diskDelay = 0...Self.millisecond
        cluster.snapshotsFail = false
        for replica in cluster.replicas where replica.group == nil { cluster.start(replica.id) }
        for replica in cluster.replicas { cluster.step(replica.id, .wake) }
        var last: ProposalID?
        for _ in 0..<60 {
            cluster.run(until: cluster.time + 500 * Self.millisecond)
            if !cluster.checks.violations.isEmpty { return }
            guard let leader = cluster.replicas.last(where: { $0.group?.role == .leader })
            else { continue }
            if let last, let position = cluster.accepted[last], hasConverged(on: position) {
                checkSleep()
                return
            }
            if last.flatMap({ cluster.accepted[$0] }) == nil || random.chance(1, in: 8) {
                let proposal = ProposalID(cluster.number())
                cluster.step(leader.id, .propose(proposal, byteCount: 1))
                last = proposal
            }
        }
        failure = "no convergence: " + cluster.replicas.map(Self.summary).joined(separator: "; ")
    }

    private func hasConverged(on position: LogPosition) -> Bool {
        let leaders = cluster.replicas.filter { $0.group?.role == .leader }
        guard leaders.count == 1, let leader = leaders[0].group,
            leader.commit >= position.index, leader.trail.term(at: position.index) == position.term,
            leader.commit == leader.trail.lastIndex, !leader.membership.isJoint
        else { return false }
        return leader.membership.everyone.allSatisfy { id in
            let member = cluster.replicas[cluster.place(id)]
            return member.applied == leader.commit && member.group?.leader == leader.id
        }
    }

    /// A group that may sleep does, and then has no deadline on any member.
    private mutating func checkSleep() {
        guard shape.sleeps else { return }
        cluster.run(until: cluster.time + 3_000 * Self.millisecond)
        guard let leader = cluster.replicas.first(where: { $0.group?.role == .leader })?.group
        else {
            failure = "the leader was lost in peace"
            return
        }
        for id in leader.membership.everyone {
            guard let group = cluster.replicas[cluster.place(id)].group else { continue }
            if group.nextDeadline != nil || !group.isAsleep && group.id == leader.id {
                let replica = cluster.replicas[cluster.place(id)]
                failure = "\(id) does not sleep: \(Self.summary(replica))"
            }
        }
    }

    static func summary(_ replica: Replica) -> String {
        guard let group = replica.group else { return "\(replica.id) down" }
        return "\(replica.id) \(words(RoleReport(group)))"
            + ", log \(group.trail.base)...\(group.trail.last)"
            + ", commit \(group.commit), durable \(group.durable), \(group.membership)"
    }
}

extension RoleReport {
    init(_ group: RaftGroup) {
        self.init(role: group.role, term: group.term, leader: group.leader)
    }
}
