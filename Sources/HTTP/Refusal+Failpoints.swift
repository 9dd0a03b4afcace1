/// A failpoint in the middle of a request: the front answers as if it had no room left.
internal import API
internal import Failpoints
internal import Injection

extension FrontState {
    // Hot path: twice per request.
    @inline(__always)
    func failure(at point: Failpoint) -> Problem? {
        guard let fault = failpoints.reached(point) else { return nil }
        return Problem(
            .overloaded, "The failpoint \(point.name) says \(fault.rawValue).", retryAfter: 1)
    }
}
