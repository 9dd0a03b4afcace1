/// The faults of a world: when they happen, and how they end.
internal import Base
internal import Node
internal import Regions
internal import Storage

/// Crash at the k-th sync of a world, for the exhaustive sweep.
package struct CrashPoint: Hashable, Sendable {
    package enum Moment: String, CaseIterable, Hashable, Sendable {
        /// The batch is lost.
        case before
        /// The batch reached the log and the sync did not return.
        case during
        /// Of what was written to the log only a beginning is left.
        case torn
        /// The sync returned and nobody was told.
        case after
    }

    package var sync: Int
    package var moment: Moment

    package init(sync: Int, moment: Moment) {
        self.sync = sync
        self.moment = moment
    }
}

extension World {
    func scheduleNext(_ fault: Fault, _ everyMilliseconds: UInt64) {
        let wait = crashStream.next() % (everyMilliseconds * 2_000_000)
        let at = agenda.now + .nanoseconds(Int64(wait))
        if at < healsAt { agenda.schedule(.fault(fault), at: at) }
    }

    func happens(_ fault: Fault) {
        let node = nodes[Int(crashStream.next() % UInt64(nodes.count))]
        if node.isUp {
            faultTimes.append((fault, agenda.now))
            happens(fault, to: node)
        }
        if let every = shape.faults.first(where: { $0.fault == fault })?.everyMilliseconds {
            scheduleNext(fault, every)
        }
    }

    private func happens(_ fault: Fault, to node: SimNode) {
        switch fault {
        case .crash:
            // At once, or with a batch on its way to the disk: there is more to lose there.
            guard crashStream.chance(3, in: 4) else { return crash(node) }
            node.crashesAtSync = crashStream.chance(1, in: 2) ? .any : .ofRangeDelete
        case .pause:
            let core = node.cores[Int(crashStream.next() % UInt64(node.cores.count))]
            guard core.pausedUntil == nil else { return }
            let place = node.place(core.index)
            core.pausedUntil = agenda.now + .nanoseconds(Int64(crashStream.next() % 50_000_000))
            note(node.id, .core(core.index), "is paused")
            agenda.schedule(.resumes(place), at: core.pausedUntil ?? agenda.now)
        case .partition: cutLinks()
        case .transfer: askForTransfer()
        case .membership: askForChange()
        case .wipe: if mayLose(node) { wipe(node) }
        case .rollingRestart:
            let gap = 200_000_000 + crashStream.next() % 1_500_000_000
            for (place, other) in nodes.enumerated() {
                let at = agenda.now + .nanoseconds(Int64(UInt64(place) * gap))
                guard at < healsAt else { break }
                let stop = WorldEvent.stops(node: other.id, incarnation: other.incarnation)
                agenda.schedule(stop, at: at)
            }
        case .freeze:
            freeze(node, nanoseconds: 100_000_000 + crashStream.next() % 3_000_000_000)
        case .strike: strikes(presentLeader ?? node)
        case .wallJump:
            let jump = Int64(clockStream.next() % 8_000) - 4_000
            node.clock.jump(byMilliseconds: jump, at: agenda.now)
            note(node.id, .named("clock"), "jumps by \(jump) ms")
        case .diskFull:
            guard !node.disk.space.isFilled else { return }
            setDiskFull(node, true)
            agenda.schedule(
                .diskHasRoom(node: node.id, incarnation: node.incarnation),
                after: crashStream.next() % 200_000_000)
        case .diskFailure:
            node.disk.failsNext = crashStream.chance(1, in: 4) ? .data : .log
        case .compaction:
            let wall = node.clock.wall(at: agenda.now)
            note(node.id, .named("disk"), "drops what expired before \(wall.milliseconds)")
            guard node.disk.failure == nil, node.disk.failsNext == nil else { return }
            do throws(StorageError) {
                try node.disk.compact { RawRecord.isExpired($0, at: wall) }
            } catch {
                note(node.id, .named("disk"), "cannot compact: \(error)")
            }
        }
    }

    /// Power loss; the node comes back a little later.
    func crash(
        _ node: SimNode, tail: SimDisk.Tail = .drawn, downNanoseconds: UInt64? = nil
    ) {
        guard node.isUp else { return }
        crashCount += 1
        note(node.id, .named("node"), "crashes")
        node.crash(at: agenda.now, &crashStream, tail: tail)
        // Its answer does not come any more.
        if operation.asked?.node == node.id { operation.asked = nil }
        connectionsBreak(node)
        breakConnections(of: node)
        node.disk.space.empty()
        tell("\(node.id + 1) crashes")
        // Of a story: until it says otherwise.
        guard !isTold else { return }
        let down = downNanoseconds ?? shape.downMilliseconds * 1_000_000
        agenda.schedule(.restarts(node: node.id), after: crashStream.next() % max(1, down))
    }

    func resumes(_ place: CorePlace) {
        guard let core = nodes[place.node].core(place) else { return }
        core.pausedUntil = nil
        note(place.node, .core(core.index), "goes on")
        core.turnIsScheduled = true
        agenda.schedule(.turn(place), after: 0)
    }

    func setDiskFull(_ node: SimNode, _ isFull: Bool) {
        if isFull { node.disk.space.fill(&crashStream) } else { node.disk.space.empty() }
        let space = node.disk.space.look()
        note(node.id, .named("disk"), "has \(space.space.freeBytes) bytes left")
        for core in node.cores where node.isUp {
            for unit in [UnitAddress.Unit.gateway, .shard] {
                post(
                    .diskSpace(space), to: node.place(core.index), unit, from: -2,
                    delay: 10_000_000)
            }
        }
    }
}
