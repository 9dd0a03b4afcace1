/// `/v1/stores` and `/v1/regions`: what a request wants of the cluster, and how that looks in JSON.
package import Base
package import Regions

/// What is wanted of the stores of a cluster.
package enum StoreCommand: Hashable, Sendable {
    case list
    /// A new store, which is reached there.
    /// Who says the same nonce again is the same one.
    case join(address: String, nonce: String?, shown: ShownCertificate)
    case remove(StoreID)
    /// That store leads no more while another can.
    case drain(StoreID)
    /// All of them, or one by its number.
    case regions(UInt64?)
    case transfer(region: UInt64, to: StoreID)

    package var changes: Bool {
        switch self {
        case .list, .regions: false
        case .join, .remove, .drain, .transfer: true
        }
    }
}

/// A group of replicas as one of them sees it.
package struct RegionReport: Hashable, Sendable {
    package struct Replica: Hashable, Sendable {
        package var store: StoreID
        package var role: StoreReport.Role

        package init(store: StoreID, role: StoreReport.Role) {
            self.store = store
            self.role = role
        }
    }

    package var region: UInt64
    package var leader: StoreID?
    package var term: UInt64
    package var commit: UInt64
    package var applied: UInt64
    package var replicas: [Replica]

    package init(
        region: UInt64, leader: StoreID?, term: UInt64, commit: UInt64, applied: UInt64,
        replicas: [Replica]
    ) {
        self.region = region
        self.leader = leader
        self.term = term
        self.commit = commit
        self.applied = applied
        self.replicas = replicas
    }
}

package enum ClusterReport: Hashable, Sendable {
    case stores(StoresReport)
    case regions([RegionReport])
    case region(RegionReport)
}

package struct StoreReport: Hashable, Sendable {
    package enum Role: String, Hashable, Sendable {
        case leader, voter, learner
    }

    package var store: StoreID
    /// Empty if nobody here knows it.
    package var address: String
    package var role: Role
    /// It leads no more while another can; nil if only itself would know.
    package var isDraining: Bool?

    package init(store: StoreID, address: String, role: Role, isDraining: Bool? = nil) {
        self.store = store
        self.address = address
        self.role = role
        self.isDraining = isDraining
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
        switch route {
        case .store: return .stores(.remove(try Self.store(tail)), pretty: pretty)
        case .drain: return .stores(.drain(try Self.store(tail)), pretty: pretty)
        case .regions: return .stores(.regions(nil), pretty: pretty)
        case .region: return .stores(.regions(try Self.region(tail)), pretty: pretty)
        case .transferLeader:
            let region = try Self.region(tail)
            let store = try Self.readBody(request, allowed: FieldNames(.storeID)) {
                (_, fields) throws(Problem) in
                let text = try fields.text(.storeID) { String(decoding: $0, as: UTF8.self) }
                guard let store = text.flatMap(Self.number(_:)).flatMap(UInt32.init(exactly:))
                else {
                    throw fields.mistake(.invalidArgument, .storeID, "Required, such as \"3\".")
                }
                return StoreID(store)
            }
            return .stores(.transfer(region: region, to: store), pretty: pretty)
        default: break
        }
        guard request.method == .post else { return .stores(.list, pretty: pretty) }
        let asked = try Self.readBody(request, allowed: FieldNames(.address, .nonce)) {
            (_, fields) throws(Problem) in
            let text = try fields.text(.address) { String(decoding: $0, as: UTF8.self) }
            guard let text, Self.isBaseURL(text) else {
                throw fields.mistake(
                    .invalidArgument, .address, "Required, such as \"http://10.0.0.2:7171\".")
            }
            let nonce = try fields.text(.nonce) { String(decoding: $0, as: UTF8.self) }
            guard nonce.map(Self.isNonce) ?? true else {
                throw fields.mistake(
                    .invalidArgument, .nonce, "1 to 64 letters, digits, - and _, drawn at random.")
            }
            return (text, nonce)
        }
        let join = StoreCommand.join(
            address: asked.0, nonce: asked.1, shown: request.shown)
        return .stores(join, pretty: pretty)
    }

    /// As it is written here: above zero, without a sign and without zeros in front.
    private static func number(_ text: String) -> UInt64? {
        guard let number = UInt64(text), number > 0, "\(number)" == text else { return nil }
        return number
    }

    private static func store(_ tail: ArraySlice<UInt8>) throws(Problem) -> StoreID {
        let text = Self.text(tail)
        guard let number = number(text).flatMap(UInt32.init(exactly:)) else {
            throw Problem(.routeNotFound, "\(text.prefix(64)) is no store: they are numbers.")
        }
        return StoreID(number)
    }

    private static func region(_ tail: ArraySlice<UInt8>) throws(Problem) -> UInt64 {
        let text = Self.text(tail)
        guard let number = number(text) else {
            throw Problem(.routeNotFound, "\(text.prefix(64)) is no region: they are numbers.")
        }
        return number
    }

    private static func isNonce(_ text: String) -> Bool {
        1...64 ~= text.utf8.count
            && text.utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
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
    package static func cluster(
        _ report: ClusterReport, pretty: Bool, requestID: Bytes
    ) -> Response {
        .json(pretty: pretty, requestID: requestID, capacity: 1024) { json in
            switch report {
            case .stores(let report): report.write(to: &json)
            case .region(let report): report.write(to: &json)
            case .regions(let reports):
                json.beginObject()
                json.name("regions")
                json.beginArray()
                for report in reports { report.write(to: &json) }
                json.endArray()
                json.endObject()
            }
        }
    }
}

extension StoresReport {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("cluster_id", cluster)
        json.member("cluster_name", clusterName)
        json.member("store_id", "\(store)")
        json.name("stores")
        json.beginArray()
        for store in stores {
            json.beginObject()
            json.member("store_id", "\(store.store)")
            json.member("address", store.address)
            json.member("role", store.role.rawValue)
            if let isDraining = store.isDraining { json.member("draining", isDraining) }
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}

extension RegionReport {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("region_id", "\(region)")
        if let leader { json.member("leader_store_id", "\(leader)") }
        json.member("term", term)
        json.member("commit_index", commit)
        json.member("applied_index", applied)
        json.name("replicas")
        json.beginArray()
        for replica in replicas {
            json.beginObject()
            json.member("store_id", "\(replica.store)")
            json.member("role", replica.role.rawValue)
            json.endObject()
        }
        json.endArray()
        json.endObject()
    }
}
