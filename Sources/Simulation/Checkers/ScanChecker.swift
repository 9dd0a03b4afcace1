/// Scans: entries in order and once each, within the bounds and the limit, and on some page every
/// key that was there from the first page's request to the last page's answer.
///
/// A raw cursor pins no snapshot, so nothing more is promised between two pages.
internal import Base
internal import Regions

struct ScanChecker {
    let history: History
    let presence: Presence

    func violations() -> [Violation] {
        var scans: [Int: [Call]] = [:]
        for call in history.calls {
            if let scan = call.scan { scans[scan, default: []].append(call) }
        }
        return scans.keys.sorted().flatMap { id in check(scans[id] ?? []) }
    }

    private func check(_ pages: [Call]) -> [Violation] {
        var messages: [String] = []
        var last: Key?
        var seen: [Key] = []
        var isComplete = false
        guard case .scan(let whole)? = pages.first?.command else { return [] }
        for call in pages {
            guard case .page(let entries, let cursor)? = call.answer,
                case .scan(let scan) = call.command
            else { break }
            if entries.count > scan.limit {
                messages.append("call \(call.id) has \(entries.count) of \(scan.limit) entries")
            }
            for entry in entries {
                if !whole.range.contains(entry.key) {
                    messages.append("call \(call.id) shows \(entry.key.shown), out of bounds")
                }
                if let last, scan.reverse ? entry.key >= last : entry.key <= last {
                    messages.append(
                        "call \(call.id) shows \(entry.key.shown) after \(last.shown)")
                }
                last = entry.key
                seen.append(entry.key)
            }
            isComplete = cursor == nil
        }
        if isComplete, let first = pages.first, let end = pages.last?.endedAt {
            for key in SimKeys.sorted where whole.range.contains(key) && !seen.contains(key) {
                if presence.isCertain(key, from: first.invokedAt, to: end, without: -1) {
                    messages.append(
                        "the scan of calls \(pages.map(\.id)) misses \(key.shown), "
                            + "which was there all the time")
                }
            }
        }
        return messages.map { Violation(checker: .scans, message: $0) }
    }
}

/// Counts: at least what was certainly there during the count, and at most what can have been.
struct CountChecker {
    let history: History
    let presence: Presence

    func violations() -> [Violation] {
        history.calls.compactMap { call in
            let range: KeyRange
            switch call.command {
            case .count(let asked), .deleteRange(let asked, _): range = asked
            default: return nil
            }
            guard let end = call.endedAt, let count = call.answer?.count else { return nil }
            let keys = SimKeys.sorted.filter { range.contains($0) }
            let certain = keys.filter {
                presence.isCertain($0, from: call.invokedAt, to: end, without: call.id)
            }
            let possible = keys.filter {
                !presence.isExcluded($0, from: call.invokedAt, to: end, without: call.id)
            }
            guard count < certain.count || count > possible.count else { return nil }
            return Violation(
                checker: .counts,
                message: "call \(call.id) \(call.command.shown) counted \(count); "
                    + "it must be \(certain.count) to \(possible.count)")
        }
    }
}

extension Answer {
    fileprivate var count: Int? {
        switch self {
        case .counted(let count), .rangeDeleted(let count): count
        default: nil
        }
    }
}
