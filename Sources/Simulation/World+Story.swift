/// What a story asks of a world: time passes, somebody is waited for, a client asks a node.
internal import API
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension World {
    private static let patience = Duration.seconds(20)

    func tell(_ text: @autoclosure () -> String) {
        if isTold { told.append(text()) }
    }

    // MARK: Time

    func passes(_ nanoseconds: UInt64) {
        let end = agenda.now + .nanoseconds(Int64(nanoseconds))
        agenda.schedule(.goesOn, at: end)
        while let next = agenda.nextInstant, next <= end { takesNext() }
    }

    /// Until it is so; right after the event that made it so.
    func awaits(_ what: String, _ isThere: () -> Bool) {
        let end = agenda.now + Self.patience
        while !isThere(), let next = agenda.nextInstant, next < end { takesNext() }
        if !isThere() { tell("no \(what) within \(Self.patience)") }
    }

    func awaitsLeader(_ ids: [Int]) {
        let term = elections.lastTerm
        func leader() -> SimNode? {
            nodes.first { node in
                node.isUp && node.status?.role == .leader
                    && (ids.isEmpty || ids.contains(node.id))
                    && (ids.isEmpty || node.status?.term ?? 0 >= term)
            }
        }
        awaits("leader") { leader() != nil }
    }

    func leads(_ node: SimNode) {
        awaits("leader") { presentLeader?.status?.isServing == true }
        guard let leader = presentLeader, leader.id != node.id else { return }
        ask(.transfer(to: node.store), of: leader)
        awaits("leader") { node.status?.isServing == true }
    }

    // MARK: Faults

    private func cutAgain(_ links: [Link]) {
        partitionCount += 1
        network.add(Set(links), as: partitionCount)
    }

    /// `1 2 | 3`
    func parts(_ words: [String]) {
        let sides = words.split(separator: "|").map { $0.compactMap { Int($0) } }
        func side(_ node: Int) -> Int? { sides.firstIndex { $0.contains(node + 1) } }
        network.heal()
        let all = nodes.indices.flatMap { a in nodes.indices.map { Link(from: a, to: $0) } }
        cutAgain(all.filter { side($0.from) != side($0.to) })
    }

    /// `1 > 2`, or `1 2`
    func cuts(_ words: [String]) {
        let ids = words.compactMap { Int($0) }.map { $0 - 1 }
        let there = Link(from: ids[0], to: ids[1])
        cutAgain(words.contains(">") ? [there] : [there, Link(from: ids[1], to: ids[0])])
    }

    func starts(_ node: SimNode) {
        guard !node.isUp else { return }
        start(node)
        tell("\(node.id + 1) starts")
    }

    // MARK: Clients

    func asks(_ commands: [RawCommand], at node: Int) {
        let free = clients.clients.indices.first { client in
            client != clients.verifier && clients.isFree(client)
        }
        guard let free else {
            tell("no client is free")
            return
        }
        clients.asks(free, commands, at: node)
        agenda.schedule(.clientActs(free), after: 0)
    }

    // MARK: The end

    /// Everything is mended; then the members have to agree, and the checkers speak.
    func endsWell() {
        network.heal()
        for node in nodes {
            if !node.isUp { start(node) }
            for core in node.cores where core.pausedUntil != nil {
                resumes(node.place(core.index))
            }
        }
        let end = agenda.now + Self.patience
        while !hasSettled, let next = agenda.nextInstant, next < end { takesNext() }
        if !hasSettled { violate(.liveness, "the members do not come to one state") }
        let members = self.members
        do throws(StorageError) {
            if hasSettled, let found = try ReplicasEqual.difference(members.map(\.disk.engine)) {
                violate(.replicasEqual, found)
            }
        } catch {
            violate(.replicasEqual, "the data cannot be read: \(error)")
        }
        for found in checkHistory() { violate(found.checker, found.message) }
    }

    private var members: [SimNode] {
        guard let membership = presentLeader?.status?.membership else { return [] }
        return nodes.filter { membership.contains($0.replica) }
    }

    private var hasSettled: Bool {
        guard let leader = presentLeader, let status = leader.status, status.isServing,
            network.underWay == 0, clients.areDone
        else { return false }
        return members.allSatisfy {
            $0.status?.applied == status.last && $0.status?.leader == leader.replica
        }
    }
}
