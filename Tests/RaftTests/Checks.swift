// The properties of Raft's Figure 3, and some more, checked as things happen.
//
// Everything is compared with one global record: who led a term, what follows what, what was
// applied where. A violation is noted, not trapped, so that a run can print how it came about.
import Base
import Raft

struct Checks {
    private(set) var violations: [String] = []

    private var leaders: [Term: ReplicaID] = [:]
    private var votes: [[UInt64]: ReplicaID] = [:]
    /// Of each entry ever written: the term of the one before it, and its content.
    private var entries: [LogPosition: (before: Term, content: Entry.Content)] = [:]
    /// Applied somewhere, by index from 1.
    private(set) var history: [Term] = []
    private(set) var commitMax: LogIndex = 0
    private var terms: [ReplicaID: Term] = [:]
    private var commits: [ReplicaID: LogIndex] = [:]
    private(set) var elections = 0

    mutating func report(_ violation: String) { violations.append(violation) }

    /// Election safety, and leader completeness.
    mutating func changed(_ id: ReplicaID, _ report: RoleReport, _ group: RaftGroup) {
        guard report.role == .leader else { return }
        elections += 1
        if let other = leaders.updateValue(id, forKey: report.term), other != id {
            self.report("election safety: \(other) and \(id) lead term \(report.term)")
        }
        for index in group.trail.base.index + 1..<max(commitMax + 1, group.trail.base.index + 1)
        where index <= history.count && group.trail.term(at: index) != history[Int(index) - 1] {
            self.report("leader completeness: \(id) leads term \(report.term) without \(index)")
            break
        }
    }

    /// Log matching: an entry's place and term tell what is before it, and by induction all.
    mutating func written(_ write: LogWrite, _ group: RaftGroup) {
        var index = write.firstIndex
        for entry in write.entries {
            let position = LogPosition(index: index, term: entry.term)
            let before = group.trail.term(at: index - 1) ?? 0
            if let known = entries[position] {
                if known.before != before || known.content != entry.content {
                    report("log matching: \(group.id) has another entry at \(position)")
                }
            } else {
                entries[position] = (before, entry.content)
            }
            index += 1
        }
    }

    /// One vote per term, also over restarts: what left a replica counts.
    mutating func sent(_ message: RaftMessage) {
        if message.term < terms[message.from] ?? 0, case .snapshot = message.body {
            return
        }
        switch message.body {
        case .voteReply(isGranted: true): vote(message.from, for: message.to, in: message.term)
        case .vote: vote(message.from, for: message.from, in: message.term)
        default: break
        }
        guard message.term >= terms[message.from] ?? 0 else {
            // Written before the term changed, and held back by the disk.
            return
        }
        terms[message.from] = message.term
    }

    private mutating func vote(_ voter: ReplicaID, for candidate: ReplicaID, in term: Term) {
        let key = [term, voter.number]
        if let other = votes.updateValue(candidate, forKey: key), other != candidate {
            report("election safety: \(voter) votes for \(other) and \(candidate) in \(term)")
        }
    }

    /// State machine safety, and that what is committed is on a majority's disks.
    mutating func applied(_ position: LogPosition, by group: RaftGroup, _ replicas: [Replica]) {
        let index = Int(position.index)
        if index <= history.count {
            if history[index - 1] != position.term {
                report("state machine safety: \(group.id) applies \(position)")
            }
            return
        }
        guard index == history.count + 1 else {
            report("\(group.id) applies \(position) before anyone has applied what is before it")
            return
        }
        history.append(position.term)
        let isDurable = group.membership.reached { voter in
            replicas.contains { $0.id == voter && $0.disk.holds(position) } ? 1 : 0
        }
        // Only the leader's membership is what it was committed with.
        if group.role == .leader, isDurable != 1 {
            report("durability: \(position) is applied and not on a majority's disks")
        }
    }

    mutating func installed(_ position: LogPosition) {
        let index = Int(position.index)
        if index > history.count || index > 0 && history[index - 1] != position.term {
            report("a snapshot of \(position), which is not what was applied")
        }
    }

    /// A process starts: it may know less of what is committed than the one before it.
    mutating func started(_ id: ReplicaID) { commits[id] = nil }

    mutating func observe(_ group: RaftGroup) {
        if group.commit < commits.updateValue(group.commit, forKey: group.id) ?? 0 {
            report("monotonic commits: \(group.id) is back at \(group.commit)")
        }
        commitMax = max(commitMax, group.commit)
        if group.term < terms[group.id] ?? 0 {
            report("monotonic terms: \(group.id) is back in term \(group.term)")
        }
    }
}
