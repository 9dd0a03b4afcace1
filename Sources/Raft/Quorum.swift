/// The arithmetic of majorities, of one set of voters and of two at once.
///
/// During a joint change every decision needs a majority of the old and of the new voters (Raft
/// §6), so a quorum is asked of both sets and the lesser answer counts. An empty set has no say:
/// the set of outgoing voters is empty except during a change.
package struct VoterSet: Hashable, Sendable {
    /// Ascending, each once.
    package let ids: [ReplicaID]

    package init(_ ids: some Sequence<ReplicaID>) {
        var sorted = ids.sorted()
        for index in sorted.indices.dropFirst().reversed() where sorted[index] == sorted[index - 1]
        {
            sorted.remove(at: index)
        }
        self.ids = sorted
    }

    package static let none = VoterSet([])

    package var isEmpty: Bool { ids.isEmpty }
    package var majority: Int { ids.count / 2 + 1 }
    package func contains(_ id: ReplicaID) -> Bool { ids.contains(id) }

    /// The largest value that a majority has reached; nil for the empty set.
    ///
    /// Hot path: asked at each acknowledgement. Counting in a square of at most a dozen voters
    /// needs no memory and no sorting, which reliability.md row 16 got wrong.
    package func reached<Value: Comparable>(_ value: (ReplicaID) -> Value) -> Value? {
        var best: Value?
        for candidate in ids {
            let bound = value(candidate)
            if let best, bound <= best { continue }
            var count = 0
            for id in ids where value(id) >= bound { count += 1 }
            if count >= majority { best = bound }
        }
        return best
    }

    package func tally(_ vote: (ReplicaID) -> Bool?) -> Tally {
        if isEmpty { return .won }
        var granted = 0
        var refused = 0
        for id in ids {
            switch vote(id) {
            case true?: granted += 1
            case false?: refused += 1
            case nil: break
            }
        }
        if granted >= majority { return .won }
        return ids.count - refused >= majority ? .open : .lost
    }
}

/// What the votes given so far amount to.
package enum Tally: Hashable, Sendable {
    case won, lost, open
}

extension Membership {
    /// The largest value that a majority of each set of voters has reached; nil without voters.
    package func reached<Value: Comparable>(_ value: (ReplicaID) -> Value) -> Value? {
        guard let incoming = voters.reached(value) else { return nil }
        guard let leaving = outgoing.reached(value) else { return incoming }
        return min(incoming, leaving)
    }

    package func tally(_ vote: (ReplicaID) -> Bool?) -> Tally {
        switch (voters.tally(vote), outgoing.tally(vote)) {
        case (.won, .won): .won
        case (.lost, _), (_, .lost): .lost
        default: .open
        }
    }
}
