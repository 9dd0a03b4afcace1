/// `/v1/stores`: what a request wants of the cluster's stores, and how they look in JSON.
package import Base
package import Regions

/// What is wanted of the stores of a cluster.
package enum StoreCommand: Hashable, Sendable {
    case list
    /// A new store, which is reached there.
    case join(address: String)
    case remove(StoreID)
}

package struct StoreReport: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable {
        case leader, voter, learner
    }

    package var store: StoreID
    /// Empty if nobody here knows it.
    package var address: String
    package var role: Role

    package init(store: StoreID, address: String, role: Role) {
        self.store = store
        self.address = address
        self.role = role
    }
}

/// The stores as the one that was asked sees them.
package struct StoresReport: Hashable, Sendable {
    package var cluster: String
    package var clusterName: String
    /// Who answers; or, to a join, who the new store is.
    package var store: StoreID
    package var stores: [StoreReport]

    package init(
        cluster: String, clusterName: String, store: StoreID, stores: [StoreReport]
    ) {
        self.cluster = cluster
        self.clusterName = clusterName
        self.store = store
        self.stores = stores
    }
}

extension Router {
    func stores(
        _ route: Route, _ request: Request, tail: ArraySlice<UInt8>, query: ArraySlice<UInt8>?
    ) throws(Problem) -> Operation {
        let pretty = try pretty(query)
        if route == .store {
            let text = Self.text(tail)
            guard let number = UInt32(text), number > 0, "\(number)" == text else {
                throw Problem(.routeNotFound, "\(text.prefix(64)) is no store: they are numbers.")
            }
            return .stores(.remove(StoreID(number)), pretty: pretty)
        }
        guard request.method == .post else { return .stores(.list, pretty: pretty) }
        let address = try Self.readBody(request, allowed: FieldNames(.address)) {
            (_, fields) throws(Problem) in
            let text = try fields.text(.address) { String(decoding: $0, as: UTF8.self) }
            guard let text, Self.isBaseURL(text) else {
                throw fields.mistake(
                    .invalidArgument, .address, "Required, such as \"http://10.0.0.2:7171\".")
            }
            return text
        }
        return .stores(.join(address: address), pretty: pretty)
    }

    /// A scheme, a host and perhaps a port; no path.
    private static func isBaseURL(_ text: String) -> Bool {
        let scheme = ["http://", "https://"].first { text.hasPrefix($0) }
        guard let scheme, text.utf8.count <= Limits.storeAddressBytes else { return false }
        let place = text.utf8.dropFirst(scheme.utf8.count)
        let others = Set("._:[]-".utf8)
        return !place.isEmpty
            && place.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || others.contains(byte)
            }
    }
}

extension Response {
    package static func stores(
        _ report: StoresReport, pretty: Bool, requestID: Bytes
    ) -> Response {
        .json(pretty: pretty, requestID: requestID, capacity: 1024) { json in
            json.beginObject()
            json.member("cluster_id", report.cluster)
            json.member("cluster_name", report.clusterName)
            json.member("store_id", "\(report.store)")
            json.name("stores")
            json.beginArray()
            for store in report.stores {
                json.beginObject()
                json.member("store_id", "\(store.store)")
                json.member("address", store.address)
                json.member("role", store.role.rawValue)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }
}
