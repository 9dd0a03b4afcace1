/// What a world does for its nodes: turns, envelopes between cores, disk, reader threads,
/// deadlines.
internal import API
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension World {
    func start(_ node: SimNode) {
        var settings = ShardSettings(
            cores: shape.cores, unsyncedBytesLimit: shape.unsyncedBytesLimit,
            readsWaitingLimit: shape.readsWaitingLimit,
            entriesScannedInline: shape.entriesScannedInline)
        settings.mutations = options.mutations
        node.disk.engine.setCold(shape.coldOfTen, in: 10, seed: options.seed)
        do throws(StorageError) {
            let kept = LogBytesKept(
                byLeader: shape.logBytesKept, byFollower: shape.logBytesKept / 4)
            try node.start(
                cores: shape.cores, settings: settings, raft: raftSettings, logBytesKept: kept,
                bug: options.hostBug, at: agenda.now, generator: &clockStream)
        } catch {
            violate(.durability, "node \(node.id) cannot start: \(error)")
            return
        }
        note(node.id, .named("node"), "starts for the \(node.incarnation). time")
        for core in node.cores { arrives(node.place(core.index), .shard, .deadlineReached) }
        agenda.schedule(
            .looksAtSpace(node: node.id, incarnation: node.incarnation), after: 1_000)
        scheduleFlush(node)
    }

    private var raftSettings: RaftSettings {
        var settings = RaftSettings()
        settings.electionTimeout = .milliseconds(shape.electionMilliseconds)
        settings.leaseDuration = .milliseconds(shape.electionMilliseconds * 4 / 5)
        settings.heartbeatInterval = .milliseconds(shape.electionMilliseconds / 6)
        settings.uncommittedBytes = shape.uncommittedBytes
        settings.windowEntries = shape.windowEntries
        settings.appendEntries = max(1, shape.windowEntries / 2)
        settings.mutations = options.raftMutations
        return settings
    }

    // MARK: A core's loop

    func arrives(_ place: CorePlace, _ unit: UnitAddress.Unit, _ event: Event) {
        guard let core = nodes[place.node].core(place) else { return }
        core.receive(unit, event)
        scheduleTurn(of: core, place)
    }

    private func scheduleTurn(of core: SimCore, _ place: CorePlace) {
        guard !core.turnIsScheduled, core.pausedUntil == nil else { return }
        core.turnIsScheduled = true
        agenda.schedule(.turn(place), after: hostStream.next() % 20_000)
    }

    func turn(_ place: CorePlace) {
        let node = nodes[place.node]
        guard let core = node.core(place) else { return }
        core.turnIsScheduled = false
        guard core.pausedUntil == nil else { return }
        // Now and then the loop takes only a part of what has come.
        let whole = core.inbox.count
        let count =
            hostStream.chance(1, in: 8) && whole > 1
            ? 1 + Int(hostStream.next() % UInt64(whole)) : whole
        let world = agenda.now
        let output = core.turn(taking: count, at: node.clock.now(at: world)) { unit, content in
            trace.note(world, node: node.id, .unit(unit, core: core.index), content)
        }
        leave(output, core, node)
        if place.core == 0 { checkStatus(node, core.shard.groupStatus) }
        if !node.isListening, node.cores.allSatisfy({ $0.shard.takesRequests }) {
            node.isListening = true
            if nodes.count == 1 { checkRestart(node, crashedAt: node.crashedAt) }
        }
        if !core.inbox.isEmpty { scheduleTurn(of: core, place) }
        settle(node)
        checkBounds(node)
    }

    private func leave(_ output: SimCore.Output, _ core: SimCore, _ node: SimNode) {
        let place = node.place(core.index)
        // A snapshot goes to the data behind what was to be applied before it came, else the data
        // would go back: what is applied is handed over first.
        if !output.applied.isEmpty, node.disk.submit(output.applied) { scheduleWrite(.data, node) }
        if !output.logged.isEmpty {
            note(output.logged, node)
            submit(output.logged, node)
        }
        for position in output.discarded {
            node.disk.discard(position, at: agenda.now)
        }
        if output.stopsSnapshots { stopTransfers(of: node) }
        for wanted in output.snapshots { beginTransfer(wanted, node) }
        for (id, result) in output.changed { changed(id, result) }
        if let damage = output.damage { violate(.durability, "the log is damaged: \(damage)") }
        for read in output.reads {
            node.readsOut += 1
            let delay = diskStream.next() % (shape.readMicroseconds * 1_000 + 1)
            agenda.schedule(.reads(place, read), after: delay)
        }
        for message in output.fromLog { shipFromLog(message, node) }
        for envelope in output.envelopes {
            guard envelope.to.store == nil else {
                ship(envelope, from: node)
                continue
            }
            post(
                .received(envelope), to: node.place(envelope.to.core), envelope.to.unit,
                from: core.index, delay: shape.crossCoreMicroseconds * 1_000)
        }
        for (exchange, response) in output.responses {
            responded(exchange, node)
            agenda.schedule(
                .answered(
                    exchange, response, node: node.id, incarnation: node.incarnation),
                after: 1_000 + hostStream.next() % 100_000)
        }
        scheduleDeadline(core, node)
    }

    /// Things from one source arrive in the order in which they left.
    func post(
        _ event: Event, to place: CorePlace, _ unit: UnitAddress.Unit, from source: Int,
        delay: UInt64
    ) {
        guard let core = nodes[place.node].core(place) else { return }
        let wanted = agenda.now + .nanoseconds(Int64(hostStream.next() % (delay + 1)))
        let at = max(wanted, core.lastArrivals[source] ?? .origin)
        core.lastArrivals[source] = at
        agenda.schedule(.arrives(place, unit, event), at: at)
    }

    private func scheduleDeadline(_ core: SimCore, _ node: SimNode) {
        let deadlines = [core.gateway.nextDeadline, core.shard.nextDeadline]
        guard let next = deadlines.compactMap({ $0 }).min(), next < .distantFuture else { return }
        let at = node.clock.trueInstant(of: next, after: agenda.now)
        if let scheduled = core.scheduledDeadline, scheduled <= at { return }
        core.scheduledDeadline = at
        agenda.schedule(.deadline(node.place(core.index), at), at: at)
    }

    func deadline(_ place: CorePlace, _ instant: Instant) {
        guard let core = nodes[place.node].core(place), core.scheduledDeadline == instant else {
            return
        }
        core.scheduledDeadline = nil
        arrives(place, .gateway, .deadlineReached)
        arrives(place, .shard, .deadlineReached)
    }

    /// A reader thread reads now and tells the core a little later.
    func reads(_ place: CorePlace, _ read: SimCore.Read) {
        let node = nodes[place.node]
        guard let core = node.core(place) else { return }
        let isStopped = core.stoppedReads.remove(read.token) != nil
        let result: Result<RawOutcome, StorageError>
        do throws(StorageError) {
            let outcome = try read.read.run(
                on: node.disk.engine, read.view, at: read.wall, tier: .disk,
                isWanted: { !isStopped })
            result = outcome.map { .success($0) } ?? .failure(.failed("no answer from the disk"))
        } catch {
            result = .failure(error)
        }
        let delay = diskStream.next() % 100_000
        agenda.schedule(.arrives(place, .shard, .readFinished(read.token, result)), after: delay)
        node.readsOut -= 1
    }

    func looksAtSpace(_ node: SimNode, _ incarnation: Int) {
        guard node.isUp, node.incarnation == incarnation else { return }
        let space = node.disk.space.look()
        for core in node.cores {
            for unit in [UnitAddress.Unit.gateway, .shard] {
                post(
                    .diskSpace(space), to: node.place(core.index), unit, from: -2, delay: 0)
            }
        }
        guard agenda.now < healsAt else { return }
        agenda.schedule(
            .looksAtSpace(node: node.id, incarnation: incarnation), after: 50_000_000)
    }
}
