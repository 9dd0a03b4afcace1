/// Every name that a query parameter or a member of a request's body can have: one vocabulary for
/// both lanes, so that what a scan prints can be pasted into a batch.
private import Base

package enum FieldName: UInt8, CaseIterable, Hashable, Sendable {
    case key, keyBase64
    case value, valueBase64
    case prefix, prefixBase64
    case start, startBase64
    case end, endBase64
    case delimiter, delimiterBase64
    case previousValue, previousValueBase64
    case previousAbsent
    case delete
    case all
    case dryRun
    case limit
    case cursor
    case reverse
    case keysOnly
    case timeToLive
    case ifEntityTag
    case ifAbsent
    case returnPrevious
    case encoding
    case pretty
    case verbose
    case operation
    case operations
    case actions
    case address
    case storeID
    case nonce
    case consistency
    case stalenessMax
    case replica
    case versionMin
    case timeout

    package var text: String {
        switch self {
        case .key: "key"
        case .keyBase64: "key_base64"
        case .value: "value"
        case .valueBase64: "value_base64"
        case .prefix: "prefix"
        case .prefixBase64: "prefix_base64"
        case .start: "start"
        case .startBase64: "start_base64"
        case .end: "end"
        case .endBase64: "end_base64"
        case .delimiter: "delimiter"
        case .delimiterBase64: "delimiter_base64"
        case .previousValue: "previous_value"
        case .previousValueBase64: "previous_value_base64"
        case .previousAbsent: "previous_absent"
        case .delete: "delete"
        case .all: "all"
        case .dryRun: "dry_run"
        case .limit: "limit"
        case .cursor: "cursor"
        case .reverse: "reverse"
        case .keysOnly: "keys_only"
        case .timeToLive: "ttl_seconds"
        case .ifEntityTag: "if_etag"
        case .ifAbsent: "if_absent"
        case .returnPrevious: "return_previous"
        case .encoding: "encoding"
        case .pretty: "pretty"
        case .verbose: "verbose"
        case .operation: "op"
        case .operations: "ops"
        case .actions: "actions"
        case .address: "address"
        case .storeID: "store_id"
        case .nonce: "nonce"
        case .consistency: "consistency"
        case .stalenessMax: "max_staleness_seconds"
        case .replica: "replica"
        case .versionMin: "min_version"
        case .timeout: "timeout_ms"
        }
    }

    /// The name with `_base64`, for names that have one.
    var twin: FieldName? {
        switch self {
        case .key: .keyBase64
        case .value: .valueBase64
        case .prefix: .prefixBase64
        case .start: .startBase64
        case .end: .endBase64
        case .delimiter: .delimiterBase64
        case .previousValue: .previousValueBase64
        default: nil
        }
    }

    /// Count and first eight bytes of each name, by raw value.
    private static let signatures: [(count: Int, head: UInt64)] = allCases.map { name in
        let text = Bytes(name.text.utf8)
        return (text.count, text.withUnsafeBytes { head($0) })
    }

    private static func head(_ text: UnsafeRawBufferPointer) -> UInt64 {
        var word: UInt64 = 0
        for byte in text.prefix(8) { word = word << 8 | UInt64(byte) }
        return word
    }

    // Hot path: for every member of every operation of a batch. Compares two integers per
    // candidate, and bytes only for the one that agrees in both.
    package init?(_ text: UnsafeRawBufferPointer) {
        let wanted = Self.head(text)
        for (raw, signature) in Self.signatures.enumerated()
        where signature.head == wanted && signature.count == text.count {
            let name = Self.allCases[raw]
            if text.count <= 8 || name.text.utf8.elementsEqual(text) {
                self = name
                return
            }
        }
        return nil
    }
}

/// A set of names in one word.
struct FieldNames: OptionSet, Sendable {
    var rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(_ names: FieldName...) {
        rawValue = names.reduce(0) { $0 | 1 << UInt64($1.rawValue) }
    }

    func contains(_ name: FieldName) -> Bool { rawValue & 1 << UInt64(name.rawValue) != 0 }

    mutating func insert(_ name: FieldName) { rawValue |= 1 << UInt64(name.rawValue) }

    var names: [FieldName] { FieldName.allCases.filter { contains($0) } }
}
