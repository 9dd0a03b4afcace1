/// Compares a view, or the newest state of an engine, with the model.
package import Base
package import Storage

package struct Comparison {
    private let model: Model
    private let view: any EngineView
    private let context: String

    package init(_ model: Model, _ view: any EngineView, _ context: String) {
        self.model = model
        self.view = view
        self.context = context
    }

    /// Every family in both directions, every bound made of `keys`, and a get of each.
    package func checkWhole(keys: [Bytes]) throws {
        for family in ColumnFamily.allCases {
            for key in keys { try checkGet(family, key, .disk) }
            for reverse in [false, true] {
                try checkScan(family, from: [], to: nil, reverse: reverse, stopAfter: nil, .disk)
                for start in keys {
                    for end in keys {
                        try checkScan(
                            family, from: start, to: end, reverse: reverse, stopAfter: nil, .disk)
                    }
                }
            }
        }
    }

    package func checkGet(_ family: ColumnFamily, _ key: Bytes, _ tier: ReadTier) throws {
        try check(view.get(family, Key(key), tier: tier), family, key, tier, "view.get")
    }

    package func checkGet(
        _ engine: any KeyValueEngine, _ family: ColumnFamily, _ key: Bytes, _ tier: ReadTier
    ) throws {
        try check(engine.get(family, Key(key), tier: tier), family, key, tier, "engine.get")
    }

    private func check(
        _ answer: Lookup, _ family: ColumnFamily, _ key: Bytes, _ tier: ReadTier, _ verb: String
    ) throws {
        let expected = model[family][key].map(Lookup.found) ?? .missing
        if answer == expected || (answer == .notCached && tier == .cached) { return }
        throw EngineMismatch(
            "\(context): \(verb)(\(family), \(brief(key)), \(tier)) gave \(brief(answer)), "
                + "expected \(brief(expected))")
    }

    package func checkScan(
        _ family: ColumnFamily, from start: Bytes, to end: Bytes?, reverse: Bool, stopAfter: Int?,
        _ tier: ReadTier
    ) throws {
        let all = model.entries(family, from: start, to: end, reverse: reverse)
        var seen: [Model.Entry] = []
        let range = KeyRange(start: Key(start), end: end.map(Key.init))
        let outcome = try view.scan(family, range, reverse: reverse, tier: tier) { key, value in
            seen.append(Model.Entry(key: Bytes(key), value: Bytes(value)))
            return seen.count == stopAfter ? .stop : .more
        }
        let stops = stopAfter.map { $0 <= all.count } ?? false
        let expected = stops ? Array(all.prefix(stopAfter ?? 0)) : all
        let expectedOutcome: ScanOutcome = stops ? .stopped : .complete
        if seen == expected, outcome == expectedOutcome { return }
        if tier == .cached, outcome == .notCached, seen == Array(expected.prefix(seen.count)) {
            return
        }
        throw EngineMismatch(
            "\(context): scan(\(family), \(brief(start))..<\(end.map(brief) ?? "end"), reverse: "
                + "\(reverse), \(tier)) ended as \(outcome) with \(seen.map { brief($0.key) }), "
                + "expected \(expectedOutcome) with \(expected.map { brief($0.key) })")
    }

    private func brief(_ bytes: Bytes) -> String {
        bytes.count <= 8 ? "\(bytes)" : "\(bytes.prefix(8))… (\(bytes.count) bytes)"
    }

    private func brief(_ lookup: Lookup) -> String {
        guard case .found(let value) = lookup else { return "\(lookup)" }
        return "found(\(brief(value)))"
    }
}
