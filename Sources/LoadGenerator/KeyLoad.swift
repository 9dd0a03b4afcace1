/// Which keys are written before a run, and in which order keys inserted during it come to exist.

/// Hands out ranges of keys until all are written; a range whose request failed is handed out
/// again.
struct KeyLoad {
    /// Keys written by one batch request.
    static let batchEntries = 200
    /// Failures after which the server is not going to take the keys.
    static let failuresMax = 200

    private let keys: Int
    private let perRequest: Int
    private var next = 0
    private var again: [Range<Int>] = []
    private var failures = 0
    private(set) var keysDone = 0

    init(keys: Int, perRequest: Int) {
        self.keys = keys
        self.perRequest = perRequest
    }

    var isComplete: Bool { keysDone == keys }
    var hasMore: Bool { next < keys || !again.isEmpty }
    var isHopeless: Bool { failures > Self.failuresMax }

    /// Only if there is more.
    mutating func take() -> Range<Int> {
        if let range = again.popLast() { return range }
        let range = next..<min(next + perRequest, keys)
        next = range.upperBound
        return range
    }

    mutating func ended(_ range: Range<Int>, failed: Bool) {
        if failed {
            failures += 1
            again.append(range)
        } else {
            keysDone += range.count
        }
    }
}

/// Keys are inserted by many requests at once: a key may be read once it and all before it are
/// there.
struct InsertOrder {
    private var next: Int
    private var open: Set<Int> = []

    init(first: Int) { next = first }

    mutating func take() -> Int {
        defer { next += 1 }
        open.insert(next)
        return next
    }

    mutating func ended(_ key: Int) { open.remove(key) }

    /// Every key below this has been inserted, or its insertion failed.
    var allBelow: Int { open.min() ?? next }
}
