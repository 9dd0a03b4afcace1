/// What a world does for its clients: sends their requests, tells them answers, breaks their
/// connections.
internal import API
internal import Base
internal import Node
internal import Regions

extension World {
    /// Any node will do; the verifier asks all of them.
    private func choice(of client: Int) -> Int {
        if let node = clients.clients[client].node { return node }
        let drawn = Int(clients.generator.next() % UInt64(nodes.count))
        return shape.clientsStay && client != clients.verifier ? client % nodes.count : drawn
    }

    func clientActs(_ client: Int) {
        guard clients.clients[client].waiting == nil else { return }
        let node = nodes.count == 1 ? nodes[0] : nodes[choice(of: client)]
        guard node.isListening else {
            // The connection is refused; the client tries again.
            agenda.schedule(.clientActs(client), after: 5_000_000)
            return
        }
        guard let next = clients.next(client, mayBegin: agenda.now < endsAt) else { return }
        send(next.commands, scan: next.scan, cursor: next.cursor, from: client, to: node)
    }

    private func send(
        _ commands: [RawCommand], scan: Int?, cursor: Bytes?, from client: Int, to node: SimNode
    ) {
        let isVerifier = client == clients.verifier
        let exchange = clients.exchange(of: client, incarnation: node.incarnation)
        var lane: Lane = commands.count > 1 ? .batch : .bytes
        let isPlain = scan == nil && !commands.contains { $0.isCount }
        if lane == .bytes, isPlain, !commands.contains(where: \.hasListCondition) {
            lane = [.bytes, .bytes, .json, .batch][Int(clients.generator.next() % 4)]
        }
        var writer = RequestWriter()
        if !isVerifier, shape.shortTimeoutEvery > 0,
            clients.generator.chance(1, in: shape.shortTimeoutEvery)
        {
            let milliseconds = 1 + clients.generator.next() % 60
            writer.timeout = "0." + (milliseconds < 10 ? "00" : "0") + String(milliseconds)
        }
        if !isVerifier, writer.timeout == nil, shape.timeoutMilliseconds > 0 {
            let milliseconds = 100 + clients.generator.next() % shape.timeoutMilliseconds
            let rest = String(1_000 + milliseconds % 1_000).dropFirst()
            writer.timeout = "\(milliseconds / 1_000).\(rest)"
        }
        if nodes.count > 1, !isVerifier, lane != .batch {
            writer.ask = clients.drawAsk(for: commands, of: client)
        }
        let request = writer.request(for: commands, lane: lane, cursor: cursor)
        let calls = history.begin(
            commands, client: client, node: node.id, scan: scan, ask: writer.ask, at: agenda.now)
        clients.clients[client].waiting = SimClients.Waiting(
            exchange: exchange, node: node.id, calls: calls, commands: commands, lane: lane)
        let core = client % node.cores.count
        post(
            .request(exchange, request), to: node.place(core), .gateway, from: 1_000 + client,
            delay: 50_000)
        guard !isVerifier, shape.leavesEvery > 0,
            clients.generator.chance(1, in: shape.leavesEvery)
        else { return }
        agenda.schedule(
            .clientLeaves(exchange, node: node.id, incarnation: node.incarnation),
            after: 50_000 + clients.generator.next() % 10_000_000)
    }

    /// A node has handed a response to its front.
    func responded(_ exchange: ExchangeID, _ node: SimNode) {
        let count = clients.answerCounts[exchange, default: 0] + 1
        clients.answerCounts[exchange] = count
        if count > 1 { violate(.answers, "\(exchange.shown) was answered \(count) times") }
    }

    func answered(_ exchange: ExchangeID, _ response: Response, _ node: SimNode) {
        let client = Int(exchange.slot)
        // A client that has left reads no answer.
        guard let waiting = clients.clients[client].waiting, waiting.exchange == exchange else {
            return
        }
        let reader = ResponseReader(commands: waiting.commands, lane: waiting.lane)
        let answers: [Answer]
        do throws(UnreadableResponse) {
            answers = try reader.answers(response)
            if let version = try reader.version(response) {
                clients.clients[client].lastWrite = (waiting.calls.lowerBound, version)
            }
        } catch {
            let commands = waiting.commands.map(\.shown).joined(separator: "; ")
            violate(.answers, "\(exchange.shown) \(commands): \(error.reason)")
            return
        }
        history.note(ReadStamp(response), of: waiting.calls)
        finish(client, waiting, answers)
        for (id, answer) in zip(waiting.calls, answers) {
            if case .unknown = answer { node.unsettled.append((id, node.logged)) }
        }
        if client == clients.verifier { checkVerifierIsServed(waiting.commands, answers) }
        let think = shape.thinkMicroseconds * 1_000
        agenda.schedule(.clientActs(client), after: clients.generator.next() % think)
    }

    func finish(_ client: Int, _ waiting: SimClients.Waiting, _ answers: [Answer]) {
        history.end(waiting.calls, answers, at: agenda.now)
        clients.clients[client].waiting = nil
        clients.learn(client, waiting.commands, answers)
        trace.note(
            agenda.now, node: -1, .client(client),
            .learnt(waiting.exchange, waiting.commands, answers))
        for (command, answer) in zip(waiting.commands, answers) {
            tell("client \(client + 1) at \(waiting.node + 1), \(command.shown): \(answer.shown)")
        }
    }

    private func checkVerifierIsServed(_ commands: [RawCommand], _ answers: [Answer]) {
        for (command, answer) in zip(commands, answers) {
            switch answer {
            case .refused(let code), .unknown(let code):
                violate(.liveness, "after all faults, \(command.shown) got \(code)")
            default: break
            }
        }
    }

    func clientLeaves(_ exchange: ExchangeID, _ nodeID: Int) {
        let client = Int(exchange.slot)
        guard let waiting = clients.clients[client].waiting, waiting.exchange == exchange else {
            return
        }
        let node = nodes[nodeID]
        finish(client, waiting, waiting.calls.map { _ in .unknown("client left") })
        node.abandoned += waiting.calls
        let core = client % node.cores.count
        post(
            .cancelled(exchange), to: node.place(core), .gateway, from: 1_000 + client,
            delay: 50_000)
        agenda.schedule(.clientActs(client), after: 1_000_000)
    }

    /// The node is gone: whoever waits for it learns nothing, and nothing of theirs can happen any
    /// more.
    func connectionsBreak(_ node: SimNode) {
        for client in clients.clients.indices {
            guard let waiting = clients.clients[client].waiting, waiting.node == node.id else {
                continue
            }
            finish(client, waiting, waiting.calls.map { _ in .unknown("connection broken") })
            agenda.schedule(.clientActs(client), after: 1_000_000)
        }
        // Of several nodes another one may have it.
        guard nodes.count == 1 else { return }
        for call in history.calls
        where call.settledAt == nil && call.node == node.id && call.answer?.isUnknown == true {
            history.settle(call.id, at: agenda.now)
        }
    }

    /// Notes which unknown outcomes can change nothing from now on.
    func settle(_ node: SimNode) {
        // What a failing disk was given may come to light at the next start.
        guard node.disk.failure == nil, nodes.count == 1 else { return }
        while let first = node.unsettled.first, first.through <= node.applied {
            history.settle(first.call, at: agenda.now)
            node.unsettled.removeFirst()
        }
        if !node.abandoned.isEmpty, node.isIdle {
            for call in node.abandoned { history.settle(call, at: agenda.now) }
            node.abandoned = []
        }
    }
}

extension Answer {
    var isUnknown: Bool {
        if case .unknown = self { true } else { false }
    }
}

extension RawCommand {
    var isCount: Bool {
        if case .count = self { true } else { false }
    }

    /// Conditions that only header fields can carry.
    var hasListCondition: Bool {
        switch self {
        case .put(let put): put.condition.isList
        case .delete(let delete): delete.condition.isList || delete.condition == .absent
        default: false
        }
    }
}

extension RawCondition {
    fileprivate var isList: Bool {
        switch self {
        case .matchesNone, .presentMatchingNone: true
        case .none, .absent, .present, .matchesAny: false
        }
    }
}
