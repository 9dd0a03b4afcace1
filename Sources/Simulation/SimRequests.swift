/// Commands as a client writes them: HTTP requests in one of the lanes of the API.
///
/// Written here a second time and not taken from `API`: a mistake in how the node reads a request
/// must not be mirrored by the one who checks its answers.
internal import API
internal import Base
internal import Regions

/// How a client words a command that can be worded in several ways.
enum Lane: Hashable, Sendable {
    case bytes
    case json
    case batch
}

struct RequestWriter {
    var timeout: String?
    var ask: ReadAsk?

    func request(for commands: [RawCommand], lane: Lane, cursor: Bytes?) -> Request {
        var request =
            lane == .batch || commands.count > 1
            ? batch(commands) : single(commands[0], lane: lane, cursor: cursor)
        if let timeout { request.headers.append(.requestTimeout, Bytes(timeout.utf8)) }
        return request
    }

    private func single(_ command: RawCommand, lane: Lane, cursor: Bytes?) -> Request {
        switch command {
        case .get(let key):
            let target =
                lane == .bytes
                ? path(key, rule) : path("/v1/raw/entry", [parameter("key", key)] + rule)
            return Request(method: .get, target: target)
        case .put(let put): return lane == .bytes ? bytesPut(put) : jsonPut(put)
        case .delete(let delete):
            var query: [Bytes] = lane == .bytes ? [] : [parameter("key", delete.key)]
            if delete.returnPrevious { query.append(Bytes("return_previous=true".utf8)) }
            let target =
                lane == .bytes ? path(delete.key, query) : path("/v1/raw/entry", query)
            return Request(
                method: .delete, target: target, headers: headers(delete.condition))
        case .compareAndSwap: return post("/v1/raw/cas") { object(command, in: &$0, named: false) }
        case .scan(let scan): return self.scan(scan, cursor: cursor)
        case .count(let range):
            return Request(method: .get, target: path("/v1/raw/count", bounds(range) + rule))
        case .deleteRange:
            return post("/v1/raw/delete-range") { object(command, in: &$0, named: false) }
        }
    }

    private var rule: [Bytes] { ask?.parameters ?? [] }

    private func bytesPut(_ put: RawPut) -> Request {
        var query: [Bytes] = []
        if let ttl = put.timeToLive { query.append(Bytes("ttl_seconds=\(ttl)".utf8)) }
        if put.returnPrevious { query.append(Bytes("return_previous=true".utf8)) }
        return Request(
            method: .put, target: path(put.key, query), headers: headers(put.condition),
            body: put.value)
    }

    private func jsonPut(_ put: RawPut) -> Request {
        var json = JSONWriter()
        json.beginObject()
        members(of: put, in: &json)
        json.endObject()
        return withBody(json, method: .put, target: "/v1/raw/entry")
    }

    private func scan(_ scan: RawScan, cursor: Bytes?) -> Request {
        var query = [Bytes("limit=\(scan.limit)".utf8)]
        if let cursor {
            query.append(Bytes("cursor=".utf8) + cursor)
        } else {
            query += bounds(scan.range)
            if scan.reverse { query.append(Bytes("reverse=true".utf8)) }
            if scan.keysOnly { query.append(Bytes("keys_only=true".utf8)) }
        }
        return Request(method: .get, target: path("/v1/raw/scan", query + rule))
    }

    private func batch(_ commands: [RawCommand]) -> Request {
        post("/v1/raw/batch") { json in
            json.name("ops")
            json.beginArray()
            for command in commands {
                json.beginObject()
                object(command, in: &json, named: true)
                json.endObject()
            }
            json.endArray()
        }
    }

    // MARK: Parts

    private func object(_ command: RawCommand, in json: inout JSONWriter, named: Bool) {
        func operation(_ name: String) {
            if named { json.member("op", name) }
        }
        switch command {
        case .get(let key):
            operation("get")
            json.twin("key", "key_base64", key.bytes)
        case .put(let put):
            operation("put")
            members(of: put, in: &json)
        case .delete(let delete):
            operation("delete")
            json.twin("key", "key_base64", delete.key.bytes)
            members(of: delete.condition, in: &json)
            if delete.returnPrevious { json.member("return_previous", true) }
        case .compareAndSwap(let swap):
            operation("cas")
            members(of: swap, in: &json)
        case .deleteRange(let range, let isDryRun):
            operation("delete_range")
            if range == .all {
                json.member("all", true)
            } else {
                json.twin("start", "start_base64", range.start.bytes)
                if let end = range.end { json.twin("end", "end_base64", end.bytes) }
            }
            if isDryRun { json.member("dry_run", true) }
        case .scan, .count: invariant(false, "the workload puts no scan and no count into a batch")
        }
    }

    private func members(of put: RawPut, in json: inout JSONWriter) {
        json.twin("key", "key_base64", put.key.bytes)
        json.twin("value", "value_base64", put.value)
        if let ttl = put.timeToLive { json.member("ttl_seconds", ttl) }
        members(of: put.condition, in: &json)
        if put.returnPrevious { json.member("return_previous", true) }
    }

    private func members(of condition: RawCondition, in json: inout JSONWriter) {
        switch condition {
        case .none: break
        case .absent: json.member("if_absent", true)
        case .present: json.member("if_etag", "*")
        case .matchesAny(let tags): json.member("if_etag", tags[0].tag)
        case .matchesNone, .presentMatchingNone:
            invariant(false, "the JSON lane has no such condition")
        }
    }

    private func members(of swap: RawCompareAndSwap, in json: inout JSONWriter) {
        json.twin("key", "key_base64", swap.key.bytes)
        if let expected = swap.expected {
            json.twin("previous_value", "previous_value_base64", expected)
        } else {
            json.member("previous_absent", true)
        }
        switch swap.replacement {
        case .delete: json.member("delete", true)
        case .put(let value, let ttl):
            json.twin("value", "value_base64", value)
            if let ttl { json.member("ttl_seconds", ttl) }
        }
    }

    private func headers(_ condition: RawCondition) -> RequestHeaders {
        var headers = RequestHeaders()
        func list(_ tags: [Fingerprint]) -> Bytes {
            Bytes(tags.map(\.quotedTag).joined(separator: Bytes(", ".utf8)))
        }
        switch condition {
        case .none: break
        case .absent: headers.append(.ifNoneMatch, Bytes("*".utf8))
        case .present: headers.append(.ifMatch, Bytes("*".utf8))
        case .matchesAny(let tags): headers.append(.ifMatch, list(tags))
        case .matchesNone(let tags): headers.append(.ifNoneMatch, list(tags))
        case .presentMatchingNone(let tags):
            headers.append(.ifMatch, Bytes("*".utf8))
            headers.append(.ifNoneMatch, list(tags))
        }
        return headers
    }

    private func bounds(_ range: KeyRange) -> [Bytes] {
        var query: [Bytes] = []
        if range.start != .least { query.append(parameter("start", range.start)) }
        if let end = range.end { query.append(parameter("end", end)) }
        return query
    }

    private func parameter(_ name: String, _ key: Key) -> Bytes {
        // What is not text goes into the twin, in URL-safe base64.
        TextScan.isUTF8(key.bytes)
            ? Bytes("\(name)=".utf8) + PercentCoding.encode(key.bytes)
            : Bytes("\(name)_base64=".utf8) + Base64.encodeForURL(key.bytes)
    }

    private func path(_ key: Key, _ query: [Bytes] = []) -> Bytes {
        path("/v1/raw/kv/", query, tail: PercentCoding.encode(key.bytes))
    }

    private func path(_ path: String, _ query: [Bytes], tail: Bytes = []) -> Bytes {
        var target = Bytes(path.utf8) + tail
        for (index, parameter) in query.enumerated() {
            target.append(UInt8(ascii: index == 0 ? "?" : "&"))
            target += parameter
        }
        return target
    }

    private func post(_ target: String, _ write: (inout JSONWriter) -> Void) -> Request {
        var json = JSONWriter()
        json.beginObject()
        write(&json)
        json.endObject()
        return withBody(json, method: .post, target: target)
    }

    private func withBody(_ json: JSONWriter, method: Method, target: String) -> Request {
        var headers = RequestHeaders()
        headers.append(.contentType, Bytes("application/json".utf8))
        return Request(
            method: method, target: Bytes(target.utf8), headers: headers, body: json.bytes)
    }
}
