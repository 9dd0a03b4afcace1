/// Raw reads over an engine: plain functions that run on an event loop when memory has the answer
/// and on a reader thread when it does not, and give the same answer on every engine.
package import Base
package import Storage

package enum RawRead: Hashable, Sendable {
    case get(Key)
    indirect case scan(RawScan)
    case count(KeyRange)
    /// Measures as well, and is refused if more is stored than one request may delete.
    case countForDelete(KeyRange)

    /// Entries between two looks at whether anyone still waits: some tens of microseconds.
    private static let visitsPerLook = 256

    /// The answer as of `wall`; nil only with `.cached`, if memory does not have it all.
    ///
    /// - Parameters:
    ///   - view: what to read; nil for the newest that the engine has.
    ///   - isWanted: asked at the start and now and then; once it is false the read ends with
    ///     `deadlineExceeded`.
    package func run(
        on engine: any KeyValueEngine, _ view: (any EngineView)? = nil, at wall: WallTime,
        tier: ReadTier, isWanted: () -> Bool = { true }
    ) throws(StorageError) -> RawOutcome? {
        guard isWanted() else { return .refused(.deadlineExceeded) }
        switch self {
        case .get(let key):
            // Hot path: every raw GET, which needs no view of its own.
            let lookup =
                if let view {
                    try view.get(.raw, RawSpace.key(key), tier: tier)
                } else {
                    try engine.get(.raw, RawSpace.key(key), tier: tier)
                }
            return try RawRead.outcome(of: key, lookup, at: wall)
        case .scan(let scan):
            let view = view ?? engine.view()
            return try RawRead.page(scan, of: view, at: wall, tier: tier, isWanted)
        case .count(let range):
            let view = view ?? engine.view()
            return try RawRead.count(range, of: view, at: wall, tier: tier, isWanted)
        case .countForDelete(let range):
            let view = view ?? engine.view()
            return try RawRead.countForDelete(range, of: view, at: wall, tier: tier, isWanted)
        }
    }

    /// A scan in the raw space; nil if it was given up because nobody waits for it.
    private static func scan(
        _ view: any EngineView, _ range: KeyRange, reverse: Bool = false, tier: ReadTier,
        _ isWanted: () -> Bool,
        _ visit: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> ScanStep
    ) throws(StorageError) -> ScanOutcome? {
        var visits = 0
        var isGivenUp = false
        let outcome = try view.scan(
            .raw, RawSpace.range(range), reverse: reverse, tier: tier
        ) { key, record in
            visits += 1
            if visits % visitsPerLook == 0, !isWanted() {
                isGivenUp = true
                return .stop
            }
            return visit(key, record)
        }
        return isGivenUp ? nil : outcome
    }

    private static func outcome(
        of key: Key, _ lookup: Lookup, at wall: WallTime
    ) throws(StorageError) -> RawOutcome? {
        switch lookup {
        case .missing: return .missing
        case .notCached: return nil
        case .found(let record):
            do {
                return try RawRecord.value(of: record, at: wall).map { .found($0) } ?? .missing
            } catch {
                throw .corrupt("raw key \(Fingerprint(of: key.bytes)): \(error)")
            }
        }
    }

    private static func count(
        _ range: KeyRange, of view: any EngineView, at wall: WallTime, tier: ReadTier,
        _ isWanted: () -> Bool
    ) throws(StorageError) -> RawOutcome? {
        guard !range.isEmpty else { return .counted(0) }
        var count = 0
        let outcome = try scan(view, range, tier: tier, isWanted) { _, record in
            if !RawRecord.isExpired(record, at: wall) { count += 1 }
            return .more
        }
        guard let outcome else { return .refused(.deadlineExceeded) }
        return outcome == .complete ? .counted(count) : nil
    }

    /// Expired keys are not counted in the answer, but do count for the limit: they are deleted
    /// like the others.
    private static func countForDelete(
        _ range: KeyRange, of view: any EngineView, at wall: WallTime, tier: ReadTier,
        _ isWanted: () -> Bool
    ) throws(StorageError) -> RawOutcome? {
        var live = 0
        var weight = RangeWeight.none
        guard !range.isEmpty else { return .measured(live: live, weight) }
        let outcome = try scan(view, range, tier: tier, isWanted) { key, record in
            weight.keys += 1
            weight.keyBytes += key.count
            if !RawRecord.isExpired(record, at: wall) { live += 1 }
            let isTooLarge =
                weight.keys > Limits.keysPerRangeDelete
                || weight.keyBytes > Limits.keyBytesPerRangeDelete
            return isTooLarge ? .stop : .more
        }
        switch outcome {
        case .complete: return .measured(live: live, weight)
        case .stopped: return .refused(.rangeTooLarge)
        case .notCached: return nil
        case nil: return .refused(.deadlineExceeded)
        }
    }

    /// One page. With a delimiter each folder costs one seek, however many keys it holds.
    private static func page(
        _ scan: RawScan, of view: any EngineView, at wall: WallTime, tier: ReadTier,
        _ isWanted: () -> Bool
    ) throws(StorageError) -> RawOutcome? {
        var page = RawPage()
        var range = scan.range
        var visitsLeft = tier == .cached ? Limits.entriesVisitedInline : .max
        let search = scan.delimiter.map { PatternSearch($0) }
        while !range.isEmpty {
            // A folder is one visit, so that the look between visits may never come.
            guard isWanted() else { return .refused(.deadlineExceeded) }
            var walk = PageWalk(
                scan: scan, search: search, page: page, wall: wall, visitsLeft: visitsLeft)
            let outcome = try RawRead.scan(
                view, range, reverse: scan.reverse, tier: tier, isWanted
            ) { key, record in walk.visit(RawSpace.userKey(key), record) }
            guard let outcome else { return .refused(.deadlineExceeded) }
            if let error = walk.error { throw error }
            page = walk.page
            visitsLeft = walk.visitsLeft
            if walk.isSpent { return nil }
            switch outcome {
            case .notCached: return nil
            case .complete: return .page(page)
            case .stopped: break
            }
            range = walk.rest(of: range)
            if walk.isFull {
                page.rest = range.isEmpty ? nil : range
                return .page(page)
            }
        }
        return .page(page)
    }
}

/// One seek's worth of a page: stops when the page is full, and at each folder, which the next seek
/// jumps over.
private struct PageWalk {
    let scan: RawScan
    /// For the delimiter.
    let search: PatternSearch?
    var page: RawPage
    let wall: WallTime
    private(set) var isFull = false
    private(set) var error: StorageError?
    /// Entries that may still be looked at, over all seeks of the page; an expired one costs as
    /// much as another.
    private(set) var visitsLeft: Int
    /// There would have been more to look at.
    private(set) var isSpent = false
    private var last: Key?
    private var folder: Key?

    init(
        scan: RawScan, search: PatternSearch?, page: RawPage, wall: WallTime, visitsLeft: Int
    ) {
        self.scan = scan
        self.search = search
        self.page = page
        self.wall = wall
        self.visitsLeft = visitsLeft
    }

    mutating func visit(
        _ key: UnsafeRawBufferPointer, _ record: UnsafeRawBufferPointer
    ) -> ScanStep {
        guard visitsLeft > 0 else {
            isSpent = true
            return .stop
        }
        visitsLeft -= 1
        let valueCount: Int
        let expiresAt: WallTime?
        do {
            (valueCount, expiresAt) = try RawRecord.decode(record)
        } catch {
            self.error = .corrupt("raw key \(Fingerprint(of: key)): \(error)")
            return .stop
        }
        if let expiresAt, expiresAt <= wall { return .more }
        if let folder = folder(of: key) {
            self.folder = folder
            page.append(commonPrefix: folder)
            isFull = page.count >= scan.limit
            return .stop
        }
        let bytes = key.count + (scan.keysOnly ? 0 : valueCount)
        if page.count > 0, page.byteCount + bytes > Limits.bytesPerPage {
            isFull = true
            return .stop
        }
        let value = UnsafeRawBufferPointer(rebasing: record[..<(scan.keysOnly ? 0 : valueCount)])
        page.append(key: key, value: value, expiresAt: expiresAt)
        guard page.count >= scan.limit else {
            last = nil
            return .more
        }
        isFull = true
        last = Key(Bytes(key))
        return .stop
    }

    /// What is left of the range after a stop: behind the folder or behind the page's last entry.
    func rest(of range: KeyRange) -> KeyRange {
        var rest = range
        if let folder {
            if scan.reverse {
                rest.end = folder
            } else if let next = folder.prefixSuccessor {
                rest.start = max(range.start, next)
            } else {
                rest = KeyRange(start: folder, end: folder)
            }
        } else if let last = last ?? lastOnPage {
            // Clamped: the page's last entry may stand before a folder that this seek has jumped
            // over.
            if scan.reverse {
                rest.end = rest.end.map { min($0, last) } ?? last
            } else {
                rest.start = max(range.start, last.successor)
            }
        }
        return rest
    }

    private var lastOnPage: Key? {
        page.entries.last.map { Key(Bytes(page.arena[$0.key])) }
    }

    private func folder(of key: UnsafeRawBufferPointer) -> Key? {
        let end = search?.firstEnd(in: key, from: scan.prefixCount)
        return end.map { Key(Bytes(key[..<$0])) }
    }
}
