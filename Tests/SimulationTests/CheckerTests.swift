// Each checker of a history on a bad one, written by hand, and on the good one beside it: a checker
// that cannot fail proves nothing.
import Base
import Regions
import Simulation
import Testing

/// A history as a table: who asked what from when to when, in milliseconds, and was told what.
private struct Story {
    private(set) var calls: [Call] = []

    mutating func add(
        _ request: Int, _ times: ClosedRange<UInt64>, scan: Int? = nil, _ command: RawCommand,
        _ answer: Answer
    ) {
        calls.append(
            Call(
                id: calls.count, client: request, request: request, scan: scan, command,
                from: Story.at(times.lowerBound), to: Story.at(times.upperBound), answer,
                settledAt: Story.at(times.upperBound)))
    }

    static func at(_ milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: (milliseconds + 1) * 1_000_000)
    }

    var checkers: Set<CheckerName> {
        Set(HistoryCheckers(calls: calls).violations().violations.map(\.checker))
    }
}

private func bytes(_ text: String) -> Bytes { Bytes(text.utf8) }

private func put(_ key: String, _ value: String, ttl: UInt64? = nil) -> RawCommand {
    .put(RawPut(key: Key(utf8: key), value: bytes(value), timeToLive: ttl))
}

private func get(_ key: String) -> RawCommand { .get(Key(utf8: key)) }

private func saw(_ value: String?, until: UInt64? = nil) -> Answer {
    let expiresAt = until.map { WallTime(milliseconds: $0) }
    return .read(value.map { .value(bytes($0), expiresAt: expiresAt) } ?? .absent)
}

private let done = Answer.written(previous: nil)
private let everything = RawCommand.deleteRange(.all, dryRun: false)

@Suite struct CheckerTests {
    @Test(arguments: [("2", true), ("1", false), (nil, false)] as [(String?, Bool)])
    func linearizability(seen: String?, isGood: Bool) {
        var story = Story()
        story.add(1, 0...1, put("a", "1"), done)
        story.add(2, 2...3, put("a", "2"), done)
        story.add(3, 4...5, get("a"), saw(seen))
        #expect(story.checkers == (isGood ? [] : [.linearizability]))
    }

    /// Two that swap one value for another cannot both win.
    @Test func linearizabilityOfConditions() {
        func swap(_ value: String) -> RawCommand {
            .compareAndSwap(
                RawCompareAndSwap(
                    key: Key(utf8: "a"), expected: bytes("1"),
                    replacement: .put(bytes(value), timeToLive: nil)))
        }
        var story = Story()
        story.add(1, 0...1, put("a", "1"), done)
        story.add(2, 2...9, swap("2"), .swapped)
        #expect(story.checkers.isEmpty)
        story.add(3, 2...9, swap("3"), .swapped)
        #expect(story.checkers == [.linearizability])
    }

    /// An unknown outcome may have come about or not, but not come and go.
    @Test func linearizabilityOfWhatIsUnknown() {
        var story = Story()
        story.add(1, 0...1, put("a", "1"), .unknown("outcome_unknown"))
        story.add(2, 2...3, get("a"), saw("1"))
        #expect(story.checkers.isEmpty)
        story.add(3, 4...5, get("a"), saw(nil))
        #expect(story.checkers == [.linearizability])
    }

    /// In one request, neighbouring reads of one key may not go back.
    @Test(arguments: [(["1", "2"], true), (["2", "1"], false)])
    func linearizabilityWithinARequest(seen: [String], isGood: Bool) {
        var story = Story()
        story.add(1, 0...1, put("a", "1"), done)
        story.add(2, 2...8, get("a"), saw(seen[0]))
        story.add(2, 2...8, get("a"), saw(seen[1]))
        story.add(3, 3...4, put("a", "2"), done)
        #expect(!story.checkers.contains(.linearizability) == isGood)
    }

    /// In one request, a read may not go back behind what one of another key saw.
    @Test(arguments: [("1", "1", true), ("1", "2", true), ("2", "2", true), ("2", "1", false)])
    func order(first: String, second: String, isGood: Bool) {
        var story = Story()
        story.add(1, 0...1, put("a", "a1"), done)
        story.add(1, 0...1, put("b", "b1"), done)
        story.add(2, 2...9, get("b"), saw("b" + first))
        story.add(2, 2...9, get("a"), saw("a" + second))
        story.add(3, 3...4, put("a", "a2"), done)
        story.add(3, 5...6, put("b", "b2"), done)
        #expect(story.checkers == (isGood ? [] : [.order]))
    }

    @Test func expiry() {
        var story = Story()
        story.add(1, 0...10, put("a", "1", ttl: 1), done)
        story.add(2, 20...21, get("a"), saw("1", until: 1_005))
        #expect(story.checkers.isEmpty)
        var changed = story
        changed.add(3, 30...31, get("a"), saw("1", until: 1_006))
        #expect(changed.checkers == [.expiry], "another expiry in another answer")
        var late = story
        late.add(3, 1_100...1_101, get("a"), saw("1", until: 1_005))
        #expect(late.checkers.contains(.expiry), "shown after its expiry")
        story.add(3, 1_100...1_101, get("a"), saw(nil))
        #expect(story.checkers.isEmpty)
    }

    @Test(arguments: [
        (["a", "b"], true), (["b"], false), (["b", "a"], false), (["a", "a", "b"], false),
        (["a", "b", "z"], false),
    ])
    func scans(keys: [String], isGood: Bool) {
        let scan = RawScan(range: KeyRange(start: Key(utf8: "a"), end: Key(utf8: "c")), limit: 2)
        var story = Story()
        for key in ["a", "b", "z"] { story.add(1, 0...1, put(key, "of \(key)"), done) }
        let entries = keys.map {
            PageEntry(key: Key(utf8: $0), value: bytes("of \($0)"), expiresAt: nil)
        }
        story.add(2, 2...3, scan: 1, .scan(scan), .page(entries, cursor: nil))
        #expect(story.checkers.contains(.scans) == !isGood)
    }

    @Test(arguments: [(1, false), (2, true), (3, false)])
    func counts(count: Int, isGood: Bool) {
        var story = Story()
        for key in ["a", "b"] { story.add(1, 0...1, put(key, "of \(key)"), done) }
        story.add(2, 2...3, .count(.all), .counted(count))
        #expect(story.checkers == (isGood ? [] : [.counts]))
    }

    /// Values that nobody wrote, or that were written to another key.
    @Test func strangers() {
        var story = Story()
        story.add(1, 0...1, put("a", "1"), done)
        story.add(2, 2...3, get("b"), saw("1"))
        #expect(story.checkers.contains(.atomicity))
    }

    @Test(
        arguments: [("2", true), ("1", false), (nil, false), ("3", true), ("4", false)]
            as [(String?, Bool)])
    func durability(stored: String?, isGood: Bool) {
        var story = Story()
        story.add(1, 0...1, put("a", "1"), done)
        story.add(2, 2...3, put("a", "2"), done)
        story.add(3, 4...9, put("a", "3"), .unknown("connection broken"))
        story.add(4, 4...5, put("a", "4"), .refused("disk_full"))
        let found = HistoryCheckers.afterCrash(
            calls: story.calls, stored: stored.map { [Key(utf8: "a"): bytes($0)] } ?? [:],
            crashedAt: Story.at(9))
        #expect(found.map(\.checker) == (isGood ? [] : [.durability]))
    }

    @Test(
        arguments: [([], true), (["a", "b"], true), (["a"], false), (["b"], false)]
            as [([String], Bool)])
    func atomicity(left: [String], isGood: Bool) {
        var story = Story()
        for key in ["a", "b"] { story.add(1, 0...1, put(key, "of \(key)"), done) }
        story.add(2, 4...9, everything, .unknown("connection broken"))
        let stored = left.map { (Key(utf8: $0), bytes("of \($0)")) }
        let found = HistoryCheckers.afterCrash(
            calls: story.calls, stored: Dictionary(uniqueKeysWithValues: stored),
            crashedAt: Story.at(9))
        #expect(found.map(\.checker) == (isGood ? [] : [.atomicity]))
    }
}
