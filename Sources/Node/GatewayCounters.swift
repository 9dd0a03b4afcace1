/// What a gateway counts: plain integers and histograms of its own, read by a scrape.
internal import API
internal import Base
package import Telemetry

package struct GatewayCounters: Sendable {
    private struct Answered: Hashable, Sendable {
        var route: Route
        var method: Method
        var status: Int
    }

    private struct Timed: Hashable, Sendable {
        var route: Route
        var method: Method
    }

    private var answered: [Answered: UInt64] = [:]
    private var durations: [Timed: Histogram] = [:]
    private var problems: [ProblemCode: UInt64] = [:]
    var requestSize = Histogram(.size)
    private var responseSize = Histogram(.size)
    /// Requests whose client left before the answer.
    var cancelled: UInt64 = 0

    init() {}

    // Hot path: once per request.
    mutating func count(
        _ context: ExchangeContext, _ response: Response, _ duration: Duration
    ) {
        let key = Answered(route: context.route, method: context.method, status: response.status)
        answered[key, default: 0] += 1
        durations[
            Timed(route: context.route, method: context.method),
            default: Histogram(.requestDuration)
        ].observe(duration.wholeNanoseconds)
        responseSize.observe(UInt64(response.body.count))
        if let code = response.problem { problems[code, default: 0] += 1 }
    }

    fileprivate func measure(into scrape: inout Scrape) {
        for (key, count) in answered {
            scrape.add(
                .httpRequests, count,
                [key.route.template, key.method.name, String(key.status)])
        }
        for (key, histogram) in durations {
            scrape.add(.httpRequestDuration, histogram, [key.route.template, key.method.name])
        }
        for code in ProblemCode.allCases {
            scrape.add(.errors, problems[code] ?? 0, [code.rawValue])
        }
        scrape.add(.httpRequestSize, requestSize)
        scrape.add(.httpResponseSize, responseSize)
        scrape.add(.requestsCancelled, cancelled)
    }
}

extension Gateway {
    package func measure(into scrape: inout Scrape) {
        counters.measure(into: &scrape)
        scrape.add(.httpRequestsInFlight, UInt64(pending.count))
    }
}
