/// Faults that are aimed: a leader that was just elected, or was just asked to hand over or to
/// change the members, is cut off, stands still or crashes.
///
/// What goes wrong between an election and its first commit, or between a transfer and the end of a
/// lease, takes ten milliseconds; faults at drawn instants nearly never meet it. So some worlds
/// look at their nodes before they strike. It is still drawn whether, how and how much later.
internal import Base
internal import Node
internal import Raft

/// What a strike does to a node.
enum Strike: Sendable {
    /// Nothing passes between it and the others.
    case alone
    /// Hears nobody.
    case deaf
    /// Is heard by nobody.
    case mute
    /// Reaches only some of the others.
    case halved
    case crashes
    case standsStill
    /// Stands still, and by the time it goes on it is cut off: a machine that was moved.
    case wakesAlone
    /// Its links go one by one, perhaps each with a restart at the other end, and come back at once
    /// (after FoundationDB's swizzling).
    case swizzled

    static let usual: [Strike] = [
        .alone, .deaf, .mute, .halved, .crashes, .standsStill, .wakesAlone, .swizzled, .swizzled,
    ]
    /// Who hands over must not hear what comes of it.
    static let handingOver: [Strike] = [.deaf, .deaf, .deaf, .alone, .crashes]
}

extension World {
    private var electionNanoseconds: UInt64 { UInt64(shape.electionMilliseconds) * 1_000_000 }

    /// It leads since just now, or has just begun what only a leader does.
    /// - Parameter within: microseconds; nil: the first few messages and syncs of whatever it is.
    func matters(_ node: SimNode, _ kinds: [Strike] = Strike.usual, within: UInt64? = nil) {
        guard shape.strikesOfTen > 0, agenda.now < healsAt,
            strikeStream.chance(shape.strikesOfTen, in: 10)
        else { return }
        let span = within ?? 4 * (shape.networkMicroseconds + shape.syncMicroseconds)
        agenda.schedule(
            .strikes(node: node.id, incarnation: node.incarnation, among: kinds),
            after: strikeStream.next() % (span * 1_000))
    }

    /// The leader of the latest term, if there is one.
    var presentLeader: SimNode? {
        nodes.filter { $0.isUp && $0.status?.role == .leader }
            .max { ($0.status?.term ?? 0) < ($1.status?.term ?? 0) }
    }

    func strikes(_ node: SimNode, among kinds: [Strike] = Strike.usual) {
        guard node.isUp, agenda.now < healsAt else { return }
        faultTimes.append((.strike, agenda.now))
        let length = electionNanoseconds / 4 + strikeStream.next() % (electionNanoseconds * 4)
        let others = nodes.indices.filter { $0 != node.id }
        let away = others.map { Link(from: node.id, to: $0) }
        let back = others.map { Link(from: $0, to: node.id) }
        switch kinds[Int(strikeStream.next() % UInt64(kinds.count))] {
        case .alone: cuts(away + back, for: length)
        case .deaf: cuts(back, for: length)
        case .mute: cuts(away, for: length)
        case .halved:
            let lost = others.filter { _ in strikeStream.chance(1, in: 2) }
            let isBothWays = strikeStream.chance(1, in: 2)
            cuts(
                (isBothWays ? away + back : away).filter {
                    lost.contains($0.to) || lost.contains($0.from)
                }, for: length)
        case .crashes: crash(node)
        case .standsStill: freeze(node, nanoseconds: length)
        case .wakesAlone:
            freeze(node, nanoseconds: length)
            // What was on its way to it still comes, and waits.
            agenda.schedule(
                .cuts(
                    away + back,
                    nanoseconds: length + strikeStream.next() % (electionNanoseconds * 2),
                    restarts: nil),
                after: strikeStream.next() % (electionNanoseconds / 2))
        case .swizzled: swizzles(node, others)
        }
    }

    private func swizzles(_ node: SimNode, _ others: [Int]) {
        let restarts = strikeStream.chance(1, in: 2)
        let end = electionNanoseconds * 2 + strikeStream.next() % (electionNanoseconds * 4)
        var wait: UInt64 = 0
        for other in others.shuffled(using: &strikeStream) where wait < end {
            let links = [
                Link(from: node.id, to: other), Link(from: other, to: node.id),
            ]
            agenda.schedule(
                .cuts(links, nanoseconds: end - wait, restarts: restarts ? other : nil),
                after: wait)
            wait += strikeStream.next() % (electionNanoseconds * 2)
        }
    }

    func cuts(_ links: [Link], for nanoseconds: UInt64, restarts other: Int? = nil) {
        guard agenda.now < healsAt else { return }
        cut(Set(links), for: nanoseconds)
        // So short that whom it promised its vote still counts on it.
        if let other { crash(nodes[other], downNanoseconds: electionNanoseconds / 10) }
    }

    func freeze(_ node: SimNode, nanoseconds: UInt64) {
        note(node.id, .named("node"), "stands still")
        for core in node.cores where core.pausedUntil == nil {
            let until = agenda.now + .nanoseconds(Int64(nanoseconds))
            core.pausedUntil = until
            agenda.schedule(.resumes(node.place(core.index)), at: until)
        }
    }
}
