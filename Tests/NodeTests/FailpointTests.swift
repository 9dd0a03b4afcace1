// The gateway's part of failpoints: the route, the question to the host, and refusals by the host.
import API
import Base
import Failpoints
import Node
import Telemetry
import Testing

@Suite struct FailpointTests {
    private func answer(
        _ host: inout NodeHost, _ method: Method, _ target: String, _ body: String? = nil
    ) throws -> Response {
        let exchange = host.send(method, target, body, [.contentType: "application/json"])
        host.settle()
        return try #require(host.responses[exchange]?.first)
    }

    @Test func theyAreSetShownAndCleared() throws {
        var host = NodeHost(hasFailpoints: true)
        let path = "/v1/debug/failpoints/log.sync"
        let set = try answer(&host, .put, path, #"{"actions":" 1*sleep(100) -> off "}"#)
        #expect(
            set.text == #"{"name":"log.sync","actions":"1*sleep(100)->off","hits":0,"#
                + #""place":"before a batch goes into the log with its sync","ground":"thread","#
                + #""returns":["io_error","corrupt","disk_full"]}"# + "\n")
        #expect(try answer(&host, .get, path).text == set.text)
        let all = try answer(&host, .get, "/v1/debug/failpoints").text
        #expect(all.contains(set.text.dropLast()))
        #expect(try !answer(&host, .delete, path).text.contains("actions"))
        _ = try answer(&host, .put, path, #"{"actions":"panic"}"#)
        #expect(try !answer(&host, .delete, "/v1/debug/failpoints").text.contains("actions"))
        let isIdle = host.gateway.isIdle
        #expect(isIdle)
    }

    @Test func withoutTheSwitchNothingIsThere() throws {
        var host = NodeHost()
        for (method, path) in [
            (Method.get, "/v1/debug/failpoints"), (.put, "/v1/debug/failpoints/log.sync"),
            (.delete, "/v1/debug/failpoints/none"), (.post, "/v1/debug/failpoints"),
        ] {
            let response = try answer(&host, method, path, "not even JSON")
            #expect(response.status == 404 && response.problem == .routeNotFound)
        }
    }

    @Test func methodsAndBodiesAreChecked() throws {
        var host = NodeHost(hasFailpoints: true)
        #expect(try answer(&host, .put, "/v1/debug/failpoints").status == 405)
        let path = "/v1/debug/failpoints/log.sync"
        #expect(try answer(&host, .put, path).problem == .bodyRequired)
        #expect(try answer(&host, .put, path, "{").problem == .malformedJSON)
        let unknown = try answer(&host, .put, path, #"{"action":"off"}"#)
        #expect(unknown.problem == .unknownField && unknown.text.contains("Did you mean actions?"))
    }

    @Test func aRefusalOfTheHostIsAnAnswerLikeAnyOther() throws {
        var host = NodeHost()
        let problem = Problem(.overloaded, "A test says so.", retryAfter: 1)
        let exchange = host.refuse(.put, "/v1/raw/kv/k", problem)
        let response = try #require(host.responses[exchange]?.first)
        #expect(response.status == 429 && response.requestID?.isEmpty == false)
        var scrape = Scrape()
        host.gateway.measure(into: &scrape)
        let text = String(decoding: scrape.exposition(.prometheus), as: UTF8.self)
        #expect(text.contains(#"martlet_errors_total{code="overloaded"} 1"#))
        let labels = #"{route="/v1/raw/kv/{key}",method="PUT",code="429"}"#
        #expect(text.contains("martlet_http_requests_total\(labels) 1"))
        #expect(try answer(&host, .get, "/v1/raw/kv/k").status == 404, "nothing was written")
    }
}
