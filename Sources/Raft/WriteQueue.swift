/// What is on its way to a replica's disk, and what has arrived there.
///
/// Tokens are reported in order, each standing for all before it. Entries that were overwritten
/// while their write was on its way are struck out of that write's record: its completion then says
/// nothing about what stands at their index now (reliability.md rows 19 and 20).
internal import Base

struct WriteQueue: Sendable {
    private struct Record: Sendable {
        var token: DurabilityToken
        /// Empty when `first > last`.
        var first: LogIndex
        var last: LogIndex
        var hasHardState: Bool
    }

    /// Every entry up to here is on disk as the log has it.
    private(set) var durable: LogIndex
    /// Oldest first.
    private var records: [Record] = []
    private var nextNumber: UInt64 = 1

    // What this turn has changed and no write has taken up.
    private var hasHardState = false
    private var firstUnwritten: LogIndex?
    private var truncates = false
    private var snapshot: SnapshotIdentity?

    init(durable: LogIndex) { self.durable = durable }

    /// The write that this turn will end with.
    var nextToken: DurabilityToken { DurabilityToken(number: nextNumber) }
    private var isDirty: Bool { hasHardState || firstUnwritten != nil }

    mutating func hardStateChanged() { hasHardState = true }

    mutating func appended(from index: LogIndex) {
        firstUnwritten = min(firstUnwritten ?? index, index)
    }

    /// The log was cut before `index`, to be written anew from there.
    mutating func truncated(from index: LogIndex, isForgotten: Bool = true) {
        truncates = truncates || index <= (records.last?.last ?? 0) || index <= durable
        if isForgotten { forget(from: index) }
        firstUnwritten = min(firstUnwritten ?? index, index)
    }

    /// A snapshot takes the place of everything; up to `kept` nothing changes by it.
    mutating func replaced(by snapshot: SnapshotIdentity, kept: LogIndex) {
        forget(from: kept + 1)
        self.snapshot = snapshot
        firstUnwritten = snapshot.position.index
        truncates = true
    }

    private mutating func forget(from index: LogIndex) {
        durable = min(durable, index - 1)
        for place in records.indices { records[place].last = min(records[place].last, index - 1) }
    }

    /// When everything up to `index` will be on disk; nil if it is.
    func token(through index: LogIndex) -> DurabilityToken? {
        guard index > durable else { return nil }
        if let firstUnwritten, firstUnwritten <= index { return nextToken }
        return records.last { $0.first <= index && $0.first <= $0.last }?.token
    }

    /// When the term and the vote will be on disk; nil if they are.
    var hardStateToken: DurabilityToken? {
        hasHardState ? nextToken : records.last { $0.hasHardState }?.token
    }

    /// When everything will be on disk.
    var lastToken: DurabilityToken? { isDirty ? nextToken : records.last?.token }

    /// This turn's write, if it needs one.
    mutating func takeWrite(_ trail: LogTrail, _ hardState: HardState) -> LogWrite? {
        guard isDirty else { return nil }
        let token = nextToken
        nextNumber += 1
        let last = trail.lastIndex
        let first = firstUnwritten ?? last + 1
        let firstIndex = snapshot == nil ? first : first + 1
        let write = LogWrite(
            token: token, hardState: hasHardState ? hardState : nil, snapshot: snapshot,
            firstIndex: firstIndex, entries: trail.entries(from: firstIndex), truncates: truncates)
        records.append(
            Record(token: token, first: first, last: last, hasHardState: hasHardState))
        hasHardState = false
        firstUnwritten = nil
        truncates = false
        snapshot = nil
        return write
    }

    mutating func completed(_ token: DurabilityToken) {
        invariant(token < nextToken, "only what was handed to the disk comes back from it")
        let done = records.prefix { $0.token <= token }
        for record in done where record.first <= record.last { durable = max(durable, record.last) }
        records.removeFirst(done.count)
    }
}
