/// What can be asked of the raw space, and what comes of it.
///
/// The raw space keeps no versions: the newest value of a key is all there is, and one replicated
/// write changes it. Commands name user keys; the rules put the space's prefix before them. The raw
/// space knows nothing of HTTP: `API` turns requests into these and outcomes into responses.
package import Base
package import Raft
package import Storage

/// A precondition on the value that a key has when its write is ordered (RFC 9110 §13).
package enum RawCondition: Hashable, Sendable {
    case none
    /// `If-None-Match: *`
    case absent
    /// `If-Match: *`
    case present
    /// `If-Match: "…", …`
    case matchesAny([Fingerprint])
    /// `If-None-Match: "…", …`
    case matchesNone([Fingerprint])
    /// `If-Match: *` and `If-None-Match: "…", …`
    case presentMatchingNone([Fingerprint])
}

package struct RawPut: Hashable, Sendable {
    package var key: Key
    package var value: Bytes
    /// Seconds from the moment the write is ordered; nil means for ever.
    package var timeToLive: UInt64?
    package var condition: RawCondition
    package var returnPrevious: Bool

    package init(
        key: Key, value: Bytes, timeToLive: UInt64? = nil, condition: RawCondition = .none,
        returnPrevious: Bool = false
    ) {
        self.key = key
        self.value = value
        self.timeToLive = timeToLive
        self.condition = condition
        self.returnPrevious = returnPrevious
    }
}

package struct RawDelete: Hashable, Sendable {
    package var key: Key
    package var condition: RawCondition
    package var returnPrevious: Bool

    package init(key: Key, condition: RawCondition = .none, returnPrevious: Bool = false) {
        self.key = key
        self.condition = condition
        self.returnPrevious = returnPrevious
    }
}

/// Replaces a value if it is exactly what the caller believes.
package struct RawCompareAndSwap: Hashable, Sendable {
    package enum Replacement: Hashable, Sendable {
        case put(Bytes, timeToLive: UInt64?)
        case delete
    }

    package var key: Key
    /// The value that must be there; nil means that the key must be absent.
    package var expected: Bytes?
    package var replacement: Replacement

    package init(key: Key, expected: Bytes?, replacement: Replacement) {
        self.key = key
        self.expected = expected
        self.replacement = replacement
    }
}

package struct RawScan: Hashable, Sendable {
    package var range: KeyRange
    package var reverse: Bool
    /// Entries and common prefixes at most: `1...Limits.entriesPerPage`.
    package var limit: Int
    package var keysOnly: Bool
    /// Keys that hold it after `prefixCount` bytes are folded into one common prefix, like folders.
    package var delimiter: Bytes?
    /// Bytes of each key in which the delimiter is not looked for.
    package var prefixCount: Int

    package init(
        range: KeyRange, reverse: Bool = false, limit: Int = Limits.entriesPerPageDefault,
        keysOnly: Bool = false, delimiter: Bytes? = nil, prefixCount: Int = 0
    ) {
        self.range = range
        self.reverse = reverse
        self.limit = limit
        self.keysOnly = keysOnly
        self.delimiter = delimiter
        self.prefixCount = prefixCount
    }
}

package enum RawCommand: Hashable, Sendable {
    case get(Key)
    case put(RawPut)
    case delete(RawDelete)
    // Indirect: else every get and put would be as large as the largest of all.
    indirect case compareAndSwap(RawCompareAndSwap)
    indirect case scan(RawScan)
    case count(KeyRange)
    /// With `dryRun` only counts what would go.
    case deleteRange(KeyRange, dryRun: Bool)

    package var isWrite: Bool {
        switch self {
        case .put, .delete, .compareAndSwap, .deleteRange(_, dryRun: false): true
        case .get, .scan, .count, .deleteRange(_, dryRun: true): false
        }
    }
}

/// A value as it was read.
package struct RawValue: Hashable, Sendable {
    package var value: Bytes
    package var expiresAt: WallTime?

    package init(value: Bytes, expiresAt: WallTime? = nil) {
        self.value = value
        self.expiresAt = expiresAt
    }
}

/// Why a command was not carried out. Nothing was written, except for `outcomeUnknown`.
package enum Refusal: Error, Hashable, Sendable {
    /// What can be full. The raw value is for people.
    package enum Resource: String, CaseIterable, Hashable, Sendable {
        case unsyncedWrites = "unsynced writes"
        case readerQueue = "reader queue"
        case peerRequests = "requests of other stores"
        case largeAnswers = "large answers"

        /// Frozen: dashboards and alerts name it.
        package var label: String {
            switch self {
            case .unsyncedWrites: "unsynced_writes"
            case .readerQueue: "reader_queue"
            case .peerRequests: "peer_requests"
            case .largeAnswers: "large_answers"
            }
        }
    }

    /// The store has too little space left for writes; deletes and reads go on.
    case diskFull(SpaceShortage)
    /// A bounded queue is full; the resource tells which.
    case overloaded(resource: Resource)
    /// The group has no leader here that may take the command; nothing was done.
    case noLeader
    /// The replica here may be older than a read allows, or has not come so far; the text says how
    /// it stands.
    case replicaTooStale(String)
    /// The replica here leads, and the read wants another; the store of one, if there is any.
    case notFollower(elsewhere: StoreID?)
    /// A read names a version that no answer can have told: the group is at this one.
    case versionUnknown(at: LogIndex)
    case deadlineExceeded
    /// More is stored in a range than one request may delete.
    case rangeTooLarge
    /// A read of a batch whose answer is as large already as one may become.
    case answerTooLarge
    /// The store has failed; a write that was in flight may or may not survive.
    case outcomeUnknown(String)
    /// A read met a failing or corrupt store.
    case storageFailed(String)
}

package enum RawOutcome: Hashable, Sendable {
    case found(RawValue)
    case missing
    /// `previous` only if asked for: nil inside means that the key was absent.
    case written(previous: RawValue?)
    case deleted(previous: RawValue?)
    /// The precondition did not hold; the fingerprint of what is there, nil if nothing is.
    case conditionFailed(actual: Fingerprint?)
    case swapped(previous: RawValue?)
    case notSwapped(previous: RawValue?)
    indirect case page(RawPage)
    case counted(Int)
    /// What a range holds for readers, and what it takes to delete it.
    case measured(live: Int, RangeWeight)
    case rangeDeleted(count: Int, dryRun: Bool)
    indirect case refused(Refusal)
}

extension RawOutcome {
    /// Bytes of keys and values that the outcome holds.
    package var byteCount: Int {
        switch self {
        case .found(let value): value.value.count
        case .page(let page): page.byteCount
        case .written(let previous), .deleted(let previous), .swapped(let previous),
            .notSwapped(let previous):
            previous?.value.count ?? 0
        case .missing, .conditionFailed, .counted, .measured, .rangeDeleted, .refused: 0
        }
    }

    /// The same without keys and values, for who asked where there is no room for them. What has
    /// changed nothing is refused; of a write whose previous value was wanted nobody may say that
    /// it failed.
    package var withoutBytes: RawOutcome {
        guard byteCount > 0 else { return self }
        switch self {
        case .written, .deleted, .swapped:
            return .refused(.outcomeUnknown("the answer found no room on its way back"))
        default: return .refused(.overloaded(resource: .peerRequests))
        }
    }
}
