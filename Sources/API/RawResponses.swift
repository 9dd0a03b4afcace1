/// Outcomes of raw commands to responses.
package import Base
package import Regions

/// The response to `request`, whose commands had these outcomes, one for each, in order.
package func respond(
    to request: RawRequest, with outcomes: [RawOutcome], served: Served? = nil, requestID: Bytes
) -> Response {
    var response = respond(to: request, with: outcomes, served?.stamp, requestID: requestID)
    guard let served else { return response }
    response.servedBy = ServedBy(store: served.store, role: served.stamp.role)
    guard request.rule != nil else { return response }
    response.set(.readVersion, String(served.stamp.version))
    if let age = served.stamp.ageMilliseconds { response.set(.staleness, String(age)) }
    return response
}

private func respond(
    to request: RawRequest, with outcomes: [RawOutcome], _ stamp: ReplicaStamp?, requestID: Bytes
) -> Response {
    invariant(outcomes.count == request.commands.count, "one outcome for each command")
    let answer = request.answer
    switch answer.lane {
    case .value(let preconditions):
        return valueResponse(outcomes[0], preconditions, requestID: requestID)
    case .json(let item):
        return itemResponse(outcomes[0], item, answer, stamp, requestID: requestID)
    case .ndjson(let item):
        return linesResponse(outcomes[0], item, answer, requestID: requestID)
    case .batch(let items):
        return batchResponse(outcomes, items, answer, stamp, requestID: requestID)
    }
}

// Hot path: the GET of the bytes lane. The value becomes the body without a copy.
private func valueResponse(
    _ outcome: RawOutcome, _ preconditions: Preconditions, requestID: Bytes
) -> Response {
    let found: RawValue
    switch outcome {
    case .found(let value): found = value
    case .missing: return Response(.valueMissing, requestID: requestID)
    case .refused(let refusal): return Response(Problem(refusal), requestID: requestID)
    default: return .unexpected(requestID)
    }
    let fingerprint = Fingerprint(of: found.value)
    if let ifMatch = preconditions.ifMatch, !ifMatch.matchesStrongly(fingerprint) {
        return Response(.preconditionFailed(fingerprint), requestID: requestID)
    }
    var response: Response
    if let ifNoneMatch = preconditions.ifNoneMatch, ifNoneMatch.matchesWeakly(fingerprint) {
        response = Response(status: 304, contentType: nil)
    } else {
        response = Response(status: 200, contentType: .bytes, body: found.value)
        response.isWholeOnly = true
    }
    response.requestID = requestID
    response.isStorable = false
    response.entityTag = fingerprint
    if let expiresAt = found.expiresAt { response.set(.expiresAt, expiresAt.rfc3339) }
    return response
}

private func itemResponse(
    _ outcome: RawOutcome, _ item: RawItem, _ answer: RawAnswer, _ stamp: ReplicaStamp?,
    requestID: Bytes
) -> Response {
    if let problem = problem(of: outcome) { return Response(problem, requestID: requestID) }
    var status = 200
    if case .written(_, let fingerprint, let isCreation) = item {
        status = isCreation ? 201 : 200
        var response = Response.json(
            status: status, pretty: answer.isPretty, requestID: requestID
        ) { json in
            json.beginObject()
            writeMembers(of: outcome, item, forcesBase64: answer.forcesBase64, to: &json)
            json.write(stamp)
            json.endObject()
        }
        response.entityTag = fingerprint
        return response
    }
    var response = Response.json(
        pretty: answer.isPretty, requestID: requestID, capacity: estimatedBytes(outcome)
    ) { json in
        json.beginObject()
        writeMembers(of: outcome, item, forcesBase64: answer.forcesBase64, to: &json)
        json.write(stamp)
        json.endObject()
    }
    if case .page = item { response.set(.vary, Response.CommonValues.accept) }
    return response
}

/// One page as NDJSON: a line for each entry, then for each common prefix, then the cursor if
/// there is more.
private func linesResponse(
    _ outcome: RawOutcome, _ item: RawItem, _ answer: RawAnswer, requestID: Bytes
) -> Response {
    if let problem = problem(of: outcome) { return Response(problem, requestID: requestID) }
    guard case .page(let page) = outcome, case .page(let cursor) = item else {
        return .unexpected(requestID)
    }
    var json = JSONWriter(reservingCapacity: estimatedBytes(outcome))
    page.forEachEntry { entry in
        json.writeEntry(entry, keysOnly: cursor.isKeysOnly, forcesBase64: answer.forcesBase64)
        json.endLine()
    }
    for prefix in page.commonPrefixes {
        json.beginObject()
        json.name("common_prefix")
        json.writePrefix(prefix, forcesBase64: answer.forcesBase64)
        json.endObject()
        json.endLine()
    }
    if let rest = page.rest {
        json.beginObject()
        json.member("next_cursor", cursor.continued(at: rest).text)
        json.endObject()
        json.endLine()
    }
    var response = Response(status: 200, contentType: .ndjson, body: json.bytes)
    response.requestID = requestID
    response.isStorable = false
    response.set(.vary, Response.CommonValues.accept)
    return response
}

private func batchResponse(
    _ outcomes: [RawOutcome], _ items: [RawItem], _ answer: RawAnswer, _ stamp: ReplicaStamp?,
    requestID: Bytes
) -> Response {
    let capacity = min(outcomes.reduce(64) { $0 + estimatedBytes($1) }, Limits.batchAnswerBytes)
    return .json(pretty: answer.isPretty, requestID: requestID, capacity: capacity) { json in
        var batch = BatchWriter(answer: answer)
        json.beginObject()
        json.name("results")
        json.beginArray()
        for (outcome, item) in zip(outcomes, items) {
            json.beginObject()
            batch.write(outcome, item, to: &json)
            json.endObject()
        }
        json.endArray()
        json.member("failed", batch.failed)
        json.write(stamp)
        json.endObject()
    }
}

/// The elements of `results`, as long as there is room. What exceeds it is taken back: a read is
/// refused then, and a write, which has happened, is reported without what was there before.
private struct BatchWriter {
    let answer: RawAnswer
    private(set) var failed = 0
    /// Something was taken back: from now on nothing is written that might have to be.
    private var isTight = false

    init(answer: RawAnswer) { self.answer = answer }

    mutating func write(_ outcome: RawOutcome, _ item: RawItem, to json: inout JSONWriter) {
        if case .missing = outcome {
            json.member("ok", true)
            json.member("found", false)
        } else if let problem = problem(of: outcome) {
            fail(problem, to: &json)
        } else if !hasRoom(for: outcome, json) || !writeWhole(outcome, item, to: &json) {
            writeWithout(outcome, item, to: &json)
        }
    }

    private func hasRoom(for outcome: RawOutcome, _ json: borrowing JSONWriter) -> Bool {
        let growth = isTight ? JSONWriter.growthMax : 1
        return json.bytes.count + growth * outcome.byteCount <= Limits.batchAnswerBytes
    }

    /// False if there was no room, and nothing is written.
    private mutating func writeWhole(
        _ outcome: RawOutcome, _ item: RawItem, to json: inout JSONWriter
    ) -> Bool {
        let mark = json.mark
        json.member("ok", true)
        writeResult(of: outcome, item, forcesBase64: answer.forcesBase64, to: &json)
        guard json.bytes.count > Limits.batchAnswerBytes, outcome.byteCount > 0 else { return true }
        json.revert(to: mark)
        isTight = true
        return false
    }

    private mutating func writeWithout(
        _ outcome: RawOutcome, _ item: RawItem, to json: inout JSONWriter
    ) {
        switch outcome {
        case .found, .page:
            let problem = Problem(
                .answerTooLarge,
                "The answer of a batch has about \(Limits.batchAnswerBytes) bytes at most; "
                    + "ask for this in a request of its own.",
                limit: Limits.batchAnswerBytes, actual: json.bytes.count + outcome.byteCount)
            fail(problem, to: &json)
        default:
            json.member("ok", true)
            writeResult(
                of: outcome.withoutPrevious, item, forcesBase64: answer.forcesBase64, to: &json)
            if outcome != outcome.withoutPrevious { json.member("previous_omitted", true) }
        }
    }

    private mutating func fail(_ problem: Problem, to json: inout JSONWriter) {
        failed += 1
        json.member("ok", false)
        json.name("error")
        problem.write(to: &json, requestID: nil)
    }
}

extension RawOutcome {
    fileprivate var withoutPrevious: RawOutcome {
        switch self {
        case .written: .written(previous: nil)
        case .deleted: .deleted(previous: nil)
        case .notSwapped: .notSwapped(previous: nil)
        default: self
        }
    }
}

/// nil if the outcome is a success.
private func problem(of outcome: RawOutcome) -> Problem? {
    switch outcome {
    case .missing: .valueMissing
    case .conditionFailed(let actual): .preconditionFailed(actual)
    case .refused(let refusal): Problem(refusal)
    case .found, .written, .deleted, .swapped, .notSwapped, .page, .counted, .measured,
        .rangeDeleted:
        nil
    }
}

/// Room for an outcome's JSON, so that a page's buffer is allocated once: what is not text grows
/// by half.
private func estimatedBytes(_ outcome: RawOutcome) -> Int {
    switch outcome {
    case .found(let value): value.value.count * 9 / 8 + 256
    case .page(let page): page.byteCount * 9 / 8 + page.count * 32 + 256
    case .written(let previous?), .deleted(let previous?), .notSwapped(let previous?):
        previous.value.count * 9 / 8 + 256
    default: 128
    }
}

/// An element of `results`: what the outcome's own response would have, and an entry under its
/// name.
private func writeResult(
    of outcome: RawOutcome, _ item: RawItem, forcesBase64: Bool, to json: inout JSONWriter
) {
    if case .found(let value) = outcome, case .entry(let key) = item {
        json.member("found", true)
        json.name("entry")
        json.writeEntry(key, value, forcesBase64: forcesBase64)
    } else {
        writeMembers(of: outcome, item, forcesBase64: forcesBase64, to: &json)
    }
}

/// The members of an outcome's JSON object.
private func writeMembers(
    of outcome: RawOutcome, _ item: RawItem, forcesBase64: Bool, to json: inout JSONWriter
) {
    func previous(_ key: Key, _ value: RawValue?) {
        guard let value else { return }
        json.name("previous")
        json.writeEntry(key, value, forcesBase64: forcesBase64)
    }
    switch (outcome, item) {
    case (.found(let value), .entry(let key)):
        json.writeEntryMembers(key, value, forcesBase64: forcesBase64)
    case (.written(let value), .written(let key, let fingerprint, isCreation: _)):
        json.member("etag", fingerprint.tag)
        previous(key, value)
    case (.deleted(let value), .deleted(let key)): previous(key, value)
    case (.swapped, .swapped(_, let fingerprint)):
        json.member("swapped", true)
        if let fingerprint { json.member("etag", fingerprint.tag) }
    case (.notSwapped(let value), .swapped(let key, _)):
        json.member("swapped", false)
        previous(key, value)
    case (.page(let page), .page(let cursor)):
        json.writePage(page, cursor, forcesBase64: forcesBase64)
    case (.counted(let count), .count): json.member("count", count)
    case (.rangeDeleted(let count, let isDryRun), .rangeDeleted):
        json.member("count", count)
        json.member("dry_run", isDryRun)
    default:
        invariant(false, "an outcome \(outcome) for \(item)")
    }
}

extension JSONWriter {
    /// What the answer rests on, if it was asked for or is a write.
    fileprivate mutating func write(_ stamp: ReplicaStamp?) {
        guard let stamp, stamp.version > 0 else { return }
        member("version", String(stamp.version))
        if let age = stamp.ageMilliseconds { member("staleness_ms", UInt64(age)) }
    }
}

extension Response {
    fileprivate static func unexpected(_ requestID: Bytes) -> Response {
        invariant(false, "the outcome fits the command")
        return Response(Problem(.internal, "The outcome does not fit."), requestID: requestID)
    }
}
