/// What the fields `Expect` of a request ask for together: a list, on one line or several
/// (RFC 9110 §5.3, §10.1.1). An expectation that cannot be met refuses the request, whatever stands
/// beside it.
internal import Base

enum Expectation: Sendable {
    case none, proceed, unknown

    mutating func take(_ list: UnsafeBufferPointer<UInt8>) {
        var isUnknown = self == .unknown
        var isProceed = self == .proceed
        HTTP1Grammar.forEachMember(list) { member in
            if equalIgnoringCase(member, "100-continue".utf8) {
                isProceed = true
            } else if !member.isEmpty {
                isUnknown = true
            }
        }
        self = isUnknown ? .unknown : isProceed ? .proceed : .none
    }
}
