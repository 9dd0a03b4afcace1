// What the program says and how it ends when it never reaches a server.
import Foundation
import ProcessSupport
import Testing

@Suite struct CommandLineTests {
    @Test func aloneItPrintsAtMostTwelveLines() throws {
        let outcome = try Program().run()
        #expect(outcome.status == 0 && outcome.messages.isEmpty)
        #expect(outcome.text.split(separator: "\n", omittingEmptySubsequences: false).count <= 13)
        #expect(outcome.text.contains("martlet serve"))
    }

    @Test(arguments: [
        (["vresion"], "error[unknown_command]: unknown command vresion. Did you mean version?"),
        (["doctor", "--lisen", "x"], "Unknown option '--lisen'. Did you mean '--listen'?"),
        (
            ["config", "validate", "--cores", "two"],
            "--cores is \"two\", and must be a number from 1 to 1024"
        ),
        (["completion", "tcsh"], "error[unknown_shell]: there is no completion for tcsh"),
        (["get"], "Missing expected argument '<key>'"),
        (["get", ""], "error[key_empty]: a key has at least one byte"),
        (["get", "--base64", "?"], "error[invalid_base64]: the key is not base64"),
        (["get", "k", "--timeout", "soon"], "error[invalid_timeout]"),
        (["get", "k", "--url", "ftp://x"], "error[invalid_url]"),
        (["put", "k", "v", "--ttl", "0"], "error[invalid_ttl]"),
        (["put", "k", "v", "--ttl", "1500ms"], "must be whole seconds"),
        (["put", "neg", "-1"], "     try: martlet put [OPTIONS] -- KEY VALUE "),
        (["put", "--", "k", "-1", "--ttl", "5s"], "     try: martlet put [OPTIONS] -- KEY VALUE "),
        (["delete", "--prefix", ""], "{\"all\":true} with POST to /v1/raw/delete-range"),
        (["put", "k", "v", "--if-absent", "--if-etag", "x"], "exclude each other"),
        (["delete", "--prefix", "x"], "needs --yes, or --dry-run"),
        (["scan", "--delimiter", ""], "--delimiter has at least one byte"),
        (["scan", "--limit", "-1"], "--limit is \"-1\", and is never negative"),
        (["put", "k", "v", "--ttl", "-5s"], "--ttl is \"-5s\", and is never negative"),
        (["put", "k", "v", "--ttl", "36501d"], "must be whole seconds, from 1s to 36500d"),
        (["config", "shwo"], "error[unknown_command]: unknown command shwo. Did you mean show?"),
        (["config", "validate", "--config", ""], "--config names no file"),
        (["help", "gte"], "error[unknown_command]: unknown command gte. Did you mean get?"),
        (["bench", "http://x", "--workload", "y"], "one of the following: get, put, mixed, "),
        (["status", "ftp://x"], "     try: martlet status http://127.0.0.1:7171"),
        (["delete"], "Give a key or --prefix"), (["scan", "a", "--start", "b"], "not both"),
    ])
    func misuse(arguments: [String], message: String) throws {
        let outcome = try Program(arguments: arguments).run()
        #expect(outcome.status == 64)
        #expect(outcome.messages.contains(message), "\(outcome.messages)")
        #expect(outcome.messages.hasPrefix("error["), "\(outcome.messages)")
        #expect(outcome.output.isEmpty)
    }

    @Test func aRefusalOfTheParserSaysWhatToTry() throws {
        let doctor = try Program("doctor", "--lisen", "x").run()
        #expect(
            doctor.messages == """
                error[usage]: Unknown option '--lisen'. Did you mean '--listen'?
                     try: martlet doctor --help

                """)
        // What serve says away from a terminal are lines for a log.
        let serve = try Program("serve", "--lisen", "x").run()
        #expect(serve.status == 64)
        let line = try #require(
            JSONSerialization.jsonObject(with: Data(serve.messages.utf8)) as? [String: Any])
        #expect(line["code"] as? String == "usage" && line["exit"] as? Int == 64)
        #expect(line["try"] as? String == "martlet serve --help")
    }

    // Whoever reads JSON reads the failure at the same place, whatever found it.
    @Test(arguments: [
        (["get", "--json"], "usage", Int32(64)), (["delete", "--json"], "usage", 64),
        (["status", "--json", "--url"], "usage", 64),
        (["gte", "k", "--json"], "unknown_command", 64),
        (["get", "", "--json"], "key_empty", 64),
        (["put", "k", "v", "--json", "--timeout", "soon"], "invalid_timeout", 64),
        (["get", "k", "--json", "--url", "ftp://x"], "invalid_url", 64),
        (["config", "show", "--json", "--cores", "two"], "configuration_invalid", 64),
        (
            ["config", "validate", "--json", "--config", "none.toml"], "configuration_unreadable",
            78
        ),
        (["bench", "ftp://x", "--json"], "invalid_url", 64),
    ])
    func aFailureIsAnObjectWithJSON(arguments: [String], code: String, status: Int32) throws {
        let outcome = try Program(arguments: arguments).run()
        #expect(outcome.status == status)
        #expect(outcome.messages.isEmpty, "\(outcome.messages)")
        let object = try #require(
            JSONSerialization.jsonObject(with: outcome.output) as? [String: Any])
        #expect(object["code"] as? String == code)
        #expect(object["exit"] as? Int == Int(status))
        #expect((object["detail"] as? String)?.isEmpty == false)
        #expect((object["try"] as? String)?.isEmpty == false)
    }

    @Test(arguments: [["-o", "json"], ["--output", "json"], ["--output=json"]])
    func everyWishForJSONIsHeard(wish: [String]) throws {
        let outcome = try Program(arguments: ["config", "show", "--cores", "two"] + wish).run()
        #expect(outcome.status == 64 && outcome.messages.isEmpty)
        #expect(outcome.text.hasPrefix("{\"code\":\"configuration_invalid\""), "\(outcome.text)")
        let shown = try Program(arguments: ["config", "show"] + wish).run()
        #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: shown.output) }
    }

    @Test func aTableHasFourForms() throws {
        func show(_ form: String) throws -> String {
            try Program("config", "show", "--output", form).run().text
        }
        #expect(try show("table").hasPrefix("SETTING            VALUE\n"))
        #expect(try show("tsv").hasPrefix("data_dir\tmartlet-data\n"))
        #expect(
            try show("yaml").hasPrefix("settings:\n  - key: \"data_dir\"\n    value: \"martlet-"))
        #expect(try show("json").hasPrefix("{\"settings\":[{\"key\":\"data_dir\",\"value\":"))
        let both = try Program("config", "show", "--json", "--output", "yaml").run()
        #expect(both.status == 64)
    }

    // After `--` a word is a key, whatever it looks like.
    @Test func aKeyIsNoWishForJSON() throws {
        let outcome = try Program("delete", "--", "--json", "more").run()
        #expect(outcome.status == 64)
        #expect(outcome.messages.hasPrefix("error[usage]") && outcome.output.isEmpty)
    }

    @Test func authoritiesThatCannotBeReadAreToldAsSuch() throws {
        let outcome = try Program(
            "get", "k", "--url", "https://127.0.0.1:1", "--tls-ca", "none.pem"
        ).run()
        #expect(outcome.status == 77)
        #expect(
            outcome.messages == """
                error[certificate_unreadable]: none.pem: there is no such file
                     try: ls -l none.pem

                """)
    }

    @Test func authoritiesWithoutACertificateAreToldAsSuch() throws {
        try withFolder { folder in
            try Data("no PEM\n".utf8).write(to: folder.appending(path: "key.pem"))
            let outcome = try Program(
                "get", "k", "--url", "https://127.0.0.1:1", "--tls-ca", "key.pem"
            ).in(folder).run()
            #expect(outcome.status == 77)
            let start = "error[certificate_unreadable]: key.pem holds no certificate in PEM form"
            #expect(outcome.messages.hasPrefix(start), "\(outcome.messages)")
        }
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func completion(shell: String) throws {
        let outcome = try Program("completion", shell).run()
        #expect(outcome.status == 0)
        #expect(outcome.text.contains("doctor") && outcome.text.contains("data-dir"))
    }

    @Test func theBashCompletionParses() throws {
        try withFolder { folder in
            let script = folder.appending(path: "martlet.bash")
            try Program("completion", "bash").run().output.write(to: script)
            let bash = try Process.run(
                URL(filePath: "/bin/bash"), arguments: ["-n", script.path])
            bash.waitUntilExit()
            #expect(bash.terminationStatus == 0)
        }
    }

    @Test func version() throws {
        let text = try Program("version").run().text
        #expect(text.hasPrefix("Martlet 0.1.0 (Swift "))
        let json = try Program("version", "--json").run().output
        let object = try #require(JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect(object["version"] as? String == "0.1.0")
    }

    @Test func precedenceIsShownWithOrigins() throws {
        try withFolder { folder in
            let file = folder.appending(path: "m.toml")
            try Data("cores = 1\nlog_level = \"debug\"\ndata_dir = \"from-file\"\n".utf8)
                .write(to: file)
            let outcome = try Program(
                "config", "show", "--origin", "--config", file.path, "--cores", "3"
            ).with("MARTLET_CORES", "2").with("MARTLET_DATA_DIR", "from-env").run()
            #expect(outcome.status == 0)
            let rows = outcome.text.split(separator: "\n").map(String.init)
            #expect(rows.contains("cores\t3\tflag"))
            #expect(rows.contains("data_dir\tfrom-env\tenvironment"))
            #expect(rows.contains("log_level\tdebug\t\(file.path):2"))
            #expect(rows.contains("listen\t127.0.0.1:7171\tdefault"))
        }
    }

    @Test func anUnknownKeyIsNamedWithItsLine() throws {
        try withFolder { folder in
            try Data("cores = 1\ndata_dri = \"x\"\n".utf8)
                .write(to: folder.appending(path: "m.toml"))
            let program = Program("config", "validate", "--config", "m.toml").in(folder)
            let outcome = try program.run()
            #expect(outcome.status == 78)
            #expect(
                outcome.messages == """
                    error[configuration_unknown_key]: m.toml, line 2: unknown key data_dri. \
                    Did you mean data_dir?
                         try: sed -i '2s/data_dri/data_dir/' m.toml

                    """)
            // The line to try does what it says.
            let sed = Process()
            sed.executableURL = URL(filePath: "/bin/sh")
            sed.arguments = ["-c", "sed -i '2s/data_dri/data_dir/' m.toml"]
            sed.currentDirectoryURL = folder
            try sed.run()
            sed.waitUntilExit()
            #expect(try program.run().status == 0)
        }
    }

    @Test(arguments: ["validate", "show"]) func anUnknownVariableIsAWarning(verb: String) throws {
        let outcome = try Program("config", verb).with("MARTLET_LISTN", "x").run()
        #expect(outcome.status == 0)
        #expect(
            outcome.messages == "warning[unknown_variable]: unknown variable MARTLET_LISTN is "
                + "ignored. Did you mean MARTLET_LISTEN?\n"
                + "     try: export MARTLET_LISTEN=\"$MARTLET_LISTN\"; unset MARTLET_LISTN\n")
    }
}
