/// How a request looks to the server under load: Martlet's raw API, or a peer that is compared with
/// it.
///
/// Requests are written into one that is reused, so a GET costs no allocation. Keys are `bench:`
/// and ten digits: they need no escaping in a path, in JSON, or for Redis.
package import Base
package import HTTP

package enum LoadTarget: String, CaseIterable, Hashable, Sendable {
    case martlet
    /// etcd's JSON gateway: `POST /v3/kv/…` with base64.
    case etcd
    /// Redis behind webdis: `GET /GET/key`, `PUT /SET/key`.
    case webdis
    /// GET of the URL itself, whatever the key: a server of static files.
    case file
}

package struct RequestShape: Sendable {
    private let target: LoadTarget
    private let path: Bytes
    /// Letters and digits to cut values from, so that a value costs one copy and does not compress
    /// away.
    private let pool: Bytes
    private let valueSize: Int

    private static let poolBytes = 1 << 20
    private static let json = [ClientHeader("content-type", "application/json")]
    /// Of every request but a batch.
    private let headers: [ClientHeader]

    package init(_ target: LoadTarget, path: Bytes, valueSize: Int, random: SeededGenerator) {
        self.target = target
        self.path = path
        self.valueSize = valueSize
        headers = target == .etcd ? Self.json : []
        var random = random
        let letters = Bytes("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_".utf8)
        pool = (0..<Self.poolBytes + valueSize).map { _ in letters[Int(random.next() & 63)] }
    }

    /// What this target cannot do.
    package func supports(_ kind: OperationKind) -> Bool {
        switch target {
        case .martlet: true
        case .etcd: kind != .batch
        case .webdis: kind != .batch && kind != .scan
        case .file: kind == .read
        }
    }

    // Hot path: once per request.
    package func read(_ key: Int, into request: inout ClientRequest) {
        request.body = nil
        request.headers = headers
        request.target.removeAll(keepingCapacity: true)
        switch target {
        case .martlet:
            request.method = "GET"
            request.target.append(contentsOf: "/v1/raw/kv/".utf8)
            Self.append(key, to: &request.target)
        case .webdis:
            request.method = "GET"
            request.target.append(contentsOf: "/GET/".utf8)
            Self.append(key, to: &request.target)
        case .file:
            request.method = "GET"
            request.target.append(contentsOf: path)
        case .etcd:
            request.method = "POST"
            request.target.append(contentsOf: "/v3/kv/range".utf8)
            request.body = Bytes("{\"key\":\"\(base64(key))\"}".utf8)
        }
    }

    package func update(_ key: Int, draw: UInt64, into request: inout ClientRequest) {
        let start = Int(draw % UInt64(Self.poolBytes))
        let value = pool[start..<start + valueSize]
        request.headers = headers
        request.target.removeAll(keepingCapacity: true)
        switch target {
        case .martlet, .file:
            request.method = "PUT"
            request.target.append(contentsOf: "/v1/raw/kv/".utf8)
            Self.append(key, to: &request.target)
            request.body = Bytes(value)
        case .webdis:
            request.method = "PUT"
            request.target.append(contentsOf: "/SET/".utf8)
            Self.append(key, to: &request.target)
            request.body = Bytes(value)
        case .etcd:
            request.method = "POST"
            request.target.append(contentsOf: "/v3/kv/put".utf8)
            let text = String(decoding: Base64.encode(Bytes(value)), as: UTF8.self)
            request.body = Bytes("{\"key\":\"\(base64(key))\",\"value\":\"\(text)\"}".utf8)
        }
    }

    package func scan(from key: Int, limit: Int, into request: inout ClientRequest) {
        request.headers = headers
        request.target.removeAll(keepingCapacity: true)
        guard target == .etcd else {
            request.method = "GET"
            request.body = nil
            request.target.append(contentsOf: "/v1/raw/scan?start=".utf8)
            Self.append(key, to: &request.target)
            request.target.append(contentsOf: "&limit=\(limit)".utf8)
            return
        }
        request.method = "POST"
        request.target.append(contentsOf: "/v3/kv/range".utf8)
        // One past `bench:` and its digits.
        let end = String(decoding: Base64.encode(Bytes("bench;".utf8)), as: UTF8.self)
        let body = "{\"key\":\"\(base64(key))\",\"range_end\":\"\(end)\",\"limit\":\"\(limit)\"}"
        request.body = Bytes(body.utf8)
    }

    /// Puts of `keys`, in one request.
    package func batch(_ keys: some Sequence<Int>, draw: UInt64, into request: inout ClientRequest)
    {
        request.method = "POST"
        request.headers = Self.json
        request.target = Bytes("/v1/raw/batch".utf8)
        var body = Bytes("{\"ops\":[".utf8)
        var start = Int(draw % UInt64(Self.poolBytes))
        for (index, key) in keys.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body.append(contentsOf: "{\"op\":\"put\",\"key\":\"".utf8)
            Self.append(key, to: &body)
            body.append(contentsOf: "\",\"value\":\"".utf8)
            body.append(contentsOf: pool[start..<start + valueSize])
            body.append(contentsOf: "\"}".utf8)
            start = (start + valueSize + 1) % Self.poolBytes
        }
        body.append(contentsOf: "]}".utf8)
        request.body = body
    }

    private func base64(_ key: Int) -> String {
        var bytes: Bytes = []
        Self.append(key, to: &bytes)
        return String(decoding: Base64.encode(bytes), as: UTF8.self)
    }

    private static func append(_ key: Int, to bytes: inout Bytes) {
        bytes.append(contentsOf: "bench:".utf8)
        let start = bytes.count
        bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: 10))
        var rest = key
        var index = start + 9
        while rest > 0, index >= start {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            index -= 1
        }
    }
}
