/// Failpoints at the doors of the units: what decides is a value, so the host refuses in its place.
internal import API
internal import Base
internal import Failpoints
internal import Injection
internal import Node
internal import Regions
internal import Storage

extension FailpointRegistry {
    /// Why a request is not to reach the gateway; nil: it is. The failpoints' own requests always
    /// do, or nobody could take back what is set.
    func refusal(of request: Request) -> Problem? {
        guard isSet(.gatewayAdmit), !request.target.starts(with: Self.ownPath),
            let fault = reached(.gatewayAdmit)
        else { return nil }
        return Problem(injected: fault, at: .gatewayAdmit)
    }

    private static let ownPath = Bytes("/v1/debug/".utf8)

    /// What a shard is made to answer without having seen the commands; nil: it gets them.
    // Hot path: for each envelope.
    func reply(to envelope: Envelope) -> Envelope? {
        guard case .request(let request) = envelope.body else { return nil }
        let point: Failpoint = request.commands[0].isWrite ? .shardWrite : .shardRead
        guard let fault = reached(point) else { return nil }
        let outcome = RawOutcome.refused(Refusal(fault, at: point))
        let outcomes = Array(repeating: outcome, count: request.commands.count)
        return Envelope(
            from: envelope.to, to: envelope.from,
            body: .reply(RegionReply(number: request.number, outcomes: outcomes)))
    }
}

extension Refusal {
    fileprivate init(_ fault: InjectedFault, at point: Failpoint) {
        let reason = "the failpoint \(point.name) says so"
        self =
            switch fault {
            case .overloaded:
                .overloaded(resource: point == .shardWrite ? .unsyncedWrites : .readerQueue)
            case .noLeader: .noLeader
            case .diskFull:
                .diskFull(SpaceShortage(free: 0, needed: 1, refusesDeletes: false))
            case .outcomeUnknown: .outcomeUnknown(reason)
            default: .storageFailed(reason)
            }
    }
}
