// Records between stores: there and back, as golden bytes, and broken in every way.
import Base
import Node
import Peers
import Regions
import Testing

@Suite struct EnvelopeTests {
    @Test func eachEnvelopeComesBack() throws {
        for envelope in Samples.envelopes {
            let bytes = envelope.encoded()
            let read = try PeerEnvelope(decoding: bytes, at: Samples.now)
            #expect(read.core == envelope.core)
            #expect(read.encoded() == bytes)
        }
    }

    @Test func eachCommandComesBack() throws {
        for command in Samples.commands {
            let request = RegionRequest(
                number: 1, deadline: Samples.now + .seconds(1), commands: [command])
            let bytes = PeerEnvelope(core: 0, body: .request(request)).encoded()
            let read = try PeerEnvelope(decoding: bytes, at: Samples.now)
            guard case .request(let again) = read.body else {
                Issue.record("\(command) came back as something else")
                continue
            }
            #expect(again.commands == [command])
            #expect(again.deadline == request.deadline)
        }
    }

    @Test func eachOutcomeComesBack() throws {
        for outcome in Samples.outcomes {
            let reply = RegionReply(number: 1, outcomes: [outcome])
            let bytes = PeerEnvelope(core: 0, body: .reply(reply)).encoded()
            let read = try PeerEnvelope(decoding: bytes, at: Samples.now)
            guard case .reply(let again) = read.body else {
                Issue.record("\(outcome) came back as something else")
                continue
            }
            #expect(again.outcomes == [outcome])
        }
    }

    @Test func eachRuleAndStampComesBack() throws {
        for rule in Samples.rules {
            let request = RegionRequest(
                number: 1, deadline: Samples.now, commands: Samples.reads, rule: rule)
            let bytes = PeerEnvelope(core: 0, body: .request(request)).encoded()
            guard case .request(let again) = try PeerEnvelope(decoding: bytes, at: Samples.now).body
            else {
                Issue.record("a request comes back as one")
                return
            }
            #expect(again.rule == rule)
        }
        for stamp in Samples.stamps {
            let reply = RegionReply(number: 1, outcomes: [.missing], stamp: stamp)
            let bytes = PeerEnvelope(core: 0, body: .reply(reply)).encoded()
            guard case .reply(let again) = try PeerEnvelope(decoding: bytes, at: Samples.now).body
            else {
                Issue.record("a reply comes back as one")
                return
            }
            #expect(again.stamp == stamp)
        }
    }

    // The clocks of two stores have nothing in common.
    @Test func theTimeThatIsLeftTravels() throws {
        let request = RegionRequest(
            number: 1, deadline: Instant(nanoseconds: 1_000_500), commands: Samples.reads)
        let bytes = PeerEnvelope(core: 0, body: .request(request))
            .encoded(at: Instant(nanoseconds: 1_000_000))
        let read = try PeerEnvelope(decoding: bytes, at: Instant(nanoseconds: 70))
        guard case .request(let again) = read.body else {
            Issue.record("a request comes back as one")
            return
        }
        #expect(again.deadline == Instant(nanoseconds: 570))
    }

    // Frozen: a node of the next version reads them.
    @Test func golden() {
        #expect(
            Samples.hello.encoded == [
                8, 1, 18, 1, 99, 24, 2, 32, 1, 41, 7, 0, 0, 0, 0, 0, 0, 0, 50, 10, 104, 116, 116,
                112, 58, 47, 47, 104, 58, 49, 56, 9, 64, 1,
            ])
        let welcome = PeerWelcome(incarnation: 1, wall: WallTime(milliseconds: 2))
        #expect(welcome.encoded == [8, 1, 17, 1, 0, 0, 0, 0, 0, 0, 0, 24, 2])
        let get = RegionRequest(
            number: 5, deadline: Samples.now + .nanoseconds(3), commands: [.get(Key(utf8: "k"))])
        #expect(
            PeerEnvelope(core: 2, body: .request(get)).encoded() == [
                8, 1, 24, 2, 42, 9, 8, 5, 16, 3, 26, 3, 18, 1, 107,
            ])
        let ruled = RegionRequest(
            number: 5, deadline: Samples.now + .nanoseconds(3), commands: [.get(Key(utf8: "k"))],
            rule: ReadRule(replica: .any, ageMillisecondsMax: 300, minVersion: 9))
        #expect(
            PeerEnvelope(core: 2, body: .request(ruled)).encoded() == [
                8, 1, 24, 2, 42, 18, 8, 5, 16, 3, 26, 3, 18, 1, 107, 34, 7, 8, 2, 16, 172, 2, 24, 9,
            ])
        let found = RegionReply(number: 5, outcomes: [.found(RawValue(value: [7]))])
        #expect(
            PeerEnvelope(core: 2, body: .reply(found)).encoded() == [
                8, 1, 24, 2, 50, 11, 8, 5, 18, 7, 8, 1, 18, 3, 10, 1, 7,
            ])
        let stamp = ReplicaStamp(role: .follower, version: 9, ageMilliseconds: 300)
        let stale = RegionReply(number: 5, outcomes: [.missing], stamp: stamp)
        #expect(
            PeerEnvelope(core: 0, body: .reply(stale)).encoded() == [
                8, 1, 50, 13, 8, 5, 18, 0, 26, 7, 8, 1, 16, 9, 24, 172, 2,
            ])
        #expect(PeerEnvelope(core: 0, body: .expire(0)).encoded() == [8, 1, 56, 0])
    }

    @Test func aRequestIsOfReadsOrOfWrites() {
        for commands in [[], [Samples.reads[0], Samples.writes[0]]] {
            let request = RegionRequest(number: 1, deadline: Samples.now, commands: commands)
            let bytes = PeerEnvelope(core: 0, body: .request(request)).encoded()
            #expect(throws: DecodeError.self) {
                try PeerEnvelope(decoding: bytes, at: Samples.now)
            }
        }
    }

    @Test func anotherVersionIsRefused() {
        #expect(throws: DecodeError.self) {
            try PeerEnvelope(decoding: [8, 2, 56, 0], at: Samples.now)
        }
        #expect(throws: DecodeError.self) {
            try PeerEnvelope(decoding: [56, 0], at: Samples.now)
        }
    }

    @Test func whatIsBrokenIsAnErrorAndNoTrap() {
        var generator = SeededGenerator(seed: 11)
        for envelope in Samples.envelopes {
            let bytes = envelope.encoded()
            for end in 0..<bytes.count {
                _ = try? PeerEnvelope(decoding: Bytes(bytes[..<end]), at: Samples.now)
            }
            for _ in 0..<2_000 {
                var broken = bytes
                for _ in 0...Int.random(in: 0..<3, using: &generator) {
                    let place = Int.random(in: 0..<broken.count, using: &generator)
                    broken[place] = UInt8.random(in: 0...255, using: &generator)
                }
                _ = try? PeerEnvelope(decoding: broken, at: Samples.now)
                _ = try? PeerHello(decoding: broken)
                _ = try? PeerWelcome(decoding: broken)
            }
        }
    }

    @Test func whatMustNotWaitGoesAhead() {
        let heartbeat = PeerEnvelope(core: 0, body: .raft(Samples.heartbeat))
        #expect(heartbeat.lane(byteCount: 1 << 20) == .urgent)
        var append = Samples.heartbeat
        append.entries = [[1]]
        #expect(PeerEnvelope(core: 0, body: .raft(append)).lane(byteCount: 1) == .bulk)
        let expire = PeerEnvelope(core: 0, body: .expire(1))
        #expect(expire.lane(byteCount: Limits.peerUrgentBytes - 1) == .urgent)
        #expect(expire.lane(byteCount: Limits.peerUrgentBytes) == .bulk)
    }

    @Test func aHelloComesBack() throws {
        #expect(try PeerHello(decoding: Samples.hello.encoded) == Samples.hello)
        // Of a version that is not known nothing else is believed.
        let later = try PeerHello(decoding: [8, 2, 18, 200])
        #expect(later.version == 2)
        #expect(throws: DecodeError.self) { try PeerHello(decoding: []) }
    }
}
