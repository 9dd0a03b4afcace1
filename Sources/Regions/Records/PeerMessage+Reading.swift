/// The reading half of `PeerMessage`. Whatever a peer sends is a message or a `DecodeError`.
package import Base
internal import Raft

extension PeerMessage {
    package init(decoding bytes: Bytes) throws(DecodeError) {
        try self.init(decoding: bytes, in: 0..<bytes.count)
    }

    /// From where the message stands in a buffer.
    package init(decoding bytes: Bytes, in range: Range<Int>) throws(DecodeError) {
        var reader = WireReader(bytes, in: range)
        var version = RecordVersion(of: "a peer's message")
        var (group, from, to, term) = (0 as UInt64, 0 as UInt64, 0 as UInt64, 0 as Term)
        var body: RaftMessage.Body?
        var entries: [Bytes] = []
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 2: group = try reader.varint(field)
            case 3: from = try reader.varint(field)
            case 4: to = try reader.varint(field)
            case 5: term = try reader.varint(field)
            case Body.append:
                entries = []
                body = .append(try Append(reading: reader.message(field), &entries))
            case Body.preVote...Body.wakeUp:
                body = try Self.body(field.number, reader.message(field))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
        guard let body else {
            throw DecodeError(expected: "a peer's message with a body", offset: reader.end)
        }
        if case .append = body {} else { entries = [] }
        let message = RaftMessage(
            from: ReplicaID(from), to: ReplicaID(to), term: term, body: body)
        self.init(group: GroupID(group), message: message, entries: entries)
    }

    private static func body(
        _ number: UInt32, _ reader: WireReader
    ) throws(DecodeError) -> RaftMessage.Body? {
        switch number {
        case Body.preVote: .preVote(try Candidacy(reading: reader))
        case Body.preVoteReply: .preVoteReply(try PreVote(reading: reader))
        case Body.vote: .vote(try Candidacy(reading: reader))
        case Body.voteReply: .voteReply(isGranted: try readFlag(reader))
        case Body.appendReply: .appendReply(try AppendReply(reading: reader))
        case Body.heartbeat: .heartbeat(try Heartbeat(reading: reader))
        case Body.heartbeatReply: try heartbeatReply(reader)
        case Body.snapshot: try snapshot(reader)
        case Body.timeoutNow: try readNothing(reader, .timeoutNow)
        case Body.readIndex: .readIndex(try ReadContext(reading: reader))
        case Body.readIndexReply: .readIndexReply(try ReadIndexReply(reading: reader))
        case Body.wakeUp: try readNothing(reader, .wakeUp)
        default: nil
        }
    }

    private static func readNothing(
        _ reader: WireReader, _ body: RaftMessage.Body
    ) throws(DecodeError) -> RaftMessage.Body {
        var reader = reader
        while let field = try reader.next() { try reader.skip(field) }
        return body
    }

    private static func readFlag(_ reader: WireReader) throws(DecodeError) -> Bool {
        var reader = reader
        var flag = false
        while let field = try reader.next() {
            switch field.number {
            case 1: flag = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        return flag
    }

    private static func heartbeatReply(
        _ reader: WireReader
    ) throws(DecodeError) -> RaftMessage.Body {
        var reader = reader
        var beat = Beat.none
        var isAsleep = false
        var mark = FollowerMark.none
        while let field = try reader.next() {
            switch field.number {
            case 1: beat = try Beat(reading: reader.message(field))
            case 2: isAsleep = try reader.bool(field)
            case 3: mark = try FollowerMark(reading: reader.message(field))
            default: try reader.skip(field)
            }
        }
        return .heartbeatReply(beat, isAsleep: isAsleep, mark)
    }

    private static func snapshot(_ reader: WireReader) throws(DecodeError) -> RaftMessage.Body {
        var reader = reader
        var snapshot = SnapshotIdentity(position: .start, membership: Membership())
        var beat = Beat.none
        while let field = try reader.next() {
            switch field.number {
            case 1: snapshot.position.index = try reader.index(field)
            case 2: snapshot.position.term = try reader.varint(field)
            case 3: snapshot.membership = try Membership(reading: reader.message(field))
            case 4: beat = try Beat(reading: reader.message(field))
            default: try reader.skip(field)
            }
        }
        return .snapshot(snapshot, beat)
    }
}

extension Beat {
    /// As a message without a beat reads.
    fileprivate static let none = Beat(round: 0, sentAt: .origin)

    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self = .none
        while let field = try reader.next() {
            switch field.number {
            case 1: round = try reader.varint(field)
            case 2: sentAt = Instant(nanoseconds: try reader.fixed64(field))
            default: try reader.skip(field)
            }
        }
    }
}

extension Candidacy {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self.init(last: .start, priority: 0, isTransfer: false)
        while let field = try reader.next() {
            switch field.number {
            case 1: last.index = try reader.index(field)
            case 2: last.term = try reader.varint(field)
            case 3: priority = Int(try reader.zigzag(field))
            case 4: isTransfer = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
    }
}

extension PreVote {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        let start = reader.offset
        var answer = PeerMessage.Answer.refused
        while let field = try reader.next() {
            switch field.number {
            case 1: answer = try reader.varint(field)
            default: try reader.skip(field)
            }
        }
        switch answer {
        case PeerMessage.Answer.refused: self = .refused
        case PeerMessage.Answer.granted: self = .granted
        case PeerMessage.Answer.claimed: self = .claimed
        default: throw DecodeError(expected: "an answer from 0 to 2", offset: start)
        }
    }
}

extension Append {
    fileprivate init(
        reading reader: WireReader, _ records: inout [Bytes]
    ) throws(DecodeError) {
        var reader = reader
        self.init(previous: .start, entries: [], commit: 0, beat: .none)
        while let field = try reader.next() {
            switch field.number {
            case 1: previous.index = try reader.index(field)
            case 2: previous.term = try reader.varint(field)
            case 3: commit = try reader.index(field)
            case 4: beat = try Beat(reading: reader.message(field))
            case 5:
                let entry = try reader.message(field)
                entries.append(try EntryRecord.decode(entry).entry)
                records.append(Bytes(reader.bytes[entry.offset..<entry.end]))
            default: try reader.skip(field)
            }
        }
    }
}

extension AppendReply {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        let start = reader.offset
        var outcome = PeerMessage.Outcome.accepted
        var index: LogIndex = 0
        var hint = LogPosition.start
        var beat = Beat.none
        while let field = try reader.next() {
            switch field.number {
            case 1: outcome = try reader.varint(field)
            case 2: index = try reader.index(field)
            case 3: hint.index = try reader.index(field)
            case 4: hint.term = try reader.varint(field)
            case 5: beat = try Beat(reading: reader.message(field))
            default: try reader.skip(field)
            }
        }
        switch outcome {
        case PeerMessage.Outcome.accepted:
            self.init(outcome: .accepted(through: index), beat: beat)
        case PeerMessage.Outcome.refused:
            self.init(outcome: .refused(at: index, hint: hint), beat: beat)
        case PeerMessage.Outcome.outdated: self.init(outcome: .outdated, beat: beat)
        default: throw DecodeError(expected: "an outcome from 0 to 2", offset: start)
        }
    }
}

extension Heartbeat {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self.init(commit: 0, beat: .none, asksSleep: false)
        while let field = try reader.next() {
            switch field.number {
            case 1: commit = try reader.index(field)
            case 2: beat = try Beat(reading: reader.message(field))
            case 3: asksSleep = try reader.bool(field)
            case 4: view = try LeaderView(reading: reader.message(field))
            default: try reader.skip(field)
            }
        }
    }
}

extension LeaderView {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self.init(commit: 0, heard: .none)
        while let field = try reader.next() {
            switch field.number {
            case 1: commit = try reader.index(field)
            case 2: heard = try FollowerMark(reading: reader.message(field))
            default: try reader.skip(field)
            }
        }
    }
}

extension FollowerMark {
    fileprivate static let none = FollowerMark(incarnation: 0, madeAt: .origin)

    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self = .none
        while let field = try reader.next() {
            switch field.number {
            case 1: incarnation = try reader.fixed64(field)
            case 2: madeAt = Instant(nanoseconds: try reader.fixed64(field))
            default: try reader.skip(field)
            }
        }
    }
}

extension ReadContext {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self.init(incarnation: 0, number: 0)
        while let field = try reader.next() {
            switch field.number {
            case 1: incarnation = try reader.fixed64(field)
            case 2: number = try reader.varint(field)
            default: try reader.skip(field)
            }
        }
    }
}

extension ReadIndexReply {
    fileprivate init(reading reader: WireReader) throws(DecodeError) {
        var reader = reader
        self.init(context: ReadContext(incarnation: 0, number: 0), index: 0, commit: 0)
        while let field = try reader.next() {
            switch field.number {
            case 1: context = try ReadContext(reading: reader.message(field))
            case 2: index = try reader.index(field)
            case 3: commit = try reader.index(field)
            default: try reader.skip(field)
            }
        }
    }
}
