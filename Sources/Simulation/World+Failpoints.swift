/// Failpoints of simulated nodes: the host keeps an event back, changes it, or crashes before it.
///
/// The table that decides is the one of a real node, and so are the names. Where a real thread
/// waits, its event comes later here; where a loop would, the core takes no turns. Points of a real
/// host that stand before no event of the world (sockets, files, the steps of a start) have no
/// place here.
internal import API
internal import Base
package import Failpoints
internal import Node
internal import Storage

extension World {
    /// Points that stand before an event of a world.
    package static let failpoints: [Failpoint] = [
        .gatewayAdmit, .coreInbox, .coreDeadline, .logSync, .logSynced, .dataWrite, .dataApplied,
        .readBegin, .diskLook, .diskFlushed, .httpAnswer,
    ]

    /// Which point an event stands before, and in which life of which node.
    private static func boundary(
        _ event: WorldEvent
    ) -> (point: Failpoint, node: Int, incarnation: Int)? {
        switch event {
        case .arrives(let place, .gateway, .request):
            (.gatewayAdmit, place.node, place.incarnation)
        case .turn(let place): (.coreInbox, place.node, place.incarnation)
        case .deadline(let place, _): (.coreDeadline, place.node, place.incarnation)
        case .writes(.log, let node, let life): (.logSync, node, life)
        case .reports(.log, let node, let life): (.logSynced, node, life)
        case .writes(.data, let node, let life): (.dataWrite, node, life)
        case .reports(.data, let node, let life): (.dataApplied, node, life)
        case .reads(let place, _): (.readBegin, place.node, place.incarnation)
        case .looksAtSpace(let node, let life): (.diskLook, node, life)
        case .flushes(let node, let life): (.diskFlushed, node, life)
        case .answered(_, _, let node, let life): (.httpAnswer, node, life)
        default: nil
        }
    }

    /// Does what is set before an event. False: it does not happen now; later, or not at all.
    func mayHappen(_ event: WorldEvent) -> Bool {
        guard agenda.now < healsAt, let (point, id, life) = Self.boundary(event) else {
            return true
        }
        let node = nodes[id]
        guard node.isUp, node.incarnation == life,
            let action = node.failpoints.reached(point)
        else { return true }
        failpointHits[point, default: 0] += 1
        note(id, .named("failpoint"), "\(point.name): \(action)")
        switch action {
        case .off, .print, .yield: return true
        case .sleep(let milliseconds), .delay(let milliseconds):
            return waits(event, node, until: agenda.now + .milliseconds(Int64(milliseconds)))
        case .pause: return waits(event, node, until: healsAt)
        case .panic:
            crash(node, tail: point == .logSync ? .lost : .drawn)
            return false
        case .return(let fault): return fails(event, node, fault, at: point)
        }
    }

    private func waits(_ event: WorldEvent, _ node: SimNode, until instant: Instant) -> Bool {
        let place: CorePlace
        switch event {
        case .arrives(let of, _, _), .turn(let of), .deadline(let of, _): place = of
        case .answered(let exchange, _, _, _):
            place = node.place(Int(exchange.slot) % node.cores.count)
        default:
            agenda.schedule(.keptBack(event), at: instant)
            return false
        }
        guard let core = node.core(place), core.pausedUntil == nil else { return true }
        core.pausedUntil = instant
        agenda.schedule(.resumes(place), at: instant)
        return true
    }

    private func fails(
        _ event: WorldEvent, _ node: SimNode, _ fault: InjectedFault, at point: Failpoint
    ) -> Bool {
        let reason = "the failpoint \(point.name) says \(fault.rawValue)"
        switch event {
        case .arrives(let place, let unit, .request(let exchange, let request)):
            guard let problem = Problem(injected: fault, at: point) else { return true }
            arrives(place, unit, .refused(exchange, request, problem))
        case .writes(let part, _, _):
            node.disk.failsNext = part
            return true
        case .reports:
            node.disk.fail(.failed(reason))
            return true
        case .reads(let place, let read): readFails(place, read, .unreadable(reason))
        case .looksAtSpace: agenda.schedule(.keptBack(event), after: 50_000_000)
        case .flushes: scheduleFlush(node)
        case .answered(let exchange, _, _, _): closes(exchange, node)
        default: return true
        }
        return false
    }

    private func readFails(_ place: CorePlace, _ read: SimCore.Read, _ error: StorageError) {
        let node = nodes[place.node]
        node.core(place)?.stoppedReads.remove(read.token)
        node.readsOut -= 1
        arrives(place, .shard, .readFinished(read.token, .failure(error)))
    }

    /// The connection ends with its answer: what it said is done, and the client cannot know.
    private func closes(_ exchange: ExchangeID, _ node: SimNode) {
        let client = Int(exchange.slot)
        guard let waiting = clients.clients[client].waiting, waiting.exchange == exchange else {
            return
        }
        finish(client, waiting, waiting.calls.map { _ in .unknown("connection closed") })
        for call in waiting.calls { node.unsettled.append((call, node.logged)) }
        settle(node)
        agenda.schedule(.clientActs(client), after: 1_000_000)
    }
}

extension Shape {
    /// Some of the points, each with one action now and then: seldom enough that a node gets
    /// something done between two of them.
    static func drawnFailpoints(from generator: inout SeededGenerator) -> [FailpointSetting] {
        guard generator.chance(1, in: 2) else { return [] }
        var settings: [FailpointSetting] = []
        for point in World.failpoints where generator.chance(1, in: 4) {
            let wait = UInt64.random(in: 1...60, using: &generator)
            var actions: [FailpointAction] = [.panic(nil), .sleep(milliseconds: wait)]
            if point.ground == .thread { actions.append(.pause) }
            actions += point.faults.map { .return($0) }
            let action = actions[Int(generator.next() % UInt64(actions.count))]
            let chance = UInt64.random(in: 300...20_000, using: &generator)
            let step = FailpointProgram.Step(action, chance: chance)
            settings.append(FailpointSetting(point: point, program: FailpointProgram([step])))
        }
        return settings
    }
}
