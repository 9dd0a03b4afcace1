/// What a world does for a node's disk: writes, reports, flushes, failures.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

extension World {
    /// Notes what is in the entries that a node hands to its log.
    func note(_ items: [SimDisk.LogItem], _ node: SimNode) {
        for case .append(_, let append) in items {
            for (offset, record) in append.records.enumerated() {
                let index = append.write.firstIndex + LogIndex(offset)
                node.logged = index
                node.firstLogged = min(node.firstLogged, index)
                noteEntry(record, at: index, node)
                node.unappliedBytes += batch(record, index)?.byteCount ?? 0
            }
        }
    }

    /// A snapshot first goes to the data, and what is behind it waits.
    func submit(_ items: [SimDisk.LogItem], _ node: SimNode) {
        let (log, data) = node.disk.split(items, at: agenda.now)
        if !log.isEmpty, node.disk.submit(log) { scheduleWrite(.log, node) }
        if !data.isEmpty, node.disk.submit(data) { scheduleWrite(.data, node) }
    }

    func scheduleWrite(_ part: SimDisk.Part, _ node: SimNode) {
        let latency: UInt64
        switch part {
        case .log:
            let isSlow = shape.slowSyncEvery > 0 && diskStream.chance(1, in: shape.slowSyncEvery)
            latency =
                (1_000 + diskStream.next() % (shape.syncMicroseconds * 1_000)) * (isSlow ? 100 : 1)
        case .data: latency = 1_000 + diskStream.next() % (shape.applyMicroseconds * 1_000)
        }
        agenda.schedule(
            .writes(part, node: node.id, incarnation: node.incarnation), after: latency)
    }

    func writes(_ part: SimDisk.Part, _ node: SimNode, _ incarnation: Int) {
        guard node.isUp, node.incarnation == incarnation else { return }
        switch part {
        case .log: if !writesLog(node) { return }
        case .data:
            let items = node.disk.dataQueue.underWay
            node.disk.writeData()
            if node.disk.failure == nil { notesApplied(items, node) }
        }
        agenda.schedule(
            .reports(part, node: node.id, incarnation: node.incarnation),
            after: diskStream.next() % 200_000)
    }

    /// False if it crashes meanwhile.
    private func writesLog(_ node: SimNode) -> Bool {
        syncCount += 1
        let isThePoint = options.crashPoint?.sync == syncCount
        if isThePoint, let moment = options.crashPoint?.moment, moment != .after {
            let tails: [CrashPoint.Moment: SimDisk.Tail] = [.before: .lost, .during: .kept]
            crash(node, tail: tails[moment] ?? .drawn)
            return false
        }
        if let awaited = node.crashesAtSync, agenda.now < healsAt,
            awaited == .any || deletesRange(node.disk.logQueue.underWay)
        {
            crash(node)
            return false
        }
        node.disk.writeLog()
        note(node.id, .named("disk"), "sync \(syncCount) is done")
        if isThePoint { crash(node) }
        return !isThePoint
    }

    private func deletesRange(_ items: [SimDisk.LogItem]) -> Bool {
        for case .append(_, let append) in items {
            for offset in append.records.indices {
                let batch = batch(
                    append.records[offset], append.write.firstIndex + LogIndex(offset))
                if batch?.operations.contains(where: { $0.kind == .deleteRange }) == true {
                    return true
                }
            }
        }
        return false
    }

    func reports(_ part: SimDisk.Part, _ node: SimNode, _ incarnation: Int) {
        guard node.isUp, node.incarnation == incarnation else { return }
        var told: [(core: Int, event: Event)]
        switch part {
        case .log: told = node.disk.reportLog()
        case .data:
            let report = node.disk.reportData(at: agenda.now)
            told = report.told
            if !report.log.isEmpty { submit(report.log, node) }
        }
        for (core, event) in told {
            if case .applied(_, let index) = event { noteApplied(index, node) }
            if part == .log, options.hostBug == .reportedBeforeWrite { continue }
            post(event, to: node.place(core), .shard, from: -1, delay: 0)
        }
        settle(node)
        let goesOn = part == .log ? node.disk.takeNextLog() : node.disk.takeNextData()
        if goesOn { scheduleWrite(part, node) }
        stops(node)
    }

    private func noteApplied(_ index: LogIndex, _ node: SimNode) {
        for applied in node.applied + 1..<index + 1 {
            // Of an earlier life is what it was not handed in this one.
            if applied <= node.logged { node.unappliedBytes -= bytesOfThisLife(applied, node) }
        }
        node.applied = index
    }

    private func bytesOfThisLife(_ index: LogIndex, _ node: SimNode) -> Int {
        guard index >= node.firstLogged, let record = node.entries[index] else { return 0 }
        return batch(record, index)?.byteCount ?? 0
    }

    /// What `Runtime` does after a failure: those who wait are told, and the node stops.
    private func stops(_ node: SimNode) {
        guard let failure = node.disk.failure, !node.hasFailed else { return }
        node.hasFailed = true
        note(node.id, .named("disk"), "has failed: \(failure)")
        for core in node.cores {
            for unit in [UnitAddress.Unit.gateway, .shard] {
                post(.storeFailed(failure), to: node.place(core.index), unit, from: -1, delay: 0)
            }
        }
        agenda.schedule(
            .stops(node: node.id, incarnation: node.incarnation),
            after: 1_000_000 + diskStream.next() % 20_000_000)
    }

    // MARK: Flushes

    func scheduleFlush(_ node: SimNode) {
        guard shape.flushMilliseconds > 0, agenda.now < healsAt else { return }
        agenda.schedule(
            .flushes(node: node.id, incarnation: node.incarnation),
            after: diskStream.next() % (shape.flushMilliseconds * 2_000_000))
    }

    func flushes(_ node: SimNode, _ incarnation: Int) {
        guard node.isUp, node.incarnation == incarnation, node.disk.failure == nil else { return }
        do throws(StorageError) {
            if let index = try node.disk.flush(), index > node.flushed {
                node.flushed = index
                note(node.id, .named("disk"), "is flushed up to entry \(index)")
                post(
                    .flushed(SimNode.group, through: index), to: node.place(0), .shard, from: -3,
                    delay: 1_000_000)
            }
        } catch {
            violate(.durability, "the applied record cannot be read: \(error)")
        }
        scheduleFlush(node)
    }
}
