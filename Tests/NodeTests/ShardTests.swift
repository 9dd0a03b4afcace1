// The shard's promises, each as a short story: who waits for whom, and what is answered when.
import Base
import Node
import Regions
import Storage
import Testing

@Suite struct ShardTests {
    @Test func aWriteIsAnsweredOnlyOnceItIsDurable() {
        var host = ShardHost()
        let write = host.send(.put("k", "v"))
        #expect(host.replies[write] == nil)
        host.endTurn()
        #expect(host.replies[write] == nil)
        #expect(host.persists.count == 1)
        host.sync()
        #expect(host.replies[write] == [.written(previous: nil)])
        #expect(host.run(.get("k")) == .found("v"))
    }

    @Test func oneTurnBecomesOneBatch() {
        var host = ShardHost()
        for index in 0..<100 { _ = host.send(.put("k\(index)", "v")) }
        host.endTurn()
        #expect(host.persists.count == 1)
        #expect(host.persists[0].1.count == 100)
        host.endTurn()
        #expect(host.persists.count == 1, "an empty turn persists nothing")
    }

    @Test func aSwapWaitsForTheWriteBeforeItAndSeesIt() {
        var host = ShardHost()
        #expect(host.run(.put("k", "1")) == .written(previous: nil))
        let put = host.send(.put("k", "2"))
        let swap = host.send(.swap("k", "1", "3"))
        host.endTurn()
        #expect(host.persists.count == 1, "the swap is not decided while the put is on its way")
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

    @Test func aConditionOnAColdKeyIsDecidedByWhatTheDiskHolds() {
        let engine = MemoryEngine()
        var host = ShardHost(engine: engine)
        #expect(host.run(.put("k", "1")) == .written(previous: nil))
        engine.setCold(1, in: 1, seed: 1)
        let swap = host.send(.swap("k", "1", "2"))
        #expect(host.reads.count == 1)
        let blind = host.send(.put("k", "9"))
        host.endTurn()
        #expect(host.persists.isEmpty, "nothing is written while the swap reads")
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
        var space = DiskSpace(freeBytes: 4, capacityBytes: 100, neededBytes: 8, isFull: true)
        host.step(.diskSpace(space))
        let shortage = SpaceShortage(freeBytes: 4, neededBytes: 8, refusesDeletes: false)
        #expect(host.run(.put("k", "w")) == .refused(.diskFull(shortage)))
        #expect(host.run(.get("k")) == .found("v"))
        #expect(host.run(.deleteRange("a", "j")) == .rangeDeleted(count: 0, dryRun: false))
        #expect(host.run(.delete(RawDelete(key: Key(utf8: "k")))) == .deleted(previous: nil))
        space.isFull = false
        host.step(.diskSpace(space))
        #expect(host.run(.put("k", "w")) == .written(previous: nil))
    }

    /// The engine refuses the second batch for the put's sake; the delete in it comes once more.
    @Test func aDeleteDoesNotFailForWhatSharesItsBatch() {
        let engine = MemoryEngine()
        var host = ShardHost(engine: engine)
        #expect(host.run(.put("a", "1")) == .written(previous: nil))
        #expect(host.run(.put("r", "1")) == .written(previous: nil))
        let shortage = SpaceShortage(freeBytes: 1, neededBytes: 2, refusesDeletes: false)
        engine.failWrites(after: 1, with: .full(shortage))
        let range = host.send(.deleteRange("r", "s"))
        host.finishReads()
        let put = host.send(.put("b", "2"))
        let delete = host.send(
            .delete(RawDelete(key: Key(utf8: "a"), returnPrevious: true)))
        host.settle()
        #expect(host.replies[put] == [.refused(.diskFull(shortage))])
        #expect(host.replies[delete] == [.deleted(previous: RawValue(value: [0x31]))])
        #expect(host.replies[range] == [.rangeDeleted(count: 1, dryRun: false)])
        for key in ["a", "b", "r"] { #expect(host.run(.get(key)) == .missing) }
        let held = host.shard.heldResource
        #expect(held == nil)

        engine.failWrites(after: 0, with: .full(shortage))
        let alone = host.run(.delete(RawDelete(key: Key(utf8: "a"))))
        #expect(alone == .refused(.diskFull(shortage)), "a batch of deletes is not tried twice")
    }

    /// The bad history of `Shard.repeatDelete`.
    @Test func aRepeatedDeleteTakesNothingAwayThatCameLater() {
        let engine = MemoryEngine()
        var host = ShardHost(engine: engine)
        let shortage = SpaceShortage(freeBytes: 1, neededBytes: 2, refusesDeletes: false)
        engine.failWrites(after: 0, with: .full(shortage))
        _ = host.send(.put("b", "2"))
        let delete = host.send(.delete(RawDelete(key: Key(utf8: "a"))))
        host.endTurn()
        let put = host.send(.put("a", "later"))
        host.settle()
        #expect(host.replies[put] == [.written(previous: nil)])
        #expect(host.replies[delete] == [.refused(.diskFull(shortage))])
        #expect(host.run(.get("a")) == .found("later"))
        let held = host.shard.heldResource
        #expect(held == nil)
    }

    @Test func aFailedDiskMakesTheOutcomeUnknownAndEndsWriting() {
        let engine = MemoryEngine()
        var host = ShardHost(engine: engine)
        engine.failWrites(after: 0, with: .failed("sync: input/output error"))
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
}
