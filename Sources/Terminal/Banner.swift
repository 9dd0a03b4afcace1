/// What a person sees when a node is ready: what runs, where its data is, how to reach it, and
/// lines to try. At most twelve lines, of which each command can be pasted.

package struct Banner: Sendable {
    /// `Martlet 0.1.0 (Swift 6.3, linux x86_64)`.
    package var program: String
    package var cluster: String
    /// The path, and in words whether it is new or what was found.
    package var data: String
    package var dataState: String
    /// What the store stays below, with its unit.
    package var memoryBound: String
    /// Base URLs, the first of which the examples use.
    package var urls: [String]
    /// Of the certificate, for the examples; nil in cleartext.
    package var certificate: String?
    package var readyAfter: Duration
    /// Who can reach it, in one sentence.
    package var exposure: String

    package init(
        program: String, cluster: String, data: String, dataState: String, memoryBound: String,
        urls: [String], certificate: String?, readyAfter: Duration, exposure: String
    ) {
        self.program = program
        self.cluster = cluster
        self.data = data
        self.dataState = dataState
        self.memoryBound = memoryBound
        self.urls = urls
        self.certificate = certificate
        self.readyAfter = readyAfter
        self.exposure = exposure
    }

    package var lines: [String] {
        let url = urls.first ?? ""
        let curl = certificate.map { "curl --cacert \($0)" } ?? "curl"
        let shown = urls.prefix(3).joined(separator: "  ") + (urls.count > 3 ? "  …" : "")
        let examples = [
            ("\(curl) -X PUT \(url)/v1/raw/kv/hello -d world", "store"),
            ("\(curl) \(url)/v1/raw/kv/hello", "read"),
            ("\(curl) '\(url)/v1/raw/scan?limit=10'", "list"),
        ]
        let width = examples.map { $0.0.count }.max() ?? 0
        return [
            "\(program)   cluster \(cluster)",
            "  data     \(data)    \(dataState)",
            "  memory   the store stays below \(memoryBound)",
            "  api      \(shown)     metrics: /metrics   contract: /openapi.yaml",
            "  ready after \(readyAfter.wholeMilliseconds) ms. Try:",
        ]
            + examples.map { command, meaning in
                let fill = String(repeating: " ", count: width - command.count)
                return "    \(command)\(fill)   # \(meaning)"
            } + ["  \(exposure) Ctrl-C stops it."]
    }
}

extension Duration {
    package var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
