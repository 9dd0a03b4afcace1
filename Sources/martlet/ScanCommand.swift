/// `martlet scan`: entries in key order, page after page, so that a scan of any length needs the
/// memory of one page.
///
/// On a terminal each page is a table; in a pipe each entry is a line, key and value with a tab
/// between. Backslashes, control characters and bytes that are not UTF-8 are escaped, so that a
/// line is one entry; a prefix that stands for many has no tab. `--base64` prints without loss,
/// `--json` prints the server's pages, and `--output yaml` each page as a document.
internal import ArgumentParser
internal import Base
internal import Glibc
internal import HTTP
internal import Terminal

struct ScanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scan",
        abstract: "List entries in key order.",
        discussion: """
              martlet scan users/ --limit 10
              martlet scan --start a --end b --keys
              martlet scan photos/ --delimiter /
              martlet scan --json | jq -r '.entries[].key'
            """)

    @Argument(help: "Only keys that begin so.") var prefix: String?

    @Option(
        name: .customLong("prefix"),
        help: ArgumentHelp("The same, as an option.", valueName: "prefix"))
    var prefixOption: String?

    @Option(help: ArgumentHelp("From this key on.", valueName: "key")) var start: String?
    @Option(help: ArgumentHelp("Up to this key, without it.", valueName: "key")) var end: String?

    @Option(help: ArgumentHelp("At most so many entries. [all]", valueName: "n"))
    var limit: Int?

    @Option(
        help: ArgumentHelp(
            "Fold keys that hold it after the prefix into one line, like folders: "
                + "that line has no value and no tab.",
            valueName: "text"))
    var delimiter: String?

    @Flag(help: "Keys without values.") var keys = false
    @Flag(help: "From the last key to the first.") var reverse = false
    @OptionGroup var form: TextForm
    @OptionGroup var output: OutputOptions
    @OptionGroup var connection: ConnectionOptions

    func validate() throws {
        if prefix != nil, prefixOption != nil {
            throw ValidationError("The prefix is given twice.")
        }
        if prefix ?? prefixOption != nil, start != nil || end != nil {
            throw ValidationError("Give a prefix, or --start and --end, and not both.")
        }
        if delimiter == "" { throw ValidationError("--delimiter has at least one byte.") }
        if let limit, limit < 1 { throw ValidationError("--limit is 1 or more.") }
    }

    func run() async throws {
        let server = try connection.connect()
        var query: [String] = []
        func bound(_ name: String, _ text: String?) throws {
            guard let text, !text.isEmpty else { return }
            // As it was given, so that a problem names what the user wrote.
            guard form.base64 else { return query.append("\(name)=\(encoded(text))") }
            let bytes = Base64.encodeForURL(try form.bytes(text, "the \(name)"))
            query.append("\(name)_base64=" + String(decoding: bytes, as: UTF8.self))
        }
        try bound("prefix", prefix ?? prefixOption)
        try bound("start", start)
        try bound("end", end)
        try bound("delimiter", delimiter)
        if keys { query.append("keys_only=true") }
        if reverse { query.append("reverse=true") }
        if form.base64 { query.append("encoding=base64") }
        var rest = limit ?? .max
        var cursor: String?
        repeat {
            let page = min(rest, Limits.entriesPerPageDefault)
            var parameters = query + ["limit=\(page)"]
            if let cursor { parameters.append("cursor=\(encoded(cursor))") }
            let target = "/v1/raw/scan?" + parameters.joined(separator: "&")
            let body = try await server.call("GET", Bytes(target.utf8), json: output.isJSON).body
            let answer = try AnswerObject(body, of: server.origin)
            let entries = answer.objects("entries")
            let folders = answer.objects("common_prefixes")
            if output.isDocument {
                try output.emitDocument(body, isFirst: cursor == nil)
            } else {
                show(entries, folders)
            }
            rest -= entries.count + folders.count
            cursor = answer.text("next_cursor")
        } while cursor != nil && rest > 0
    }

    private func encoded(_ cursor: String) -> String {
        String(decoding: PercentCoding.encode(Bytes(cursor.utf8)), as: UTF8.self)
    }

    /// Entries and the prefixes that stand for many, merged: the node gives each kind in key order.
    /// A key on a page does not begin with a prefix beside it, so that the two never tie.
    private func show(_ entries: [AnswerObject], _ folders: [AnswerObject]) {
        guard !entries.isEmpty || !folders.isEmpty else { return }
        var table = keys ? Table("key") : Table("key", "value")
        var rest = folders.map { $0.bytes("prefix") ?? [] }[...]
        for entry in entries {
            let bytes = entry.bytes("key") ?? []
            while let folder = rest.first, reverse != folder.lexicographicallyPrecedes(bytes) {
                table.addPrintable(Table.printable(form.text(rest.removeFirst())))
            }
            let key = Table.printable(form.text(bytes))
            if keys {
                table.addPrintable(key)
            } else {
                table.addPrintable(key, Table.printable(form.text(entry.bytes("value") ?? [])))
            }
        }
        for folder in rest { table.addPrintable(Table.printable(form.text(folder))) }
        emit(Bytes(table.text(aligned: output.isAligned).utf8))
    }
}
