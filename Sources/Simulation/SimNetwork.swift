/// What lies between the stores of a world: who reaches whom, how long it takes, what gets lost.
///
/// Two kinds of things travel. Raft's messages may be lost, doubled and overtaken. Requests and
/// answers go over connections, one for each pair and direction of asking: they arrive once at
/// most, and what is lost breaks its connection, as a stream does; both ends learn it a little
/// later. Between healthy stores nothing is lost.
internal import Base
internal import Node
internal import Raft
internal import Regions

/// From one node to another.
struct Link: Hashable, Sendable {
    var from: Int
    var to: Int
}

enum Cargo: Sendable {
    /// As bytes, so that every message of a world goes through its record.
    case raft(Bytes)
    /// Asked by `asker` over that connection.
    case request(Envelope, asker: Int, connection: UInt32, timeLeft: Duration)
    case answer(Envelope, asker: Int, connection: UInt32)
}

struct SimNetwork {
    /// Nothing passes there: each cut by its number, and all of them together.
    private var cuts: [Int: Set<Link>] = [:]
    private var cut: Set<Link> = []
    /// The number of the connection from the asker to the one who is asked.
    private var connections: [Link: UInt32] = [:]
    var isFaulty = true
    let shape: Shape
    var underWay = 0

    init(shape: Shape) { self.shape = shape }

    func passes(_ link: Link) -> Bool { !cut.contains(link) }

    func connection(_ link: Link) -> UInt32 { connections[link] ?? 1 }

    mutating func breakConnection(_ link: Link) { connections[link] = connection(link) + 1 }

    mutating func add(_ links: Set<Link>, as number: Int) {
        cuts[number] = links
        cut.formUnion(links)
    }

    /// Whether nothing is cut from now on; nil: there was no such cut any more.
    mutating func mend(_ number: Int) -> Bool? {
        guard cuts.removeValue(forKey: number) != nil else { return nil }
        cut = cuts.values.reduce(into: []) { $0.formUnion($1) }
        return cut.isEmpty
    }

    mutating func heal() {
        cuts = [:]
        cut = []
        isFaulty = false
    }

    func isLost(_ generator: inout SeededGenerator) -> Bool {
        isFaulty && shape.lossOfThousand > 0 && generator.chance(shape.lossOfThousand, in: 1_000)
    }

    func isDoubled(_ generator: inout SeededGenerator) -> Bool {
        isFaulty && shape.doubledOfThousand > 0
            && generator.chance(shape.doubledOfThousand, in: 1_000)
    }

    /// Nanoseconds; now and then a hundred times as long, so that later ones overtake.
    func delay(_ generator: inout SeededGenerator) -> UInt64 {
        let usual = 1_000 + generator.next() % (shape.networkMicroseconds * 1_000)
        let isSlow = isFaulty && shape.slowEvery > 0 && generator.chance(1, in: shape.slowEvery)
        return usual * (isSlow ? 100 : 1)
    }

    // MARK: Partitions

    /// A cut of some shape between that many nodes, half of the time around whoever leads.
    static func drawnCut(
        _ nodes: Int, leader: Int?, _ generator: inout SeededGenerator
    ) -> Set<Link> {
        let all = (0..<nodes).flatMap { a in
            (0..<nodes).filter { $0 != a }.map { Link(from: a, to: $0) }
        }
        let drawn = Int(generator.next() % UInt64(nodes))
        let one = generator.chance(1, in: 2) ? leader ?? drawn : drawn
        let other = (one + 1 + Int(generator.next() % UInt64(nodes - 1))) % nodes
        switch generator.next() % 6 {
        case 0:  // one alone
            return Set(all.filter { $0.from == one || $0.to == one })
        case 1:  // two sides
            let side = (0..<nodes).map { _ in generator.chance(1, in: 2) }
            return Set(all.filter { side[$0.from] != side[$0.to] })
        case 2:  // between two that both reach the others
            return [Link(from: one, to: other), Link(from: other, to: one)]
        case 3:  // one way
            return [Link(from: one, to: other)]
        case 4:  // heard by nobody
            return Set(all.filter { $0.from == one })
        default:  // hears nobody
            return Set(all.filter { $0.to == one })
        }
    }
}
