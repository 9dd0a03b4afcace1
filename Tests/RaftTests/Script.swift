// The language of the stories: a command per line, and indented below it what came of it.
//
//   cluster 1 2 3 / 4         voters and learners; `set NAME N` changes a setting before it
//   log 1 term 7: 1 1 4       what is on a disk before the start: the terms of the entries
//   start [1 2]               starts the processes, all without numbers
//   timeout 1                 its clock jumps to its next deadline
//   lead 1                    the same, and 20 ms in which it is elected; not told
//   run 300                   that many milliseconds pass (`run 300us`: microseconds)
//   propose 1 [BYTES [COUNT]] / read 1 / transfer 1 2 / wake 1 / priority 1 5
//   change 1 +4 -2 ~3         adds a voter, removes, adds or makes a learner
//   cut 1 2 / cut 1 > 2       nothing gets through, in one direction only; `heal` mends all
//   hold 1 > 2 WORD           keeps messages back that begin with WORD; `open` keeps no more
//                             back, `release` lets go what was kept
//   stick 1 / unstick 1       its disk completes nothing, and completes all
//   crash 1 / restart 1 / compact 1 7 / snapshots fail / snapshots arrive / unreachable 1 2
//   status                    a line for each replica
import Base
import Raft

struct Script {
    var cluster = Cluster(settings: Script.settings, seed: 1)

    private static var settings: RaftSettings {
        var settings = RaftSettings()
        settings.quietRoundsBeforeSleep = nil
        return settings
    }

    /// The chapter anew: its commands and remarks, and under each command what came of it.
    static func play(_ chapter: String, _ mutations: RaftMutations = RaftMutations()) -> String {
        var script = Script()
        script.cluster.settings.mutations = mutations
        script.cluster.story = []
        for line in chapter.split(separator: "\n") where !line.hasPrefix(" ") {
            script.cluster.tell(String(line))
            if line.hasPrefix("#") { continue }
            let words = line.split(separator: " ").map(String.init)
            if !script.play(words[0], Array(words.dropFirst())) {
                script.cluster.tell("  no such command")
            }
        }
        for violation in script.cluster.checks.violations {
            script.cluster.tell("  VIOLATION \(violation)")
        }
        return (script.cluster.story ?? []).joined(separator: "\n")
    }

    private mutating func play(_ verb: String, _ words: [String]) -> Bool {
        switch verb {
        case "cluster", "log", "set", "start": return prepare(verb, words)
        case "cut", "heal", "hold", "open", "release", "snapshots": return disturb(verb, words)
        case "run":
            let isMicroseconds = words[0].hasSuffix("us")
            let count = UInt64(isMicroseconds ? String(words[0].dropLast(2)) : words[0]) ?? 0
            cluster.run(until: cluster.time + count * (isMicroseconds ? 1_000 : 1_000_000))
            return true
        case "status":
            for replica in cluster.replicas { cluster.tell("  " + Script.status(replica)) }
            return true
        default: return act(verb, id(words[0]), Array(words.dropFirst()))
        }
    }

    private func id(_ word: String) -> ReplicaID { ReplicaID(UInt64(word) ?? 0) }

    private mutating func prepare(_ verb: String, _ words: [String]) -> Bool {
        switch verb {
        case "cluster":
            let parts = words.split(separator: "/", omittingEmptySubsequences: false)
            let voters = parts[0].map(id)
            let learners = parts.count > 1 ? parts[1].map(id) : []
            let membership = Membership(voters: voters, learners: learners)
            let start = SnapshotIdentity(position: .start, membership: membership)
            cluster.replicas = membership.everyone.map { Replica(id: $0, start) }
        case "log":
            let place = cluster.place(id(words[0]))
            let term = UInt64(words[2].dropLast()) ?? 0
            cluster.replicas[place].disk.hardState = HardState(term: term, vote: nil)
            cluster.replicas[place].disk.entries = words.dropFirst(3).map {
                Entry(term: UInt64($0) ?? 0, .command(byteCount: 1))
            }
        case "start":
            let ids = words.isEmpty ? cluster.replicas.map(\.id) : words.map(id)
            for id in ids {
                if !cluster.replicas.contains(where: { $0.id == id }) {
                    let empty = SnapshotIdentity(position: .start, membership: Membership())
                    cluster.replicas.append(Replica(id: id, empty))
                }
                cluster.start(id)
            }
        default: return set(words[0], Int(words[1]) ?? 0)
        }
        return true
    }

    private mutating func set(_ name: String, _ value: Int) -> Bool {
        switch name {
        case "append-entries": cluster.settings.appendEntries = value
        case "window-entries": cluster.settings.windowEntries = value
        case "append-bytes": cluster.settings.appendBytes = value
        case "window-bytes": cluster.settings.windowBytes = value
        case "uncommitted-bytes": cluster.settings.uncommittedBytes = value
        case "quiet-rounds": cluster.settings.quietRoundsBeforeSleep = value
        default: return false
        }
        return true
    }

    private mutating func disturb(_ verb: String, _ words: [String]) -> Bool {
        switch verb {
        case "cut":
            if words[1] == ">" {
                cluster.network.cuts.insert([id(words[0]), id(words[2])])
            } else {
                // The first from each of the others.
                for other in words.dropFirst() {
                    cluster.network.cuts.insert([id(words[0]), id(other)])
                    cluster.network.cuts.insert([id(other), id(words[0])])
                }
            }
        case "heal": cluster.network.cuts = []
        case "hold":
            cluster.network.holds.append(
                (id(words[0]), id(words[2]), words.dropFirst(3).joined(separator: " ")))
        case "open": cluster.network.holds = []
        case "release":
            cluster.network.holds = []
            let held = cluster.network.held
            cluster.network.held = []
            for message in held { cluster.agenda.add(.delivered(message), at: cluster.time) }
            cluster.run(until: cluster.time)
        default: cluster.snapshotsFail = words[0] == "fail"
        }
        return true
    }

    private mutating func act(_ verb: String, _ id: ReplicaID, _ words: [String]) -> Bool {
        let place = cluster.place(id)
        switch verb {
        case "timeout": timeOut(place)
        case "lead":
            let story = cluster.story
            timeOut(place)
            cluster.run(until: cluster.time + 20_000_000)
            cluster.story = story
        case "propose":
            let bytes = words.first.flatMap { Int($0) } ?? 1
            for _ in 0..<(words.count > 1 ? Int(words[1]) ?? 1 : 1) {
                cluster.step(id, .propose(ProposalID(cluster.number()), byteCount: bytes))
            }
        case "read": cluster.read(id)
        case "transfer": cluster.step(id, .transferLeadership(to: self.id(words[0])))
        case "wake": cluster.step(id, .wake)
        case "priority": cluster.step(id, .setPriority(Int(words[0]) ?? 0))
        case "unreachable": cluster.step(id, .unreachable(self.id(words[0])))
        case "change":
            let changes = words.map { word -> MembershipChange in
                let member = self.id(String(word.dropFirst()))
                if word.hasPrefix("+") { return .addVoter(member) }
                return word.hasPrefix("-") ? .remove(member) : .addLearner(member)
            }
            cluster.step(id, .changeMembership(ProposalID(cluster.number()), changes))
        case "compact": cluster.compact(id, through: LogIndex(words[0]) ?? 0)
        case "crash": cluster.replicas[place].crash(writesThatArrive: 0)
        case "restart": cluster.start(id)
        case "stick": cluster.replicas[place].isDiskStuck = true
        case "unstick":
            cluster.replicas[place].isDiskStuck = false
            while !cluster.replicas[place].writes.isEmpty { cluster.completeWrite(place) }
        default: return false
        }
        return true
    }

    private mutating func timeOut(_ place: Int) {
        let replica = cluster.replicas[place]
        guard let deadline = replica.group?.nextDeadline else {
            cluster.tell("  it has no deadline")
            return
        }
        let now = replica.clock(at: cluster.time)
        if deadline > now {
            cluster.replicas[place].clockOffset += deadline.nanoseconds - now.nanoseconds
        }
        cluster.step(replica.id, .deadlineReached)
    }

    /// `leader of 4, log 1 1 4 (2 compacted), commit 3, durable 3`.
    static func status(_ replica: Replica) -> String {
        guard let group = replica.group else { return "\(replica.id) is down" }
        var text = "\(replica.id) \(words(RoleReport(group)))"
        if group.isAsleep { text += ", asleep" }
        if group.nextDeadline == nil { text += ", no deadline" }
        let terms = (group.trail.first..<group.trail.lastIndex + 1).map {
            "\(group.trail.term(at: $0) ?? 0)"
        }
        text += "; log \(terms.joined(separator: " "))"
        if group.trail.base.index > 0 { text += " from \(group.trail.first)" }
        text += "; commit \(group.commit)"
        if group.durable != group.trail.lastIndex { text += ", durable \(group.durable)" }
        text += "; \(group.membership)"
        for follower in group.followers {
            text += "\n      \(follower.id) \(follower.state) match \(follower.match)"
        }
        return text
    }
}
