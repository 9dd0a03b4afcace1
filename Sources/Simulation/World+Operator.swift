/// Whoever runs the group of a world: lets leadership move, stores join and leave, and replaces
/// what was lost, in the middle of everything else.
///
/// It asks for one change at a time and knows what any outsider could know: how the leader stands.
/// A store that was removed, and one that lost its disk, comes back under a new number. A disk is
/// lost only while the rest of the group has everything that is committed and can go on by itself:
/// beyond that nothing is promised (reliability.md §3).
internal import Base
internal import Node
internal import Raft
internal import Regions

package struct SimOperator: Sendable {
    struct Asked: Sendable {
        var id: GroupChangeID
        var change: GroupChange
        var node: Int
        var at: Instant
    }

    var asked: Asked?
    /// Stores whose removal was asked for, whatever became of it: their numbers are spent.
    var spent: Set<StoreID> = []
    private var lastStore: UInt32
    private var lastID: UInt64 = 0
    var generator: SeededGenerator
    /// How often each thing was asked for, and how often it was done.
    package internal(set) var counts: [String: Int] = [:]

    init(stores: Int, generator: SeededGenerator) {
        lastStore = UInt32(stores)
        self.generator = generator
    }

    mutating func newStore() -> StoreID {
        lastStore += 1
        return StoreID(lastStore)
    }

    mutating func newID() -> GroupChangeID {
        lastID += 1
        return GroupChangeID(lastID)
    }

    mutating func count(_ name: String) { counts[name, default: 0] += 1 }
}

extension World {
    // MARK: Asking

    /// The leader, if it has everything in its log committed and nobody leads in a later term: what
    /// it takes for the membership is the one that is in force.
    private var chief: SimNode? {
        nodes.first { node in
            guard node.isUp, let status = node.status, status.isServing else { return false }
            return status.term == elections.lastTerm && status.commit == status.last
                && !status.membership.isJoint
        }
    }

    func ask(_ change: GroupChange, of node: SimNode) {
        guard !isAsking || isTold else { return }
        let id = operation.newID()
        operation.asked = SimOperator.Asked(id: id, change: change, node: node.id, at: agenda.now)
        if case .remove(let store) = change { operation.spent.insert(store) }
        operation.count("\(change.kind) asked")
        note(-1, .named("operator"), "asks node \(node.id): \(change)")
        arrives(node.place(0), .shard, .change(SimNode.group, id, change, nil))
        matters(node)
    }

    private var isAsking: Bool { operation.asked != nil }

    func changed(_ id: GroupChangeID, _ result: GroupChangeResult) {
        note(-1, .named("operator"), "hears of change \(id.number): \(result)")
        guard let asked = operation.asked, asked.id == id else { return }
        operation.asked = nil
        tell("operator: \(asked.change): \(result)")
        if result == .done { operation.count("\(asked.change.kind) done") }
    }

    func askForTransfer() {
        let node = presentLeader ?? nodes[Int(operation.generator.next() % UInt64(nodes.count))]
        guard node.isUp else { return }
        if operation.generator.chance(1, in: 4) { return ask(.yield, of: node) }
        let others = nodes.filter { $0.id != node.id }
        let target = others[Int(operation.generator.next() % UInt64(others.count))]
        ask(.transfer(to: target.store), of: node)
    }

    /// Some change that leaves voters; of a leader that nobody knows it is refused.
    func askForChange() {
        let node = chief ?? nodes[Int(operation.generator.next() % UInt64(nodes.count))]
        guard node.isUp, let membership = node.status?.membership else { return }
        let members = membership.everyone
        let lost = members.contains { self.node(of: $0.store) == nil }
        let least = operation.generator.chance(1, in: 4) || shape.nodes == 2 ? 1 : 2
        let joining = nodes.first {
            !members.contains($0.replica) && !operation.spent.contains($0.store)
        }
        if let joining, operation.generator.chance(1, in: 2) {
            ask(.add(joining.store), of: node)
        } else if !lost, membership.voters.ids.count > least {
            let member = members[Int(operation.generator.next() % UInt64(members.count))]
            ask(.remove(member.store), of: node)
        }
    }

    // MARK: Looking after the group

    func operatorLooks() {
        agenda.schedule(.operatorLooks, after: 200_000_000)
        // Who was removed meanwhile hears nothing more, and cannot say what became of it.
        if let asked = operation.asked, asked.at + .seconds(5) < agenda.now {
            operation.asked = nil
        }
        guard !isAsking, let chief, let members = chief.status?.membership.everyone else { return }
        if let lost = members.first(where: { node(of: $0.store) == nil }) {
            return ask(.remove(lost.store), of: chief)
        }
        for node in nodes where !members.contains(node.replica) {
            if operation.spent.contains(node.store) {
                // It may go on for a while, and thinks that it belongs to the group.
                if node.isUp, operation.generator.chance(1, in: 4) { wipe(node) }
            } else if agenda.now >= healsAt || operation.generator.chance(1, in: 8) {
                return ask(.add(node.store), of: chief)
            }
        }
    }

    /// Whether the group can do without what is on that disk.
    func mayLose(_ node: SimNode) -> Bool {
        guard !isAsking, let chief, let membership = chief.status?.membership else { return false }
        return membership.voters.ids.count >= 3
            && membership.everyone.allSatisfy { self.node(of: $0.store) != nil }
    }

    func wipe(_ node: SimNode) {
        operation.count("wiped")
        crash(node)
        let store = options.hostBug == .wipedKeepsItsName ? node.store : operation.newStore()
        note(node.id, .named("node"), "loses its disk, and comes back as store \(store)")
        node.wipe(as: store)
    }
}

extension GroupChange {
    fileprivate var kind: String {
        switch self {
        case .add: "add"
        case .remove: "remove"
        case .transfer: "transfer"
        case .yield: "yield"
        }
    }
}
