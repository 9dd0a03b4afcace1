/// `martlet doctor`: would a node start here with these settings? One line for each question;
/// changes nothing. Exit status 0 if it would, 1 if not.
internal import ArgumentParser
internal import Glibc
internal import Settings
internal import Terminal

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this machine and the settings; change nothing.",
        discussion: """
            Takes the flags of `martlet serve`, and asks what it would ask before it opens its port.

              martlet doctor --config /etc/martlet/martlet.toml
              martlet doctor --json
            """)

    @OptionGroup var serve: ServeOptions
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        var findings: [Finding] = []
        do throws(SettingsError) {
            let layers = try serve.layers()
            let settings = try ServeSettings(layers)
            let stated = layers.stated.values.filter { $0.origin != .default }.count
            let count = SettingName.allCases.count
            findings.append(Finding("settings", .fine("\(stated) of \(count) stated, all valid")))
            for warning in layers.warnings {
                findings.append(Finding("settings", .warning(warning)))
            }
            let checks = StartChecks(layers: layers, settings: settings)
            for subject in StartChecks.Subject.allCases {
                findings.append(Finding(subject.rawValue, checks.verdict(on: subject)))
            }
        } catch {
            findings.append(Finding("settings", .failed(.settings(error))))
        }
        let isHealthy = !findings.contains(where: \.isFailure)
        if json {
            var object = JSONObject()
            object.add("healthy", isHealthy)
            object.add("checks", findings.map(\.object))
            print(object.text)
        } else {
            let isPainted = StandardStream.isPainted(STDOUT_FILENO)
            for finding in findings { print(finding.text(isPainted: isPainted)) }
        }
        if !isHealthy { throw CommandFailure(.no) }
    }
}

private struct Finding {
    let subject: String
    let state: String
    let fact: String
    let code: String?
    let advice: String?

    init(_ subject: String, _ verdict: StartChecks.Verdict) {
        self.subject = subject
        switch verdict {
        case .fine(let fact): (state, self.fact, code, advice) = ("ok", fact, nil, nil)
        case .warning(let found):
            (state, fact, code, advice) = ("warning", found.fact, found.code, found.advice)
        case .failed(let error):
            (state, fact, code, advice) = ("failed", error.fact, error.code, error.advice)
        }
    }

    var isFailure: Bool { state == "failed" }

    var object: JSONObject {
        var object = JSONObject()
        object.add("check", subject)
        object.add("state", state)
        object.add("fact", fact)
        if let code { object.add("code", code) }
        if let advice { object.add("try", advice) }
        return object
    }

    func text(isPainted: Bool) -> String {
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(1, width - text.count))
        }
        let colour = state == "ok" ? "32" : state == "warning" ? "33" : "31"
        let word = isPainted ? "\u{1B}[\(colour)m\(state)\u{1B}[0m" : state
        let fill = String(repeating: " ", count: 9 - state.count)
        var text = word + fill + padded(subject, 13) + fact
        if let code { text += " [\(code)]" }
        if let advice { text += "\n" + String(repeating: " ", count: 22) + "try: " + advice }
        return text
    }
}
