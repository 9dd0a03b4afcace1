// Deleting a range against everything that can stand beside it.
import Base
import Node
import Regions
import Storage
import Testing

@Suite struct RangeDeleteTests {
    @Test func theCountIsExactAndTheDeleteAtomic() {
        var host = ShardHost()
        for index in 0..<10 { _ = host.run(.put("k\(index)", "v")) }
        let dry = RawCommand.deleteRange(
            KeyRange(start: Key(utf8: "k2"), end: Key(utf8: "k5")), dryRun: true)
        #expect(host.run(dry) == .rangeDeleted(count: 3, dryRun: true))
        #expect(host.run(.get("k2")) == .found("v"))
        #expect(host.run(.deleteRange("k2", "k5")) == .rangeDeleted(count: 3, dryRun: false))
        #expect(host.run(.get("k2")) == .missing)
        #expect(host.run(.get("k5")) == .found("v"))
        #expect(host.run(.count(.all)) == .counted(7))
    }

    /// The engine deletes key by key: without a bound one small request would be a batch of any
    /// size. What is refused has no effect and holds nothing.
    @Test func aRangeOfTooManyKeysIsRefusedAsAWhole() throws {
        let engine = MemoryEngine()
        var batch = WriteBatch()
        for index in 0...Limits.keysPerRangeDelete {
            batch.put(
                .raw, RawSpace.key(Key(utf8: "\(1_000_000 + index)")),
                RawRecord.encode([], expiresAt: nil))
        }
        try engine.write(batch, sync: true)
        var host = ShardHost(engine: engine)
        #expect(host.run(.deleteRange("1", "2")) == .refused(.rangeTooLarge))
        #expect(host.run(.count(.all)) == .counted(Limits.keysPerRangeDelete + 1))
        let held = host.shard.heldResource
        #expect(held == nil)
        #expect(host.run(.delete(RawDelete(key: Key(utf8: "1000000")))) != nil)
        let all = RawOutcome.rangeDeleted(count: Limits.keysPerRangeDelete, dryRun: false)
        #expect(host.run(.deleteRange("1", "2")) == all)
    }

    /// Counts in the limit what a delete becomes, and not the few bytes of its request.
    @Test func aDeleteWeighsWhatItNames() {
        var host = ShardHost(settings: ShardSettings(unsyncedBytesLimit: 500))
        for index in 0..<100 { _ = host.run(.put("k\(index)", "v")) }
        for index in 0..<100 { _ = host.run(.put("m\(index)", "v")) }
        let first = host.send(.deleteRange("k", "l"))
        host.finishReads()
        let second = host.send(.deleteRange("m", "n"))
        #expect(host.replies[second] == [.refused(.overloaded(resource: .unsyncedWrites))])
        host.settle()
        #expect(host.replies[first] == [.rangeDeleted(count: 100, dryRun: false)])
        #expect(host.run(.deleteRange("m", "n")) == .rangeDeleted(count: 100, dryRun: false))
    }

    @Test func aCountThatNobodyWaitsForIsStopped() {
        var host = ShardHost()
        _ = host.run(.put("k", "v"))
        let count = host.send(.count(.all))
        let delete = host.send(.deleteRange("a", "z"))
        #expect(host.readCount == 2)
        host.expire(count)
        host.expire(delete)
        #expect(host.stopped == Set(host.reads.map(\.0)))
        host.settle()
        #expect(host.run(.get("k")) == .found("v"))
        let held = host.shard.heldResource
        #expect(held == nil)
    }

    @Test func writesBeforeItGoAndWritesAfterItStay() {
        var host = ShardHost()
        let before = host.send(.put("k", "before"))
        let delete = host.send(.deleteRange("a", "z"))
        let after = host.send(.put("k", "after"))
        let elsewhere = host.send(.put("~", "beside"))
        host.endTurn()
        host.sync()
        #expect(host.replies[before] != nil)
        #expect(host.replies[elsewhere] != nil, "a write outside the range waits for nothing")
        #expect(host.replies[after] == nil)
        host.settle()
        #expect(host.replies[delete] == [.rangeDeleted(count: 1, dryRun: false)])
        #expect(host.run(.get("k")) == .found("after"))
    }

    @Test func overlappingDeletesFollowEachOther() {
        var host = ShardHost()
        for key in ["a", "b", "c"] { _ = host.run(.put(key, "v")) }
        let first = host.send(.deleteRange("a", "c"))
        let second = host.send(.deleteRange("b", "d"))
        host.settle()
        #expect(host.replies[first] == [.rangeDeleted(count: 2, dryRun: false)])
        #expect(host.replies[second] == [.rangeDeleted(count: 1, dryRun: false)])
    }

    @Test func aSwapThatWaitedForItsLatchStillWaitsForTheRange() {
        var host = ShardHost()
        let put = host.send(.put("k", "1"))
        let swap = host.send(.swap("k", nil, "2"))
        let delete = host.send(.deleteRange("a", "z"))
        host.settle()
        #expect(host.replies[put] == [.written(previous: nil)])
        #expect(host.replies[delete] == [.rangeDeleted(count: 1, dryRun: false)])
        #expect(host.replies[swap] == [.swapped(previous: nil)])
        #expect(host.run(.get("k")) == .found("2"))
    }

    @Test(arguments: ["waiting write", "waiting delete", "counting delete"])
    func whatExpiresLetsTheOthersGoOn(_ victim: String) {
        var host = ShardHost()
        _ = host.run(.put("k", "1"))
        let held = host.send(.put("k", "2"))
        let delete = host.send(.deleteRange("a", "z"))
        let waiting = host.send(.put("k", "3"))
        switch victim {
        case "waiting write":
            host.expire(waiting)
            #expect(host.replies[waiting] == [.refused(.deadlineExceeded)])
            host.settle()
            #expect(host.run(.get("k")) == .missing)
        case "waiting delete":
            host.expire(delete)
            #expect(host.replies[delete] == [.refused(.deadlineExceeded)])
            host.settle()
            #expect(host.run(.get("k")) == .found("3"))
        default:
            host.endTurn()
            host.sync()
            #expect(!host.reads.isEmpty)
            host.expire(delete)
            host.settle()
            #expect(host.run(.get("k")) == .found("3"), "an expired delete deletes nothing")
        }
        #expect(host.replies[held] == [.written(previous: nil)])
        let isIdle = host.shard.isIdle
        #expect(isIdle)
    }

    @Test func whatIsAtTheDiskWhenItExpiresIsUnknown() {
        var host = ShardHost()
        let put = host.send(.put("k", "v"))
        host.endTurn()
        host.expire(put)
        guard case .refused(.outcomeUnknown)? = host.replies[put]?.first else {
            Issue.record("a write at the disk cannot be called back")
            return
        }
        host.settle()
        #expect(host.run(.get("k")) == .found("v"))
    }

    /// Ten thousand waiters of one range and one key go on one after the other, not inside each
    /// other.
    @Test func manyWaitersDoNotNest() {
        var host = ShardHost()
        let delete = host.send(.deleteRange("a", "z"))
        let waiting = (0..<10_000).map { _ in host.send(.swap("k", "no such value", "x")) }
        host.settle()
        #expect(host.replies[delete] == [.rangeDeleted(count: 0, dryRun: false)])
        #expect(waiting.allSatisfy { host.replies[$0] == [.notSwapped(previous: nil)] })
    }
}
