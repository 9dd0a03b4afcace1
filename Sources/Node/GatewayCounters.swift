/// What a gateway counts: plain integers and histograms of its own, read by a scrape.
internal import API
internal import Base
internal import Regions
package import Telemetry

package struct GatewayCounters: Sendable {
    /// One route's answers to one method. Few statuses each, so a short list beats a dictionary.
    private struct Answers: Sendable {
        var byStatus: [(status: Int, count: UInt64)] = []
        var durations = Histogram(.requestDuration)

        mutating func count(_ status: Int, nanoseconds: UInt64) {
            durations.observe(nanoseconds)
            for index in byStatus.indices where byStatus[index].status == status {
                byStatus[index].count += 1
                return
            }
            byStatus.append((status, 1))
        }
    }

    private static let methods = Method.allCases.count
    /// By route, then method.
    private var answers = [Answers?](
        repeating: nil, count: Route.allCases.count * methods)
    private var problems: [ProblemCode: UInt64] = [:]
    var requestSize = Histogram(.size)
    private var responseSize = Histogram(.size)
    /// Requests whose client left before the answer.
    var cancelled: UInt64 = 0
    /// What became of a run that was sent to another store. The raw values are frozen: dashboards
    /// name them.
    enum Forwarding: String, CaseIterable, Hashable, Sendable {
        case answered
        /// It took none of it.
        case refused
        /// Its connection broke before it had answered.
        case lost
        /// The time of the request was over first.
        case expired
    }

    var forwarded: [Forwarding: UInt64] = [:]
    /// Runs that nobody took, and that wait for a leader.
    var leaderWaits: UInt64 = 0
    /// Reads that were done and refused, because too much waited to be answered.
    var answersRefused: UInt64 = 0

    init() {}

    // Hot path: once per request.
    mutating func count(
        _ context: ExchangeContext, _ response: Response, nanoseconds: UInt64
    ) {
        let place = context.route.ordinal * Self.methods + context.method.ordinal
        if answers[place] == nil { answers[place] = Answers() }
        answers[place]?.count(response.status, nanoseconds: nanoseconds)
        responseSize.observe(UInt64(response.body.count))
        if let code = response.problem { problems[code, default: 0] += 1 }
    }

    fileprivate func measure(into scrape: inout Scrape) {
        for route in Route.allCases {
            for method in Method.allCases {
                let place = route.ordinal * Self.methods + method.ordinal
                guard let answers = answers[place] else { continue }
                for (status, count) in answers.byStatus {
                    scrape.add(
                        .httpRequests, count, [route.template, method.name, String(status)])
                }
                scrape.add(
                    .httpRequestDuration, answers.durations, [route.template, method.name])
            }
        }
        for code in ProblemCode.allCases {
            scrape.add(.errors, problems[code] ?? 0, [code.rawValue])
        }
        scrape.add(.httpRequestSize, requestSize)
        scrape.add(.httpResponseSize, responseSize)
        scrape.add(.requestsCancelled, cancelled)
        scrape.add(.leaderWaits, leaderWaits)
        for result in Forwarding.allCases {
            scrape.add(.forwarded, forwarded[result] ?? 0, [result.rawValue])
        }
        scrape.add(.overloaded, answersRefused, [Refusal.Resource.largeAnswers.label])
    }
}

extension Gateway {
    package func measure(into scrape: inout Scrape) {
        counters.measure(into: &scrape)
        scrape.add(.httpRequestsInFlight, UInt64(inHand))
    }
}
