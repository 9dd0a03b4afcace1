/// An envelope as it travels between two stores; see `peers.proto`.
///
/// The times of two stores have nothing in common, so a request's deadline goes as the time that is
/// left. Who may lead a group and which shards may read are a node's own affairs and never travel.
package import Base
package import Node
internal import Raft
package import Regions

package struct PeerEnvelope: Sendable {
    package enum Body: Sendable {
        case raft(PeerMessage)
        /// The deadline within is an instant of the reader's own clock.
        case request(RegionRequest)
        case reply(RegionReply)
        case expire(RegionRequest.Number)
        /// The sender's monotonic clock: by two of them the rates of both clocks are compared.
        case clock(Instant)
        /// Why the answer ends with this record, as a person is told.
        case farewell(String)
    }

    /// The requester's.
    package var core: Int
    package var body: Body

    package init(core: Int, body: Body) {
        self.core = core
        self.body = body
    }

    /// nil for what does not travel.
    package init?(_ body: Envelope.Body, core: Int) {
        let own: Body
        switch body {
        case .request(let request): own = .request(request)
        case .reply(let reply): own = .reply(reply)
        case .expire(let number): own = .expire(number)
        case .raft(let message): own = .raft(message)
        case .leader, .caughtUp, .drained, .serving, .servingSeen: return nil
        }
        self.init(core: core, body: own)
    }

    /// Entries stay in their order, and what is large holds up nothing that must not wait.
    package func lane(byteCount: Int) -> PeerLane {
        if case .raft(let message) = body {
            return message.entries.isEmpty ? .urgent : .bulk
        }
        return byteCount < Limits.peerUrgentBytes ? .urgent : .bulk
    }

    // MARK: Writing

    // Hot path: every entry to every follower.
    package func encode(into bytes: inout Bytes, at now: Instant) {
        bytes.appendField(1, varint: PeerHello.version)
        bytes.appendField(3, varint: UInt64(core))
        switch body {
        case .raft(let message):
            let encoded = message.encoded
            bytes.appendHeader(4, byteCount: encoded.count)
            bytes.append(contentsOf: encoded)
        case .request(let request):
            bytes.appendMessage(5) { bytes in
                bytes.appendField(1, varint: request.number)
                let left = request.deadline.since(now).wholeNanoseconds
                bytes.appendField(2, varint: left)
                for command in request.commands {
                    RawCommandRecord.append(command, 3, to: &bytes)
                }
                if let rule = request.rule { ReadRuleRecord.append(rule, 4, to: &bytes) }
            }
        case .reply(let reply):
            bytes.appendMessage(6) { bytes in
                bytes.appendField(1, varint: reply.number)
                for outcome in reply.outcomes { RawOutcomeRecord.append(outcome, 2, to: &bytes) }
                if let stamp = reply.stamp { ReplicaStampRecord.append(stamp, 3, to: &bytes) }
            }
        case .expire(let number): bytes.appendField(7, optionalVarint: number)
        case .farewell(let sentence): bytes.appendField(9, bytes: Bytes(sentence.utf8))
        case .clock(let instant):
            bytes.appendTag(8, .fixed64)
            withUnsafeBytes(of: instant.nanoseconds.littleEndian) {
                bytes.append(contentsOf: $0)
            }
        }
    }

    // MARK: Reading

    package init(decoding bytes: Bytes, at now: Instant) throws(DecodeError) {
        var reader = WireReader(bytes)
        var version = PeerVersion(of: "a peer's envelope")
        var core = 0
        var body: Body?
        while let field = try reader.next() {
            switch field.number {
            case 1: try version.read(field, &reader)
            case 3: core = try reader.core(field)
            case 4:
                body = .raft(try PeerMessage(decoding: bytes, in: try reader.bytes(field)))
            case 5: body = .request(try Self.request(reader.message(field), at: now))
            case 6: body = .reply(try Self.reply(reader.message(field)))
            case 7: body = .expire(try reader.varint(field))
            case 8: body = .clock(Instant(nanoseconds: try reader.fixed64(field)))
            case 9: body = .farewell(try reader.text(field))
            default: try reader.skip(field)
            }
        }
        try version.finish(reader)
        guard let body else {
            throw DecodeError(expected: "an envelope with a body", offset: reader.end)
        }
        self.init(core: core, body: body)
    }

    private static func request(
        _ reader: WireReader, at now: Instant
    ) throws(DecodeError) -> RegionRequest {
        var reader = reader
        let start = reader.offset
        var (number, left) = (0 as UInt64, 0 as UInt64)
        var commands: [RawCommand] = []
        var rule: ReadRule?
        while let field = try reader.next() {
            switch field.number {
            case 1: number = try reader.varint(field)
            case 2: left = try reader.varint(field)
            case 3: commands.append(try RawCommandRecord.read(reader.message(field)))
            case 4: rule = try ReadRuleRecord.read(reader.message(field))
            default: try reader.skip(field)
            }
        }
        // What a shard takes for granted.
        guard let first = commands.first, commands.count <= Limits.operationsPerBatch,
            commands.allSatisfy({ $0.isWrite == first.isWrite })
        else {
            throw DecodeError(expected: "a request of reads or of writes", offset: start)
        }
        let longest = Limits.requestTimeoutMax.wholeNanoseconds
        return RegionRequest(
            number: number, deadline: now + .nanoseconds(Int64(min(left, longest))),
            commands: commands, rule: rule)
    }

    private static func reply(_ reader: WireReader) throws(DecodeError) -> RegionReply {
        var reader = reader
        var reply = RegionReply(number: 0, outcomes: [])
        while let field = try reader.next() {
            switch field.number {
            case 1: reply.number = try reader.varint(field)
            case 2: reply.outcomes.append(try RawOutcomeRecord.read(reader.message(field)))
            case 3: reply.stamp = try ReplicaStampRecord.read(reader.message(field))
            default: try reader.skip(field)
            }
        }
        return reply
    }
}

extension WireReader {
    /// A core's number, which fits what addresses hold.
    fileprivate mutating func core(_ field: Field) throws(DecodeError) -> Int {
        let start = offset
        let number = try varint(field)
        guard number <= UInt64(UInt16.max) else {
            throw DecodeError(expected: "a core's number of 16 bits", offset: start)
        }
        return Int(number)
    }
}
