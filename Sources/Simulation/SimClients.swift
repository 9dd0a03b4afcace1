/// The clients of a world: each has one request under way at most, on a connection to one core.
internal import API
internal import Base
internal import Regions

struct SimClients {
    struct Waiting {
        var exchange: ExchangeID
        var node: Int
        var calls: Range<Int>
        var commands: [RawCommand]
        var lane: Lane
    }

    /// A scan between two of its pages.
    struct ScanUnderWay {
        var id: Int
        var scan: RawScan
        var cursor: Bytes?
    }

    struct Client {
        var waiting: Waiting?
        var scan: ScanUnderWay?
        var script: [ScriptStep]?
        var nextStream: Int32 = 1
        /// The only one that it asks.
        var node: Int?
        /// The last of its own, and the version that its answer told.
        var lastWrite: (call: Int, version: UInt64)?
    }

    var generator: SeededGenerator
    /// For what reads ask.
    var asks: SeededGenerator
    var workload: Workload
    var clients: [Client]
    let count: Int
    private var nextScan = 0
    /// How often a node has answered each exchange.
    var answerCounts: [ExchangeID: Int] = [:]

    init(
        shape: Shape, script: [[ScriptStep]]?, generator: SeededGenerator, asks: SeededGenerator
    ) {
        self.generator = generator
        self.asks = asks
        workload = Workload(shape: shape)
        if let script {
            clients = script.map { Client(script: $0) }
        } else {
            clients = Array(repeating: Client(), count: shape.clients)
        }
        count = clients.count
        clients.append(Client(script: []))
    }

    /// The one that looks at everything when the faults are over.
    var verifier: Int { count }

    /// Whether no client waits, and none has something of a script or of a scan left.
    var areDone: Bool {
        clients.allSatisfy {
            $0.waiting == nil && $0.scan == nil && $0.script?.isEmpty != false
        }
    }

    func isFree(_ client: Int) -> Bool {
        let client = clients[client]
        return client.waiting == nil && client.scan == nil && client.script?.isEmpty == true
    }

    mutating func asks(_ client: Int, _ commands: [RawCommand], at node: Int) {
        clients[client].node = node
        clients[client].script = [ScriptStep(commands: commands)]
    }

    mutating func beginVerification() {
        clients[verifier].script = workload.verification()
    }

    /// The next request of a client: commands, which scan they go on with, and its cursor.
    mutating func next(
        _ client: Int, mayBegin: Bool
    ) -> (commands: [RawCommand], scan: Int?, cursor: Bytes?)? {
        if let scan = clients[client].scan {
            return ([.scan(scan.scan)], scan.id, scan.cursor)
        }
        let commands: [RawCommand]
        if clients[client].script != nil {
            guard clients[client].script?.isEmpty == false,
                let step = clients[client].script?.removeFirst()
            else { return nil }
            commands = step.commands
        } else {
            guard mayBegin else { return nil }
            commands = workload.draw(&generator)
        }
        guard commands.count == 1, case .scan(let scan) = commands[0] else {
            return (commands, nil, nil)
        }
        nextScan += 1
        clients[client].scan = ScanUnderWay(id: nextScan, scan: scan, cursor: nil)
        return (commands, nextScan, nil)
    }

    mutating func exchange(of client: Int, incarnation: Int) -> ExchangeID {
        let stream = clients[client].nextStream
        clients[client].nextStream += 2
        return ExchangeID(
            slot: UInt32(client), generation: UInt32(incarnation), stream: stream)
    }

    /// Notes what was learnt: for the board, and where a scan goes on.
    mutating func learn(_ client: Int, _ commands: [RawCommand], _ answers: [Answer]) {
        for (command, answer) in zip(commands, answers) {
            switch (command, answer) {
            case (.get(let key), .read(let seen)): workload.learn(key, seen)
            case (.put(let put), .written):
                workload.learn(put.key, .value(put.value, expiresAt: nil))
            case (.delete(let delete), .deleted): workload.learn(delete.key, .absent)
            case (.compareAndSwap(let swap), .notSwapped(let seen)): workload.learn(swap.key, seen)
            case (.compareAndSwap(let swap), .swapped):
                if case .put(let value, _) = swap.replacement {
                    workload.learn(swap.key, .value(value, expiresAt: nil))
                } else {
                    workload.learn(swap.key, .absent)
                }
            default: break
            }
        }
        guard case .page(let entries, let cursor)? = answers.first,
            case .scan(var scan)? = commands.first
        else {
            clients[client].scan = nil
            return
        }
        guard let cursor, let last = entries.last?.key, let id = clients[client].scan?.id else {
            clients[client].scan = nil
            return
        }
        if scan.reverse { scan.range.end = last } else { scan.range.start = last.successor }
        clients[client].scan = ScanUnderWay(id: id, scan: scan, cursor: cursor)
    }
}
