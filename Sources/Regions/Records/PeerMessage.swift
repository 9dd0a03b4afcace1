/// What one replica says to another, with the bytes of its entries: a `RaftMessage` as it travels.
/// See `records.proto`.
///
/// An entry's record goes into an append as it stands in the log, so a leader encodes each entry
/// once for its disk and for all followers. Length prefixes, cluster and store belong to the stream
/// that carries the messages.
package import Base
package import Raft

package struct PeerMessage: Hashable, Sendable {
    package var group: GroupID
    package var message: RaftMessage
    /// The record of each entry of an append, in order; else empty.
    package var entries: [Bytes]

    package init(group: GroupID, message: RaftMessage, entries: [Bytes] = []) {
        self.group = group
        self.message = message
        self.entries = entries
    }

    /// The numbers of the fields of the message's body.
    enum Body {
        static let preVote: UInt32 = 6
        static let preVoteReply: UInt32 = 7
        static let vote: UInt32 = 8
        static let voteReply: UInt32 = 9
        static let append: UInt32 = 10
        static let appendReply: UInt32 = 11
        static let heartbeat: UInt32 = 12
        static let heartbeatReply: UInt32 = 13
        static let snapshot: UInt32 = 14
        static let timeoutNow: UInt32 = 15
        static let readIndex: UInt32 = 16
        static let readIndexReply: UInt32 = 17
        static let wakeUp: UInt32 = 18
    }

    enum Answer {
        static let refused: UInt64 = 0
        static let granted: UInt64 = 1
        static let claimed: UInt64 = 2
    }

    enum Outcome {
        static let accepted: UInt64 = 0
        static let refused: UInt64 = 1
        static let outdated: UInt64 = 2
    }

    // MARK: Writing

    package var encoded: Bytes {
        var bytes = Bytes()
        encode(into: &bytes)
        return bytes
    }

    package func encode(into bytes: inout Bytes) {
        RecordVersion.append(to: &bytes)
        bytes.appendField(2, varint: group.number)
        bytes.appendField(3, varint: message.from.number)
        bytes.appendField(4, varint: message.to.number)
        bytes.appendField(5, varint: message.term)
        switch message.body {
        case .preVote(let candidacy): candidacy.append(Body.preVote, to: &bytes)
        case .preVoteReply(let answer):
            bytes.appendMessage(Body.preVoteReply) { $0.appendField(1, varint: number(of: answer)) }
        case .vote(let candidacy): candidacy.append(Body.vote, to: &bytes)
        case .voteReply(let isGranted):
            bytes.appendMessage(Body.voteReply) { $0.appendField(1, bool: isGranted) }
        case .append(let append): encode(append, into: &bytes)
        case .appendReply(let reply): reply.append(Body.appendReply, to: &bytes)
        case .heartbeat(let heartbeat): heartbeat.append(Body.heartbeat, to: &bytes)
        case .heartbeatReply(let beat, let isAsleep, let mark):
            bytes.appendMessage(Body.heartbeatReply) { bytes in
                beat.append(1, to: &bytes)
                bytes.appendField(2, bool: isAsleep)
                mark.append(3, to: &bytes)
            }
        case .snapshot(let snapshot, let beat):
            bytes.appendMessage(Body.snapshot) { bytes in
                snapshot.append(from: 1, to: &bytes)
                beat.append(4, to: &bytes)
            }
        case .timeoutNow: bytes.appendHeader(Body.timeoutNow, byteCount: 0)
        case .readIndex(let context): context.append(Body.readIndex, to: &bytes)
        case .readIndexReply(let reply): reply.append(Body.readIndexReply, to: &bytes)
        case .wakeUp: bytes.appendHeader(Body.wakeUp, byteCount: 0)
        }
    }

    // Hot path: every entry to every follower. The length is known before the entries are copied,
    // so that megabytes are not moved a second time.
    private func encode(_ append: Append, into bytes: inout Bytes) {
        invariant(append.entries.count == entries.count, "each entry comes with its bytes")
        var head = Bytes()
        head.appendField(1, varint: append.previous.index)
        head.appendField(2, varint: append.previous.term)
        head.appendField(3, varint: append.commit)
        append.beat.append(4, to: &head)
        let total = entries.reduce(head.count) { $0 + Bytes.fieldByteCount($1.count) }
        bytes.reserveCapacity(bytes.count + total + 8)
        bytes.appendHeader(Body.append, byteCount: total)
        bytes.append(contentsOf: head)
        for entry in entries {
            bytes.appendHeader(5, byteCount: entry.count)
            bytes.append(contentsOf: entry)
        }
    }

    private func number(of answer: PreVote) -> UInt64 {
        switch answer {
        case .refused: Answer.refused
        case .granted: Answer.granted
        case .claimed: Answer.claimed
        }
    }
}

extension Beat {
    fileprivate func append(_ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            bytes.appendField(1, varint: round)
            bytes.appendField(2, fixed64: sentAt.nanoseconds)
        }
    }
}

extension Candidacy {
    fileprivate func append(_ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            bytes.appendField(1, varint: last.index)
            bytes.appendField(2, varint: last.term)
            bytes.appendField(3, zigzag: Int64(priority))
            bytes.appendField(4, bool: isTransfer)
        }
    }
}

extension AppendReply {
    fileprivate func append(_ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            switch outcome {
            case .accepted(let index):
                bytes.appendField(1, varint: PeerMessage.Outcome.accepted)
                bytes.appendField(2, varint: index)
            case .refused(let index, let hint):
                bytes.appendField(1, varint: PeerMessage.Outcome.refused)
                bytes.appendField(2, varint: index)
                bytes.appendField(3, varint: hint.index)
                bytes.appendField(4, varint: hint.term)
            case .outdated: bytes.appendField(1, varint: PeerMessage.Outcome.outdated)
            }
            beat.append(5, to: &bytes)
        }
    }
}

extension Heartbeat {
    fileprivate func append(_ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            bytes.appendField(1, varint: commit)
            beat.append(2, to: &bytes)
            bytes.appendField(3, bool: asksSleep)
            guard let view else { return }
            bytes.appendMessage(4) { bytes in
                bytes.appendField(1, varint: view.commit)
                view.heard.append(2, to: &bytes)
            }
        }
    }
}

extension FollowerMark {
    fileprivate func append(_ field: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(field) { bytes in
            bytes.appendField(1, fixed64: incarnation)
            bytes.appendField(2, fixed64: madeAt.nanoseconds)
        }
    }
}

extension ReadContext {
    fileprivate func append(_ field: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(field) { bytes in
            bytes.appendField(1, fixed64: incarnation)
            bytes.appendField(2, varint: number)
        }
    }
}

extension ReadIndexReply {
    fileprivate func append(_ number: UInt32, to bytes: inout Bytes) {
        bytes.appendMessage(number) { bytes in
            context.append(1, to: &bytes)
            bytes.appendField(2, varint: index)
            bytes.appendField(3, varint: commit)
        }
    }
}
