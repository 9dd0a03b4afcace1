/// A random history over one subject, all drawn from one seed.
internal import Base
internal import Storage

struct RandomHistory {
    private static let viewsHeldMax = 6

    private var generator: SeededGenerator
    private var model = Model()
    private var held: [(Model, any EngineView)] = []

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func step(_ subject: any EngineSubject) throws {
        switch UInt64.random(in: 0..<100, using: &generator) {
        case 0..<55: try write(subject)
        case 55..<65: held.append((model, subject.engine.view()))
        case 65..<70: if !held.isEmpty { held.removeFirst() }
        case 70..<72:
            let mayReopen = generator.chance(1, in: 2)
            if mayReopen { held.removeAll() }
            try subject.disturb(generator.next(), mayReopen: mayReopen)
        default: break
        }
        if held.count > Self.viewsHeldMax { held.removeFirst() }
        try read(subject)
    }

    private mutating func write(_ subject: any EngineSubject) throws {
        var count = Int.random(in: 1...6, using: &generator)
        if generator.chance(1, in: 50) { count = 300 }
        let writes = (0..<count).map { _ in makeWrite() }
        model.apply(writes)
        try subject.engine.write(writes.batch, sync: generator.chance(1, in: 4))
    }

    private mutating func read(_ subject: any EngineSubject) throws {
        let pick = Int.random(in: 0...held.count, using: &generator)
        let (expected, view) =
            pick < held.count ? held[pick] : (model, subject.engine.view())
        let comparison = Comparison(expected, view, pick < held.count ? "held view" : "new view")
        let tier: ReadTier = generator.chance(1, in: 3) ? .cached : .disk
        for _ in 0..<3 {
            try comparison.checkGet(makeFamily(), makeKey(), tier)
        }
        try Comparison(model, view, "newest").checkGet(
            subject.engine, makeFamily(), makeKey(), tier)
        try comparison.checkScan(
            makeFamily(), from: makeKey(), to: generator.chance(1, in: 4) ? nil : makeKey(),
            reverse: generator.chance(1, in: 2),
            stopAfter: generator.chance(1, in: 3) ? Int.random(in: 1...20, using: &generator) : nil,
            tier)
    }

    private mutating func makeWrite() -> ModelWrite {
        let family = makeFamily()
        switch UInt64.random(in: 0..<20, using: &generator) {
        case 0..<13: return .put(family, makeKey(), makeValue())
        case 13..<18: return .delete(family, makeKey())
        default:
            let start = makeKey()
            let end = makeKey()
            guard generator.chance(9, in: 10), start != end else {
                return .deleteRange(family, from: start, to: nil)
            }
            return start.lexicographicallyPrecedes(end)
                ? .deleteRange(family, from: start, to: end)
                : .deleteRange(family, from: end, to: start)
        }
    }

    private mutating func makeFamily() -> ColumnFamily { generator.chance(1, in: 5) ? .meta : .raw }

    /// Few enough to meet again, with the bytes at both ends of the order, and now and then a long
    /// one.
    private mutating func makeKey() -> Bytes {
        let alphabet: Bytes = [0x00, 0x01, 0x61, 0xFE, 0xFF]
        if generator.chance(1, in: 40) {
            return Bytes(repeating: alphabet.randomElement(using: &generator) ?? 0, count: 4096)
        }
        let count = Int.random(in: 0...4, using: &generator)
        return (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
    }

    private mutating func makeValue() -> Bytes {
        switch UInt64.random(in: 0..<200, using: &generator) {
        case 0..<40: return []
        case 40..<198:
            let byte = UInt8.random(in: 0...255, using: &generator)
            return Bytes(repeating: byte, count: Int.random(in: 1...40, using: &generator))
        default: return Bytes(repeating: 0x5A, count: 100_000)
        }
    }
}
