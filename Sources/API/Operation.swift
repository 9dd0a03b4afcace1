/// What a request asks for, decoded and checked, and how its answer is to look.
package import Base
package import Failpoints
package import Regions
package import Telemetry

package enum Operation: Hashable, Sendable {
    case raw(RawRequest)
    case limits(pretty: Bool)
    case status(pretty: Bool)
    case root(pretty: Bool)
    case openAPI(OpenAPIForm)
    case liveness
    case readiness(verbose: Bool)
    case metrics(ExpositionFormat)
    case problem(ProblemCode)
    case stores(StoreCommand, pretty: Bool)
    case failpoints(FailpointCommand, pretty: Bool)
}

package enum OpenAPIForm: Hashable, Sendable {
    case yaml, json
}

/// Commands in the order in which they are to be carried out, and how their outcomes become the
/// response.
package struct RawRequest: Hashable, Sendable {
    package var commands: [RawCommand]
    package var answer: RawAnswer
    /// Of reads; nil: nothing was said, and the leader answers.
    package var rule: ReadRule?
    /// `timeout_ms`
    package var timeout: Duration?

    package init(commands: [RawCommand], answer: RawAnswer) {
        self.commands = commands
        self.answer = answer
    }
}

package struct RawAnswer: Hashable, Sendable {
    package enum Lane: Hashable, Sendable {
        /// The value's bytes as the body.
        case value(Preconditions)
        case json(RawItem)
        /// One page as lines.
        case ndjson(RawItem)
        case batch([RawItem])
    }

    package var lane: Lane
    package var isPretty = false
    /// `encoding=base64`: twins even for what is text.
    package var forcesBase64 = false

    package init(_ lane: Lane) { self.lane = lane }
}

/// What one command's outcome needs to become JSON, beside the outcome itself.
package enum RawItem: Hashable, Sendable {
    case entry(Key)
    /// The tag of the value written, and whether success means that the key was absent.
    case written(Key, Fingerprint, isCreation: Bool)
    case deleted(Key)
    /// The tag of the value put if the swap happens; nil if it deletes.
    case swapped(Key, Fingerprint?)
    indirect case page(ScanCursor)
    case count
    case rangeDeleted
}

/// A request after routing.
package struct Routed: Hashable, Sendable {
    package var route: Route
    /// What the client, its trace, or this node calls the request; belongs into every response.
    package var requestID: Bytes
    /// How long the client waits.
    package var timeout: Duration
    package var result: Result<Operation, Problem>
}
