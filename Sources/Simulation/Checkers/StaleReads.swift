/// What answers claim of themselves: a read that names a version has it, a stale one is within its
/// bound, a replica of the wanted kind has answered.
///
/// Whether the claims are true is for linearizability: there a stale read may look back as far as
/// its answer admits, and no further, and one that names a write's version comes behind that write
/// (`KeyHistories`).
internal import Base
internal import Regions

struct StaleReads {
    let history: History

    func violations() -> [Violation] {
        history.calls.flatMap { call -> [Violation] in
            guard let ask = call.ask, call.isAcknowledged else { return [] }
            return faults(of: call, ask).map {
                Violation(
                    checker: .staleReads, message: "call \(call.id) \(call.command.shown) \($0)")
            }
        }
    }

    private func faults(of call: Call, _ ask: ReadAsk) -> [String] {
        var faults: [String] = []
        guard let stamp = call.stamp, let version = stamp.version, let role = stamp.role else {
            return ["does not say what it read, or whose"]
        }
        if version < ask.minVersion {
            faults.append("read version \(version), and wanted \(ask.minVersion)")
        }
        let isOther =
            ask.replica == .leader && role != "leader"
            || ask.replica == .follower && role != "follower"
        if isOther { faults.append("was served by a \(role)") }
        if let bound = ask.staleMilliseconds {
            if stamp.ageMilliseconds.map({ $0 <= bound }) != true {
                faults.append("may be \(stamp.ageMilliseconds ?? .max) ms old, of \(bound)")
            }
        } else if stamp.ageMilliseconds != nil {
            faults.append("is stale and was not to be")
        }
        return faults
    }
}
