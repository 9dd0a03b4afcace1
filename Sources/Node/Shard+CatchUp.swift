/// Whether this store has, since it started, caught up with what its group had committed: the last
/// thing that `/readyz` waits for, so that whoever restarts a cluster store by store, and waits for
/// each to be ready, never takes down the second one that has a write while the first is behind.
///
/// Found out as a reader would: by asking for a read index, which is answered when everything that
/// was committed at that moment is applied here. Once it is, it stays so: a store that falls
/// behind later answers by the leader, and is not taken out of service for it.
internal import Base
internal import Raft
internal import Regions

enum CatchUp: Sendable {
    /// Nobody leads, as far as this store knows, or the last question was not answered.
    case behind
    case asked
    case done
}

extension ReadID {
    /// Other reads count from 1.
    static let catchUp = ReadID(0)
}

extension Shard {
    mutating func askWhetherCaughtUp(at now: Now, into effects: inout Effects) {
        guard catchUp == .behind, leader != nil, failure == nil, replica != nil else { return }
        catchUp = .asked
        stepReplica(.read(.catchUp), at: now, into: &effects)
    }

    mutating func caughtUp(into effects: inout Effects) {
        guard catchUp != .done else { return }
        catchUp = .done
        tellGateways(.caughtUp, into: &effects)
    }

    func tellGateways(_ body: Envelope.Body, into effects: inout Effects) {
        for core in 0..<settings.cores {
            let gateway = UnitAddress(core: core, unit: .gateway)
            effects.append(.send(Envelope(from: address, to: gateway, body: body)))
        }
    }
}
