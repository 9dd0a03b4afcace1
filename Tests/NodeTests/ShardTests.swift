// The shard's promises, each as a short story: who waits for whom, and what is answered when.
import Base
import Node
import Regions
import Storage
import Telemetry
import Testing

@Suite struct ShardTests {
    @Test func aWriteIsAnsweredOnlyOnceItIsDurable() throws {
        var host = ShardHost()
        let write = host.send(.put("k", "v"))
        #expect(host.replies[write] == nil)
        host.endTurn()
        #expect(host.replies[write] == nil)
        #expect(try host.batches.count == 1)
        host.syncLog()
        #expect(host.replies[write] == nil, "durable, and not yet for readers")
        host.apply()
        #expect(host.replies[write] == [.written(previous: nil)])
        #expect(host.run(.get("k")) == .found("v"))
    }

    @Test func oneTurnBecomesOneBatch() throws {
        var host = ShardHost()
        for index in 0..<100 { _ = host.send(.put("k\(index)", "v")) }
        host.endTurn()
        #expect(try host.batches.map(\.count) == [100])
        host.endTurn()
        #expect(try host.batches.count == 1, "an empty turn proposes nothing")
    }

    @Test func aSwapWaitsForTheWriteBeforeItAndSeesIt() throws {
        var host = ShardHost()
        #expect(host.run(.put("k", "1")) == .written(previous: nil))
        let put = host.send(.put("k", "2"))
        let swap = host.send(.swap("k", "1", "3"))
        host.endTurn()
        #expect(try host.batches.count == 1, "the swap is not decided while the put is on its way")
        host.settle()
        #expect(host.replies[put] == [.written(previous: nil)])
        #expect(host.replies[swap] == [.notSwapped(previous: RawValue(value: Bytes("2".utf8)))])
        #expect(host.run(.get("k")) == .found("2"))
    }

    @Test func ofManySwapsFromOneValueExactlyOneWins() {
        var host = ShardHost()
        #expect(host.run(.put("k", "0")) == .written(previous: nil))
        let swaps = (1...2000).map { host.send(.swap("k", "0", "\($0)")) }
        host.settle()
        let won = swaps.filter {
            if case .swapped? = host.replies[$0]?.first { true } else { false }
        }
        #expect(won.count == 1)
        #expect(swaps.allSatisfy { host.replies[$0] != nil })
    }

    @Test func aBlindWriteDoesNotOvertakeAWaitingSwapForEver() {
        var host = ShardHost()
        let first = host.send(.put("k", "1"))
        let swap = host.send(.swap("k", "1", "2"))
        let last = host.send(.put("k", "3"))
        host.endTurn()
        host.sync()
        #expect(host.replies[first] != nil)
        #expect(host.replies[last] == nil, "it stands behind the swap")
        host.settle()
        #expect(host.replies[swap] == [.swapped(previous: RawValue(value: Bytes("1".utf8)))])
        #expect(host.run(.get("k")) == .found("3"))
    }

    @Test func aConditionOnAColdKeyIsDecidedByWhatTheDiskHolds() throws {
        let engine = MemoryEngine()
        var host = ShardHost(engine: engine)
        #expect(host.run(.put("k", "1")) == .written(previous: nil))
        engine.setCold(1, in: 1, seed: 1)
        let swap = host.send(.swap("k", "1", "2"))
        #expect(host.reads.count == 1)
        let blind = host.send(.put("k", "9"))
        host.endTurn()
        #expect(try host.batches.isEmpty, "nothing is written while the swap reads")
        host.settle()
        #expect(host.replies[swap] == [.swapped(previous: RawValue(value: Bytes("1".utf8)))])
        #expect(host.replies[blind] == [.written(previous: nil)])
        #expect(host.run(.get("k")) == .found("9"))
    }

    @Test func expiryIsFixedWhenTheWriteIsOrderedAndSeenAtOnce() {
        var host = ShardHost()
        let put = RawPut(key: Key(utf8: "k"), value: [1], timeToLive: 10)
        #expect(host.run(.put(put)) == .written(previous: nil))
        let expiry = WallTime(milliseconds: 1_010_000)
        #expect(host.run(.get("k")) == .found(RawValue(value: [1], expiresAt: expiry)))
        host.now.wall = WallTime(milliseconds: 1_009_999)
        #expect(host.run(.get("k")) != .missing)
        host.now.wall = expiry
        #expect(host.run(.get("k")) == .missing)
        #expect(host.run(.put("k", "new", if: .absent)) == .written(previous: nil))
    }

    @Test func aFullDiskRefusesWhatTakesSpaceAndNothingElse() {
        var host = ShardHost()
        #expect(host.run(.put("k", "v")) == .written(previous: nil))
        host.step(.diskSpace(.seen(free: 10 << 20)))
        guard case .refused(.diskFull(let shortage))? = host.run(.put("k", "w")) else {
            Issue.record("a full disk takes no writes")
            return
        }
        #expect(shortage.free == 10 << 20)
        #expect(shortage.needed > shortage.free)
        #expect(host.run(.get("k")) == .found("v"))
        #expect(host.run(.deleteRange("a", "j")) == .rangeDeleted(count: 0, dryRun: false))
        #expect(host.run(.delete(RawDelete(key: Key(utf8: "k")))) == .deleted(previous: nil))
        host.step(.diskSpace(.seen(free: 1 << 29)))
        #expect(host.run(.put("k", "w")) == .written(previous: nil))
    }

    /// Not even a delete is taken where the engine could not write out what it has.
    @Test func aDiskWithoutReserveRefusesDeletesToo() {
        var host = ShardHost()
        #expect(host.run(.put("k", "v")) == .written(previous: nil))
        host.step(.diskSpace(.seen(free: 1 << 20)))
        let delete = host.run(.delete(RawDelete(key: Key(utf8: "k"))))
        guard case .refused(.diskFull(let shortage))? = delete else {
            Issue.record("there is no room for the delete")
            return
        }
        #expect(shortage.refusesDeletes)
        #expect(host.run(.get("k")) == .found("v"))
    }

    /// What is in the log cannot be refused any more: everything is decided before, against what
    /// those before it have taken.
    @Test func writesOfOneTurnShareTheRoomThatIsLeft() throws {
        var host = ShardHost()
        let disk = DiskGuard.seen(free: 1 << 29)
        let value = String(repeating: "x", count: 1 << 20)
        host.step(.diskSpace(.seen(free: disk.writeFloor + (16 << 20))))
        let puts = (0..<10).map { host.send(.put("k\($0)", value)) }
        let delete = host.send(.delete(RawDelete(key: Key(utf8: "a"))))
        host.settle()
        let taken = puts.filter { host.replies[$0] == [.written(previous: nil)] }
        #expect(taken == Array(puts.prefix(3)), "each takes five times its size")
        for put in puts.dropFirst(3) {
            guard case .refused(.diskFull)? = host.replies[put]?.first else {
                Issue.record("\(put) was \(String(describing: host.replies[put]))")
                continue
            }
        }
        #expect(host.replies[delete] == [.deleted(previous: nil)])
        let held = host.shard.heldResource
        #expect(held == nil)
    }

    @Test(arguments: [true, false])
    func aFailedDiskMakesTheOutcomeUnknownAndEndsWriting(ofLog: Bool) {
        var host = ShardHost()
        let error = StorageError.failed("sync: input/output error")
        if ofLog {
            host.store.log.failWrites(after: 0, with: error)
        } else {
            host.engine.failWrites(after: 0, with: error)
        }
        guard case .refused(.outcomeUnknown)? = host.run(.put("k", "v")) else {
            Issue.record("a write whose sync failed may have happened")
            return
        }
        guard case .refused(.storageFailed)? = host.run(.put("k", "v")) else {
            Issue.record("a store that failed takes no more writes")
            return
        }
    }

    /// The first of two withdrawn writes lets the second one have the latch, which must give it
    /// back.
    @Test func twoWithdrawnWritesOfOneKeyLeaveNothingBehind() {
        var host = ShardHost()
        let put = host.send(.put("k", "1"))
        host.endTurn()
        let batch = host.sendAll([.swap("k", "1", "2"), .put("k", "3")])
        host.expire(batch)
        #expect(
            host.replies[batch] == [.refused(.deadlineExceeded), .refused(.deadlineExceeded)])
        host.settle()
        #expect(host.replies[put] == [.written(previous: nil)])
        let previous = RawValue(value: Bytes("1".utf8))
        #expect(host.run(.swap("k", "1", "4")) == .swapped(previous: previous))
        let held = host.shard.heldResource
        #expect(held == nil)
    }

    @Test func tooManyUnsyncedBytesAreRefusedAndNothingIsQueued() {
        var host = ShardHost(settings: ShardSettings(unsyncedBytesLimit: 100))
        let big = String(repeating: "x", count: 200)
        let first = host.send(.put("a", big))
        let second = host.send(.put("b", big))
        #expect(host.replies[second] == [.refused(.overloaded(resource: .unsyncedWrites))])
        host.settle()
        #expect(host.replies[first] == [.written(previous: nil)])
        #expect(host.run(.get("b")) == .missing)
        #expect(host.run(.put("b", big)) == .written(previous: nil))
    }

    @Test func tooManyColdReadsAreRefused() {
        let engine = MemoryEngine()
        engine.setCold(1, in: 1, seed: 1)
        var host = ShardHost(engine: engine, settings: ShardSettings(readsWaitingLimit: 2))
        let reads = (0..<3).map { host.send(.get("k\($0)")) }
        #expect(host.replies[reads[2]] == [.refused(.overloaded(resource: .readerQueue))])
        host.settle()
        #expect(host.replies[reads[0]] == [.missing])
    }

    /// All in hand at once, of one key, behind each other; all given up, the last first.
    @Test(arguments: [false, true]) func tenThousandThatExpireLeaveNothing(fromTheEnd: Bool) {
        var host = ShardHost()
        let first = host.send(.put("k", "1"))
        let waiting = (0..<10_000).map { host.send(.swap("k", "1", "\($0)")) }
        host.endTurn()
        for number in fromTheEnd ? waiting.reversed() : waiting { host.expire(number) }
        #expect(waiting.allSatisfy { host.replies[$0] == [.refused(.deadlineExceeded)] })
        host.settle()
        #expect(host.replies[first] == [.written(previous: nil)])
        let held = host.shard.heldResource
        #expect(held == nil)
        #expect(host.run(.get("k")) == .found("1"))
    }

    /// While a disk hangs, clients with short time-outs come again and again.
    @Test func whoGaveUpIsForgottenWhileTheDiskHangs() {
        var host = ShardHost()
        let held = host.send(.put("k", "1"))
        host.endTurn()
        let range = host.send(.deleteRange("l", "m"))
        for _ in 0..<5_000 {
            host.expire(host.send(.swap("k", "1", "2")))
            host.expire(host.send(.put("l1", "2")))
        }
        var scrape = Scrape()
        host.shard.measure(into: &scrape)
        let waiting = scrape.samples.first { $0.metric == .writesWaiting }?.value
        guard case .whole(let names)? = waiting else {
            Issue.record("no such metric")
            return
        }
        #expect(names < 500)
        host.settle()
        #expect(host.replies[held] == [.written(previous: nil)])
        #expect(host.replies[range] == [.rangeDeleted(count: 0, dryRun: false)])
        let left = host.shard.heldResource
        #expect(left == nil)
    }

    /// However many cores share the limit, neither a batch nor a connection refuses itself.
    @Test func manyCoresLeaveEachOneEnoughReads() {
        let settings = ShardSettings(cores: 64)
        #expect(settings.readsWaitingLimit >= Limits.rangeDeletesPerRun)
        #expect(settings.readsWaitingLimit >= Limits.streamsPerConnection)
    }

    /// Conditions that fail wait for no disk: without a bound a thousand on one large value are one
    /// step of the loop, and its deadline is seen when all are done.
    @Test func conditionsOnALargeValueTakeTurns() {
        var host = ShardHost()
        let large = String(repeating: "x", count: 2 << 20)
        #expect(host.run(.put("k", large)) == .written(previous: nil))
        let commands = (0..<100).map { RawCommand.put("k", "\($0)", if: .matchesAny([])) }
        let batch = host.sendAll(commands)
        #expect(host.replies[batch] == nil)
        #expect(host.readCount == 1, "one was decided, and the next is read elsewhere")
        host.finishRead(0)
        host.expire(batch)
        let outcomes = host.replies[batch] ?? []
        #expect(outcomes.count == 100)
        let late = outcomes.filter { $0 == .refused(.deadlineExceeded) }.count
        #expect(late > 90, "the rest never began: \(late)")
        host.settle()
        let left = host.shard.heldResource
        #expect(left == nil)
        let again = host.sendAll(commands)
        host.settle()
        #expect(host.replies[again]?.count == 100)
    }

    /// Some are on their way into the log, some wait for them, and some were decided in this turn:
    /// each is answered when the store fails, and those that never went anywhere are told so.
    @Test func aFailureOfTheStoreAnswersEveryWrite() {
        var host = ShardHost()
        let first = host.send(.put("k", "1"))
        host.endTurn()
        let behind = host.send(.swap("k", "1", "2"))
        let beside = host.send(.put("l", "1"))
        host.step(.storeFailed(.failed("sync: input/output error")))
        host.endTurn()
        guard case .refused(.outcomeUnknown)? = host.replies[first]?.first else {
            Issue.record("the first may be in the log")
            return
        }
        for write in [behind, beside] {
            guard case .refused(.storageFailed)? = host.replies[write]?.first else {
                Issue.record("\(String(describing: host.replies[write]))")
                continue
            }
        }
        let left = host.shard.heldResource
        #expect(left == nil)
    }
}
