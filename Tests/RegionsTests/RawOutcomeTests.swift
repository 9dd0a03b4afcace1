// What is left of an outcome where its keys and values find no room.
import Base
import Regions
import Testing

@Suite struct RawOutcomeTests {
    private static let value = RawValue(value: Bytes("v".utf8))
    private static let full = RawOutcome.refused(.overloaded(resource: .peerRequests))

    @Test(arguments: [
        RawOutcome.missing, .written(previous: nil), .deleted(previous: nil), .counted(7),
        .swapped(previous: nil), .conditionFailed(actual: nil), .refused(.noLeader),
        .rangeDeleted(count: 2, dryRun: false),
    ]) func whatIsSmallIsLeft(outcome: RawOutcome) {
        #expect(outcome.withoutBytes == outcome)
    }

    @Test(arguments: [RawOutcome.found(value), .notSwapped(previous: value)])
    func whatChangedNothingIsAskedAgain(outcome: RawOutcome) {
        #expect(outcome.withoutBytes == Self.full)
    }

    @Test(arguments: [
        RawOutcome.written(previous: value), .deleted(previous: value), .swapped(previous: value),
    ]) func whatHappenedIsNotSaidToHaveFailed(outcome: RawOutcome) {
        guard case .refused(.outcomeUnknown) = outcome.withoutBytes else {
            Issue.record("\(outcome.withoutBytes)")
            return
        }
    }
}
