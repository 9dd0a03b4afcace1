/// `martlet get`, `put` and `delete`: the raw space from a shell.
///
/// Values go in and out byte for byte; only a terminal gets a newline after a value that has none.
/// Keys and values that are not text are given and printed in base64 with `--base64`.
internal import ArgumentParser
internal import Base
internal import Glibc
internal import HTTP
internal import Settings
internal import Terminal

/// Bytes to standard output; a reader that has gone ends the command in silence, as `head` expects.
func emit(_ bytes: Bytes) {
    if !writeAll(bytes, to: STDOUT_FILENO) { exit(ExitStatus.disk.rawValue) }
}

struct TextForm: ParsableArguments {
    @Flag(help: "Keys and values are given and printed in base64.") var base64 = false

    func bytes(_ text: String, _ what: String) throws(CommandFailure) -> Bytes {
        guard base64 else { return Bytes(text.utf8) }
        do throws(DecodeError) {
            return try Base64.decode(Bytes(text.utf8))
        } catch {
            throw CommandFailure(
                Diagnosis(
                    .error, "invalid_base64", "\(what) is not base64: \(error)",
                    advice: "printf %s \(shellQuoted(text)) | base64"), .usage)
        }
    }

    func key(_ text: String) throws(CommandFailure) -> Bytes {
        let key = try bytes(text, "the key")
        // The route of an empty key is another route.
        guard !key.isEmpty else {
            throw CommandFailure(
                Diagnosis(
                    .error, "key_empty", "a key has at least one byte",
                    advice: "martlet scan   # lists the keys there are"), .usage)
        }
        return key
    }

    /// The key as it was given, for a command line to try.
    func shown(_ key: String) -> String {
        (base64 ? "--base64 " : "") + (key.hasPrefix("-") ? "-- " : "") + shellQuoted(key)
    }

    /// The members that every raw answer takes.
    var query: String { base64 ? "encoding=base64" : "" }

    /// Bytes as this command prints them.
    func text(_ bytes: Bytes) -> Bytes { base64 ? Base64.encode(bytes) : bytes }
}

func valueTarget(_ key: Bytes, _ query: [String] = []) -> Bytes {
    let parameters = query.filter { !$0.isEmpty }.joined(separator: "&")
    return Bytes("/v1/raw/kv/".utf8) + PercentCoding.encode(key)
        + Bytes((parameters.isEmpty ? "" : "?" + parameters).utf8)
}

struct GetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Print a value. Exit 1 if there is none.",
        discussion: """
              martlet get greeting
              martlet get greeting | wc -c
              martlet get photo.png --file photo.png
            """)

    @Argument(help: "The key.") var key: String

    @Option(
        help: ArgumentHelp(
            "Into this file, which stays as it is if there is no value; "
                + "a pipe or a device is written to.", valueName: "file"),
        completion: .file())
    var file: String?

    @OptionGroup var form: TextForm
    @Flag(help: "Print the server's answer unchanged.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if json, file != nil { throw ValidationError("--json and --file exclude each other.") }
        if file == "" {
            throw ValidationError(
                "--file has no name; without --file the value goes to standard output.")
        }
    }

    func run() async throws {
        let key = try form.key(key)
        let server = try connection.connect()
        if json {
            let query = ["key_base64=" + String(decoding: Base64.encodeForURL(key), as: UTF8.self)]
            let target =
                "/v1/raw/entry?"
                + (query + [form.query]).filter { !$0.isEmpty }.joined(separator: "&")
            return emit(try await server.call("GET", Bytes(target.utf8), json: true).body)
        }
        let value = form.text(try await server.call("GET", valueTarget(key)).body)
        if let file {
            let target = OutputFile(path: file)
            guard case .failure(let error) = target.write(value, until: server.deadline) else {
                return
            }
            throw target.failure(error, key: form.shown(self.key))
        }
        let needsNewline =
            form.base64 || (StandardStream.isInteractive(STDOUT_FILENO) && value.last != 0x0A)
        emit(needsNewline ? value + [0x0A] : value)
    }
}

struct PutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Store a value; from standard input without one.",
        discussion: """
              martlet put greeting hello
              martlet put photo.png < photo.png
              martlet put lock/job me --if-absent --ttl 30s
            """)

    @Argument(help: "The key.") var key: String
    @Argument(help: "The value; `-` or nothing reads standard input.") var value: String?

    @Option(help: ArgumentHelp("Forget it after this time, as in 60s or 7d.", valueName: "time"))
    var ttl: String?

    @Flag(help: "Only if there is no value yet; else exit 1.") var ifAbsent = false

    @Option(
        help: ArgumentHelp("Only if the value has this tag; else exit 1.", valueName: "tag"))
    var ifEtag: String?

    @OptionGroup var form: TextForm
    @Flag(help: "Print the server's answer unchanged.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if ifAbsent, ifEtag != nil {
            throw ValidationError("--if-absent and --if-etag exclude each other.")
        }
    }

    func run() async throws {
        let key = try form.key(key)
        var query = [form.query]
        if let ttl { query.append("ttl_seconds=\(try seconds(ttl))") }
        // A time-out that was asked for counts from the first moment; ours does not, since nobody
        // knows how long a pipe takes.
        let early = connection.rules.hasTimeout ? try connection.connect() : nil
        let bytes = try payload(until: early?.deadline)
        let server = try early ?? connection.connect()
        let response = try await server.call(
            "PUT", valueTarget(key, query),
            headers: conditionHeaders(ifAbsent: ifAbsent, ifEtag: ifEtag), body: bytes,
            changes: .key, key: form.shown(self.key), json: json)
        if json { emit(response.body) }
    }

    private func seconds(_ text: String) throws(CommandFailure) -> Int64 {
        guard let span = TimeSpan(text), span.duration >= .seconds(1),
            span.duration.components.attoseconds == 0,
            span.duration <= .seconds(Int64(Limits.timeToLiveSecondsMax))
        else {
            throw CommandFailure(
                Diagnosis(
                    .error, "invalid_ttl",
                    "the time to live is \"\(Table.printable(text))\", "
                        + "and must be whole seconds, from 1s to "
                        + "\(Limits.timeToLiveSecondsMax / 86_400)d",
                    advice: "--ttl 60s"), .usage)
        }
        return span.duration.components.seconds
    }

    private func payload(
        until deadline: ContinuousClock.Instant?
    ) throws(CommandFailure) -> Bytes {
        if let value, value != "-" { return try form.bytes(value, "the value") }
        if value == nil, StandardStream.isInteractive(STDIN_FILENO) {
            writeLine(
                "Type the value, and Ctrl-D on a line of its own to end it.", to: STDERR_FILENO)
        }
        // In base64 and with line ends, a value of the largest size is no more than twice as long.
        let limit = form.base64 ? Limits.valueBytes * 2 : Limits.valueBytes
        switch readAll(STDIN_FILENO, limit: limit, until: deadline) {
        case .success(let bytes):
            guard form.base64 else { return bytes }
            let text = bytes.filter { $0 != 0x0A && $0 != 0x0D }
            return try form.bytes(String(decoding: text, as: UTF8.self), "the value")
        case .failure(SystemError(number: EFBIG)):
            throw CommandFailure(
                Diagnosis(
                    .error, "value_too_large",
                    "the value is larger than \(ByteSize(bytes: Limits.valueBytes))",
                    advice: "split -b \(Limits.valueBytes) FILE   # and put each part"), .dataWrong)
        case .failure(SystemError(number: ETIMEDOUT)):
            throw CommandFailure(
                Diagnosis(
                    .error, "timeout", "standard input did not end in time; nothing is written",
                    advice: "--timeout 60s"), .tryAgain)
        case .failure(let error):
            throw CommandFailure(
                Diagnosis(
                    .error, "input_unreadable", "standard input: \(error.reason)",
                    advice: "martlet put \(shellQuoted(self.key)) < FILE"), .dataWrong)
        }
    }
}

func conditionHeaders(ifAbsent: Bool, ifEtag: String?) -> [ClientHeader] {
    if ifAbsent { return [ClientHeader("if-none-match", "*")] }
    guard let ifEtag else { return [] }
    // As printed, or as it stands in the header field.
    let isQuoted = ifEtag.hasPrefix("\"") || ifEtag == "*"
    return [ClientHeader("if-match", isQuoted ? ifEtag : "\"\(ifEtag)\"")]
}

struct DeleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete",
        abstract: "Remove a key, or all keys with a prefix.",
        discussion: """
              martlet delete greeting
              martlet delete --prefix tmp/ --dry-run
              martlet delete --prefix tmp/ --yes
            """)

    @Argument(help: "The key.") var key: String?

    @Option(help: ArgumentHelp("Remove every key that begins so.", valueName: "prefix"))
    var prefix: String?

    @Flag(help: "With --prefix: count, remove nothing.") var dryRun = false
    @Flag(help: "With --prefix: remove them.") var yes = false

    @Option(
        help: ArgumentHelp("Only if the value has this tag; else exit 1.", valueName: "tag"))
    var ifEtag: String?

    @OptionGroup var form: TextForm
    @Flag(help: "Print the server's answer unchanged.") var json = false
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if (key == nil) == (prefix == nil) {
            throw ValidationError("Give a key or --prefix, and not both.")
        }
        if prefix == "" {
            throw ValidationError(
                "An empty prefix would remove everything; for that send {\"all\":true} "
                    + "with POST to /v1/raw/delete-range.")
        }
        if prefix != nil, !yes, !dryRun {
            throw ValidationError("Removing a whole prefix needs --yes, or --dry-run to count.")
        }
        if prefix == nil, yes || dryRun {
            throw ValidationError("--yes and --dry-run go with --prefix.")
        }
        if prefix != nil, ifEtag != nil {
            throw ValidationError("--if-etag goes with one key.")
        }
    }

    func run() async throws {
        let server = try connection.connect()
        guard let prefix else {
            let response = try await server.call(
                "DELETE", valueTarget(try form.key(key ?? ""), [form.query]),
                headers: conditionHeaders(ifAbsent: false, ifEtag: ifEtag), changes: .key,
                key: form.shown(key ?? ""), json: json)
            return json ? emit(response.body) : ()
        }
        let bytes = try form.bytes(prefix, "the prefix")
        var request = JSONObject()
        request.add("prefix_base64", String(decoding: Base64.encode(bytes), as: UTF8.self))
        if dryRun { request.add("dry_run", true) }
        let response = try await server.call(
            "POST", Bytes("/v1/raw/delete-range".utf8),
            headers: [ClientHeader("content-type", "application/json")],
            body: Bytes(request.text.utf8), changes: dryRun ? .nothing : .key, json: json)
        if json { return emit(response.body) }
        let count = try AnswerObject(response.body, of: server.origin).number("count") ?? 0
        let keys = count == 1 ? "1 key" : "\(count) keys"
        print(dryRun ? "\(keys) would be removed" : "\(keys) removed")
    }
}
