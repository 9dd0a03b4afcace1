/// The checkers of a world, and when each looks.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension World {
    /// Every request has been answered, and nothing is left to happen.
    func checkAnswered() {
        for client in clients.clients {
            guard let waiting = client.waiting else { continue }
            let commands = waiting.commands.map(\.shown).joined(separator: "; ")
            violate(.liveness, "\(waiting.exchange.shown) was never answered: \(commands)")
        }
        if !isAtRest, violations.isEmpty {
            violate(.liveness, "the world does not come to rest: \(unrest)")
        }
    }

    /// What is still under way, for people.
    private var unrest: String {
        var found: [String] = []
        if agenda.now < endsAt { found.append("clients may begin until \(endsAt.nanoseconds)") }
        for (number, client) in clients.clients.enumerated() {
            if client.waiting != nil || client.scan != nil || client.script?.isEmpty == false {
                found.append("client \(number) is not done")
            }
        }
        if let asked = operation.asked { found.append("nobody said what became of \(asked)") }
        if network.underWay != 0 { found.append("\(network.underWay) on their way") }
        for node in nodes {
            guard node.isUp, let status = node.status else {
                found.append("node \(node.id) is down")
                continue
            }
            found.append(
                "node \(node.id) \(node.work ?? "idle"), \(status.role) of "
                    + "\(status.leader?.description ?? "nobody") in term \(status.term), log "
                    + "\(status.base) to \(status.last), commit \(status.commit), applied "
                    + "\(status.applied), \(status.membership)")
        }
        return found.joined(separator: "; ")
    }

    func checkNothingIsLeft() {
        for node in nodes where node.isUp {
            if let work = node.work {
                violate(.liveness, "node \(node.id): \(work)")
                continue
            }
            for core in node.cores {
                if let held = core.shard.heldResource {
                    violate(.liveness, "shard \(core.index) of node \(node.id) holds \(held)")
                }
            }
        }
    }

    /// The queues of a node stay within their limits, counted by the host.
    func checkBounds(_ node: SimNode) {
        let settings = ShardSettings(
            cores: shape.cores, readsWaitingLimit: shape.readsWaitingLimit)
        let readsWaitingLimit = settings.readsWaitingLimit * shape.cores
        if node.readsOut > readsWaitingLimit {
            violate(.bounds, "\(node.readsOut) reads wait; the limit is \(readsWaitingLimit)")
        }
        // The limit is looked at when a write comes: one may pass it. What then waits for a latch
        // or a range delete is not looked at again: where anything waits the limit says nothing.
        let slack = Workload.largestWriteBytes
        // A follower has what its leader took.
        guard nodes.count == 1, !history.hasWaiters,
            node.unappliedBytes > shape.unsyncedBytesLimit + slack
        else {
            return
        }
        violate(
            .bounds,
            "\(node.unappliedBytes) bytes are not applied; the limit is "
                + "\(shape.unsyncedBytesLimit), and one write may pass it")
    }

    /// What the node's wall clock showed while a call can have had its effect.
    func wall(_ call: Call) -> ClosedRange<WallTime> {
        // Whoever leads may have looked at its clock.
        let end = max(call.invokedAt, min(call.effectBefore, agenda.now))
        let ranges = nodes.map { $0.clock.wallRange(from: call.invokedAt, to: end) }
        let low = ranges.map(\.lowerBound).min() ?? ranges[0].lowerBound
        return low...(ranges.map(\.upperBound).max() ?? low)
    }

    /// Looks into the store of a node that starts: what did the crash leave?
    func checkRestart(_ node: SimNode, crashedAt: Instant?) {
        var stored: [Key: Bytes] = [:]
        for key in SimKeys.sorted {
            do {
                let record = try node.disk.engine.get(.raw, RawSpace.key(key), tier: .disk)
                guard case .found(let bytes) = record else { continue }
                stored[key] = try RawRecord.value(of: bytes, at: WallTime(milliseconds: 0))?.value
            } catch {
                violate(.atomicity, "\(key.shown) cannot be read after a restart: \(error)")
            }
        }
        let durability = DurabilityChecker(history: history, stored: stored) { [self] call in
            guard let ttl = call.command.storedValue?.timeToLive else { return false }
            let until = nodes.map {
                $0.clock.wallRange(from: call.invokedAt, to: agenda.now).upperBound
            }.max()
            return until ?? WallTime(milliseconds: 0) >= wall(call).lowerBound.adding(seconds: ttl)
        }
        if let found = durability.violation() { violate(found.checker, found.message) }
        guard let crashedAt else { return }
        let atomicity = AtomicityChecker(history: history, stored: stored, crashedAt: crashedAt)
        if let found = atomicity.violation() { violate(found.checker, found.message) }
    }

    /// Everything that can be said when all is over.
    func checkHistory() -> [Violation] {
        let clocks = nodes.map(\.clock)
        let checkers = HistoryCheckers(
            history: history, order: effectOrder, wall: wall,
            wallMax: { from, to in
                let latest = clocks.map { $0.wallRange(from: from, to: max(from, to)).upperBound }
                return latest.max() ?? WallTime(milliseconds: 0)
            })
        let found = checkers.violations()
        undecidedCount += found.undecided
        return found.violations
    }
}
