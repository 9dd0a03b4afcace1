/// Responses that are about the service and not about keys.
package import Base
package import Telemetry

extension Response {
    /// Links for whoever sends the first `curl` to a new node.
    package static func root(version: String, pretty: Bool, requestID: Bytes) -> Response {
        .json(pretty: pretty, requestID: requestID) { json in
            json.beginObject()
            json.member("service", "martlet")
            json.member("version", version)
            json.member("api_version", contractVersion)
            json.name("links")
            json.beginObject()
            json.member("value", Route.rawValue.template)
            json.member("entry", Route.rawEntry.template + "?key=")
            json.member("scan", Route.rawScan.template + "?prefix=")
            json.member("count", Route.rawCount.template + "?prefix=")
            json.member("batch", Route.rawBatch.template)
            json.member("delete_range", Route.rawDeleteRange.template)
            json.member("compare_and_swap", Route.rawCompareAndSwap.template)
            json.member("limits", Route.limits.template)
            json.member("status", Route.status.template)
            json.member("liveness", Route.liveness.template)
            json.member("readiness", Route.readiness.template + "?verbose=true")
            json.member("metrics", Route.metrics.template)
            json.member("problem", Route.problem.template)
            json.member("openapi", Route.openAPIYAML.template)
            json.member("openapi_json", Route.openAPIJSON.template)
            json.endObject()
            json.name("examples")
            json.beginObject()
            json.member("write", "curl -X PUT -d hello HOST/v1/raw/kv/greeting")
            json.member("read", "curl HOST/v1/raw/kv/greeting")
            json.member("list", "curl 'HOST/v1/raw/scan?prefix=g&pretty=true'")
            json.endObject()
            json.endObject()
        }
    }

    /// The limits that a client can run into; bytes are counted decoded.
    package static func limits(pretty: Bool, requestID: Bytes) -> Response {
        .json(pretty: pretty, requestID: requestID) { json in
            json.beginObject()
            json.member("key_bytes", Limits.keyBytes)
            json.member("value_bytes", Limits.valueBytes)
            json.member("body_bytes", Limits.bodyBytes)
            json.member("url_bytes", Limits.targetBytes)
            json.member("header_bytes", Limits.headerBytes)
            json.member("header_fields", Limits.headerFields)
            json.member("batch_operations", Limits.operationsPerBatch)
            json.member("batch_answer_bytes", Limits.batchAnswerBytes)
            json.member("range_delete_keys", Limits.keysPerRangeDelete)
            json.member("range_delete_key_bytes", Limits.keyBytesPerRangeDelete)
            json.member("page_entries", Limits.entriesPerPage)
            json.member("page_entries_default", Limits.entriesPerPageDefault)
            json.member("page_bytes", Limits.bytesPerPage)
            json.member("ttl_seconds", Limits.timeToLiveSecondsMax)
            json.member("request_timeout_seconds", Limits.requestTimeoutMax.wholeSeconds)
            json.member(
                "request_timeout_seconds_default", Limits.requestTimeoutDefault.wholeSeconds)
            json.member("json_depth", Limits.jsonDepth)
            json.endObject()
        }
    }

    package static func status(_ report: NodeReport, pretty: Bool, requestID: Bytes) -> Response {
        .json(pretty: pretty, requestID: requestID) { json in
            json.beginObject()
            json.member("version", report.version)
            json.member("revision", report.revision)
            json.member("node_id", report.nodeID)
            json.member("store_id", "\(report.store)")
            json.member("started_at", report.startedAt.rfc3339)
            json.member("uptime_seconds", report.uptime.wholeSeconds)
            json.member("ready", report.isReady)
            json.name("store")
            json.beginObject()
            json.member("engine", report.engine)
            if let bound = report.memoryBoundBytes { json.member("memory_bound_bytes", bound) }
            json.member("disk_free_bytes", report.diskFreeBytes)
            json.member("disk_capacity_bytes", report.diskCapacityBytes)
            json.endObject()
            json.name("checks")
            json.beginArray()
            for check in report.checks {
                json.beginObject()
                json.member("name", check.name)
                json.member("ok", check.isPassing)
                json.member("detail", check.detail)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }

    package static func liveness(requestID: Bytes) -> Response {
        .text(Bytes("ok\n".utf8), requestID: requestID)
    }

    /// `ok`, with a line for each check if asked; a problem that names the failing ones if there
    /// are any.
    package static func readiness(
        _ checks: [HealthCheck], verbose: Bool, requestID: Bytes
    ) -> Response {
        let failing = checks.filter { !$0.isPassing }
        guard failing.isEmpty else {
            let names = failing.map(\.name).joined(separator: ", ")
            return Response(
                Problem(
                    .notReady, "Not ready: \(names).",
                    errors: (verbose ? checks : failing).map {
                        Problem.FieldError(
                            pointer: $0.name,
                            detail: ($0.isPassing ? "ok: " : "failing: ") + $0.detail)
                    }, retryAfter: 1),
                requestID: requestID)
        }
        guard verbose else { return .text(Bytes("ok\n".utf8), requestID: requestID) }
        let lines = checks.map { "[+] \($0.name) ok: \($0.detail)\n" }.joined()
        return .text(Bytes((lines + "ok\n").utf8), requestID: requestID)
    }

    /// - Parameter exposition: what the registry wrote, in the format asked for.
    package static func metrics(
        _ exposition: Bytes, _ format: ExpositionFormat, requestID: Bytes
    ) -> Response {
        var response = Response(
            status: 200, contentType: format == .openMetrics ? .openMetrics : .prometheus,
            body: exposition)
        response.requestID = requestID
        response.isStorable = false
        response.set(.vary, CommonValues.accept)
        return response
    }

    /// What a problem's `type` leads to.
    package static func explanation(of code: ProblemCode, requestID: Bytes) -> Response {
        .text(
            Bytes(
                ("\(code.rawValue): \(code.title)\nstatus: \(code.status)\nretry: \(code.retry)\n\n"
                    + code.advice + "\n").utf8), requestID: requestID)
    }

    /// The contract itself: the very file at the top of the sources, embedded when the program was
    /// built, or the copy of it in JSON.
    package static func openAPI(_ form: OpenAPIForm, requestID: Bytes) -> Response {
        var response =
            switch form {
            case .yaml:
                Response(
                    status: 200, contentType: .yaml, body: PackageResources.openapi_yaml)
            case .json:
                Response(
                    status: 200, contentType: .json, body: PackageResources.openapi_json)
            }
        response.requestID = requestID
        return response
    }

    /// `info.version` of the contract.
    package static let contractVersion = "1.0.0"

    private static func text(_ body: Bytes, requestID: Bytes) -> Response {
        var response = Response(status: 200, contentType: .text, body: body)
        response.requestID = requestID
        response.isStorable = false
        return response
    }
}

extension Duration {
    fileprivate var wholeSeconds: UInt64 { wholeNanoseconds / 1_000_000_000 }
}
