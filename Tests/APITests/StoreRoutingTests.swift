// What a request wants of the cluster's stores.
import API
import Base
import Regions
import Testing

@Suite struct StoreRoutingTests {
    private func route(
        _ method: Method, _ target: String, body: String? = nil
    ) -> Result<Operation, Problem> {
        var headers = RequestHeaders()
        if body != nil { headers.append(.contentType, Bytes("application/json".utf8)) }
        let request = Request(
            method: method, target: Bytes(target.utf8), headers: headers,
            body: body.map { Bytes($0.utf8) })
        return Router().route(request, generatedID: []).result
    }

    private func code(_ result: Result<Operation, Problem>) -> ProblemCode? {
        if case .failure(let problem) = result { problem.code } else { nil }
    }

    @Test func commands() throws {
        #expect(try route(.get, "/v1/stores").get() == .stores(.list, pretty: false))
        #expect(
            try route(.delete, "/v1/stores/3?pretty=true").get()
                == .stores(.remove(StoreID(3)), pretty: true))
        #expect(
            try route(.post, "/v1/stores/3/drain").get()
                == .stores(.drain(StoreID(3)), pretty: false))
        #expect(try route(.get, "/v1/regions").get() == .stores(.regions(nil), pretty: false))
        #expect(try route(.get, "/v1/regions/7").get() == .stores(.regions(7), pretty: false))
        #expect(
            try route(.post, "/v1/regions/7/transfer-leader", body: #"{"store_id":"3"}"#).get()
                == .stores(.transfer(region: 7, to: StoreID(3)), pretty: false))
        let body = #"{"address":"https://[::1]:7171"}"#
        #expect(
            try route(.post, "/v1/stores", body: body).get()
                == .stores(
                    .join(address: "https://[::1]:7171", nonce: nil, shown: .none), pretty: false))
        let again = #"{"address":"http://a","nonce":"a-Z_9"}"#
        #expect(
            try route(.post, "/v1/stores", body: again).get()
                == .stores(.join(address: "http://a", nonce: "a-Z_9", shown: .none), pretty: false))
        for nonce in ["", "a b", String(repeating: "a", count: 65)] {
            let body = #"{"address":"http://a","nonce":"\#(nonce)"}"#
            #expect(code(route(.post, "/v1/stores", body: body)) == .invalidArgument)
        }
    }

    @Test(arguments: [
        "{}", #"{"address":"10.0.0.1:7171"}"#, #"{"address":7}"#, #"{"address":"http://"}"#,
        #"{"address":"http://a/b"}"#, #"{"address":"http://a\r\nb"}"#,
    ])
    func anAddressIsAURL(_ body: String) {
        #expect(code(route(.post, "/v1/stores", body: body)) == .invalidArgument)
    }

    @Test(arguments: ["", "0", "x", "-1", "+1", "01", "4294967296"])
    func aStoreIsANumber(_ name: String) {
        #expect(code(route(.delete, "/v1/stores/\(name)")) == .routeNotFound)
    }

    @Test(arguments: ["{}", #"{"store_id":3}"#, #"{"store_id":"0"}"#, #"{"store_id":"x"}"#])
    func aTransferNamesAStore(_ body: String) {
        let path = "/v1/regions/1/transfer-leader"
        #expect(code(route(.post, path, body: body)) == .invalidArgument)
        #expect(code(route(.post, "/v1/regions/x/transfer-leader", body: body)) == .routeNotFound)
    }

    @Test func unknownFieldsAreRefused() {
        let body = #"{"address":"http://a:1","port":1}"#
        #expect(code(route(.post, "/v1/stores", body: body)) == .unknownField)
    }
}
