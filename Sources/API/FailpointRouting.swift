/// `/v1/debug/failpoints`: what a request wants of a node's failpoints, and how they look in
/// JSON.
package import Base
package import Failpoints

extension Router {
    func failpoints(
        _ route: Route, _ request: Request, tail: ArraySlice<UInt8>, query: ArraySlice<UInt8>?
    ) throws(Problem) -> Operation {
        let pretty = try pretty(query)
        guard route == .failpoint else {
            return .failpoints(request.method == .delete ? .clearAll : .list, pretty: pretty)
        }
        let point = try Self.failpoint(Self.text(tail))
        switch request.method {
        case .put:
            let program = try Self.readBody(request, allowed: FieldNames(.actions)) {
                (_, fields) throws(Problem) in
                try fields.failpointProgram(for: point)
            }
            let setting = FailpointSetting(point: point, program: program)
            return .failpoints(.set(setting), pretty: pretty)
        case .delete: return .failpoints(.clear(point), pretty: pretty)
        default: return .failpoints(.show(point), pretty: pretty)
        }
    }

    private static func failpoint(_ name: String) throws(Problem) -> Failpoint {
        do throws(FailpointMistake) {
            return try Failpoint(name: name)
        } catch {
            throw Problem(.routeNotFound, "\(name.prefix(64)): \(error.reason)")
        }
    }
}

extension Fields {
    fileprivate func failpointProgram(for point: Failpoint) throws(Problem) -> FailpointProgram {
        let text = try text(.actions) { String(decoding: $0, as: UTF8.self) }
        guard let text else {
            throw mistake(.invalidArgument, .actions, "Required, such as \"1*sleep(100)->off\".")
        }
        do throws(FailpointMistake) {
            return try FailpointProgram(text, for: point)
        } catch {
            throw mistake(.invalidArgument, .actions, "\(error).")
        }
    }
}

extension Problem {
    /// What a failpoint of the host has a request refused with; nil if the fault is no refusal.
    package init?(injected fault: InjectedFault, at point: Failpoint) {
        guard let code = ProblemCode(rawValue: fault.rawValue) else { return nil }
        self.init(
            code, "The failpoint \(point.name) says so. Nothing was done.",
            retryAfter: code.retry == "same_request" ? 1 : nil)
    }
}

extension Response {
    /// - Parameter states: one for a request that names one.
    package static func failpoints(
        _ states: [FailpointState], of command: FailpointCommand, pretty: Bool, requestID: Bytes
    ) -> Response {
        .json(pretty: pretty, requestID: requestID, capacity: 8192) { json in
            switch command {
            case .show, .set, .clear: states.first?.write(to: &json)
            case .list, .clearAll:
                json.beginObject()
                json.name("failpoints")
                json.beginArray()
                for state in states { state.write(to: &json) }
                json.endArray()
                json.endObject()
            }
        }
    }
}

extension FailpointState {
    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.member("name", point.name)
        if let program { json.member("actions", program.description) }
        json.member("hits", hits)
        json.member("place", point.place)
        json.member("ground", point.ground.rawValue)
        json.name("returns")
        json.beginArray()
        for fault in point.faults { json.string(fault.rawValue) }
        json.endArray()
        json.endObject()
    }
}
