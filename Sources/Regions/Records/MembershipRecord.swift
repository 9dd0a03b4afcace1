/// A membership as a nested message; see `records.proto`. It has the version of the record around
/// it.
internal import Base
internal import Raft

extension Membership {
    func append(_ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            bytes.appendField(1, packed: voters.ids.lazy.map(\.number))
            bytes.appendField(2, packed: outgoing.ids.lazy.map(\.number))
            bytes.appendField(3, packed: learners.lazy.map(\.number))
            bytes.appendField(4, packed: learnersNext.lazy.map(\.number))
        }
    }

    init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        let start = reader.offset
        var voters: [UInt64] = []
        var outgoing: [UInt64] = []
        var learners: [UInt64] = []
        var learnersNext: [UInt64] = []
        while let field = try reader.next() {
            switch field.number {
            case 1: try reader.numbers(field, into: &voters)
            case 2: try reader.numbers(field, into: &outgoing)
            case 3: try reader.numbers(field, into: &learners)
            case 4: try reader.numbers(field, into: &learnersNext)
            default: try reader.skip(field)
            }
        }
        self.init(
            voters: voters.map(ReplicaID.init), outgoing: outgoing.map(ReplicaID.init),
            learners: learners.map(ReplicaID.init), learnersNext: learnersNext.map(ReplicaID.init))
        // What the quorum arithmetic and the rules of change rely on.
        guard self.learners.allSatisfy({ !isVoter($0) }),
            self.learnersNext.allSatisfy({ outgoingOnly($0) }),
            !isJoint || !self.voters.isEmpty
        else {
            throw DecodeError(
                expected: "a membership in which nobody has two parts", offset: start)
        }
        guard everyone.count <= Membership.replicasMax else {
            throw DecodeError(
                expected: "a membership of at most \(Membership.replicasMax) replicas",
                offset: start)
        }
    }

    private func outgoingOnly(_ id: ReplicaID) -> Bool {
        outgoing.contains(id) && !voters.contains(id)
    }
}
