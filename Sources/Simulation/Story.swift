/// Stories: a cluster of whole nodes is told what to do, line by line, and below each line stands
/// what whoever looks on can see: who leads, what clients hear, what becomes of the members.
///
///     cluster 3 spare 1      stores 1 to 3 begin, 4 is empty; `set NAME N` before it
///     lead 2                 leadership is handed on until store 2 has it
///     await leader 2 3       until one of those serves; without numbers: any
///     await answers          until every client has been answered
///     run 500 / run 80us     so much time passes
///     write a=1 at 2         a client asks node 2, as HTTP; also create (if absent), replace (if
///                            present), `swap a 1 2`, erase, read, and `scan at 2`
///     partition 1 | 2 3      nothing passes from one side to another
///     cut 1 > 2 / cut 1 2    nothing passes that way, or between them; `heal` mends all
///     crash 1 / start 1      power loss, and back; `pause 1` and `resume 1` stop it for a while
///     wipe 1                 it loses its disk and is another store from then on
///     add 4 at 1 / remove 2 at 1 / transfer 3 at 1       what an operator asks
///     flush 1                its data is on disk, and its log may be cut
///     status                 a line for each node
///
/// A chapter ends with everything mended: all have to come to one state, and all checkers speak.
/// It is the same world that seeds play in, without faults of its own; nodes count from 1 here.
internal import Base
internal import Node
internal import Raft
internal import Regions
internal import Storage

package struct Story {
    private var shape = Shape()
    private var world: World?
    private var lines: [String] = []
    private let bug: KnownBug?
    private let sink: ((CheckerName) -> Void)?
    /// Checkers that spoke.
    package private(set) var checkers: Set<CheckerName> = []

    private init(bug: KnownBug?, sink: ((CheckerName) -> Void)?) {
        self.bug = bug
        self.sink = sink
        shape.clients = 0
        shape.flushMilliseconds = 0
        shape.duration = .seconds(3_600)
        shape.electionMilliseconds = 300
    }

    /// Of the files, by what they tell of.
    package static let names = [
        "elections", "replication", "snapshots", "membership", "reads", "partitions",
    ]

    /// An empty line parts them; each has a cluster of its own.
    package static func chapters(of text: String) -> [String] {
        var chapters: [String] = [""]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty {
                if chapters.last != "" { chapters.append("") }
            } else {
                chapters[chapters.count - 1] += line + "\n"
            }
        }
        return chapters.filter { !$0.isEmpty }
    }

    /// The chapter anew: its lines at the margin, and under each what came of it.
    /// - Parameter sink: hears of every checker at once, should a bug end the chapter in a trap.
    package static func play(
        _ chapter: String, bug: KnownBug? = nil, sink: ((CheckerName) -> Void)? = nil
    ) -> (text: String, checkers: Set<CheckerName>) {
        var story = Story(bug: bug, sink: sink)
        for line in chapter.split(separator: "\n") where !line.hasPrefix(" ") {
            story.lines.append(String(line))
            let words = line.split(separator: " ").map(String.init)
            guard !line.hasPrefix("#") else { continue }
            if !story.play(words[0], Array(words.dropFirst())) {
                story.lines.append("  no such command")
            }
            story.collect()
        }
        story.end()
        return (story.lines.joined(separator: "\n"), story.checkers)
    }

    // MARK: Commands

    private mutating func play(_ verb: String, _ words: [String]) -> Bool {
        switch (verb, world) {
        case ("set", nil): return set(words[0], Int(words[1]) ?? 0)
        case ("cluster", nil):
            shape.nodes = Int(words[0]) ?? 1
            if words.count > 2, words[1] == "spare" { shape.spares = Int(words[2]) ?? 0 }
            begin()
            return true
        case (_, let world?):
            if let asked = StoryWords.commands(verb, words) {
                world.asks(asked.commands, at: asked.node)
                return true
            }
            return play(verb, words, in: world)
        default: return false
        }
    }

    private mutating func set(_ name: String, _ value: Int) -> Bool {
        switch name {
        case "election": shape.electionMilliseconds = Int64(value)
        case "log-bytes": shape.logBytesKept = value
        case "window-entries": shape.windowEntries = value
        case "network": shape.networkMicroseconds = UInt64(value)
        default: return false
        }
        return true
    }

    private mutating func begin() {
        var options = WorldOptions(seed: 1)
        bug?.switchOn(in: &options)
        options.shape = shape
        options.script = Array(repeating: [], count: 9)
        options.failpoints = []
        let world = World(options)
        world.isTold = true
        world.violationSink = sink
        world.begin()
        self.world = world
    }

    private func play(_ verb: String, _ words: [String], in world: World) -> Bool {
        let numbers = words.compactMap { Int($0) }
        let nodes = numbers.filter { (1...world.nodes.count).contains($0) }
            .map { world.nodes[$0 - 1] }
        switch verb {
        case "lead", "crash", "start", "pause", "resume", "wipe", "flush":
            guard let node = nodes.first else { return false }
            act(verb, node, in: world)
        case "add", "remove", "transfer":
            guard nodes.count == 2 else { return false }
            let store = nodes[0].store
            world.ask(
                verb == "add"
                    ? .add(store) : verb == "remove" ? .remove(store) : .transfer(to: store),
                of: nodes[1])
        case "run": world.passes(StoryWords.nanoseconds(words[0]))
        case "await" where words[0] == "leader": world.awaitsLeader(numbers.map { $0 - 1 })
        case "await": world.awaits("answers") { world.clients.areDone }
        case "partition": world.parts(words)
        case "cut": world.cuts(words)
        case "heal": world.network.heal()
        case "status": for node in world.nodes { world.told.append(StoryWords.status(node)) }
        default: return false
        }
        return true
    }

    private func act(_ verb: String, _ node: SimNode, in world: World) {
        switch verb {
        case "lead": world.leads(node)
        case "crash": world.crash(node)
        case "start": world.starts(node)
        case "pause": world.freeze(node, nanoseconds: 3_600_000_000_000)
        case "resume": for core in node.cores { world.resumes(node.place(core.index)) }
        case "wipe": world.wipe(node)
        default: world.flushes(node, node.incarnation)
        }
    }

    // MARK: What came of it

    private mutating func collect() {
        guard let world else { return }
        lines += world.told.map { "  " + $0 }
        world.told = []
    }

    private mutating func end() {
        guard let world else { return }
        world.isTold = false
        world.endsWell()
        for violation in world.violations { lines.append("  VIOLATION \(violation)") }
        checkers = Set(world.violations.map(\.checker))
    }
}
