// Precedence, origins, unknown names, and the typed settings that come out.
import Settings
import Testing

@Suite struct LayeredSettingsTests {
    private func file(_ text: String) throws(SettingsError) -> SettingsFile {
        try SettingsFile(path: "/etc/m.toml", text: text)
    }

    // Every combination of the four layers: the highest one that states a value wins, and is named.
    @Test(arguments: 0..<8)
    func precedence(stating layers: Int) throws {
        let layered = try LayeredSettings(
            flags: layers & 4 != 0 ? [.dataDir: ["flag"]] : [:],
            environment: layers & 2 != 0 ? ["MARTLET_DATA_DIR": "variable"] : [:],
            file: layers & 1 != 0 ? try file("\ndata_dir = \"file\"") : nil)
        let expected: (String, SettingOrigin) =
            switch layers {
            case 4...: ("flag", .flag)
            case 2...3: ("variable", .environment)
            case 1: ("file", .file(path: "/etc/m.toml", line: 2))
            default: ("martlet-data", .default)
            }
        #expect(layered.stated[.dataDir]?.texts == [expected.0])
        #expect(layered.stated[.dataDir]?.origin == expected.1)
        #expect(try ServeSettings(layered).dataDirectory == expected.0)
    }

    // One setting by flag does not make the others' variables or lines void.
    @Test func layersAreMerged() throws {
        let layered = try LayeredSettings(
            flags: [.cores: ["3"]],
            environment: [
                "MARTLET_LISTEN": "127.0.0.1:1, [::1]:2", "MARTLET_INSECURE": "true",
                "MARTLET_LOG_LEVEL": "debug", "OTHER": "x",
            ],
            file: try file(
                """
                cores = 8
                cache_size = "1.5GiB"
                log_format = "json"
                allow_host = ["DB.example.org"]
                tls_cert = "c"
                tls_key = "k"
                """))
        let settings = try ServeSettings(layered)
        #expect(settings.cores == 3)
        #expect(settings.listen.map(\.description) == ["127.0.0.1:1", "[::1]:2"])
        #expect(settings.insecure)
        #expect(settings.logLevel == .debug)
        #expect(settings.logFormat == .json)
        #expect(settings.cacheBytes == 3 << 29)
        #expect(settings.allowedHosts == ["db.example.org"])
        #expect(settings.tls == ServeSettings.TLSFiles(certificate: "c", key: "k"))
        #expect(layered.warnings == [])
    }

    @Test func everySettingHasItsThreeSpellings() {
        #expect(SettingName.dataDir.flag == "--data-dir")
        #expect(SettingName.dataDir.variable == "MARTLET_DATA_DIR")
        #expect(Set(SettingName.allCases.map(\.variable)).count == SettingName.allCases.count)
        for name in SettingName.allCases {
            #expect(name.defaultText != nil || !name.unstated.isEmpty, "\(name)")
            #expect(name.variable != "MARTLET_PORT" && !name.variable.hasPrefix("MARTLET_SERVICE_"))
        }
    }

    @Test(arguments: [
        ("data_dri", "data_dir"), ("datadir", "data_dir"), ("data-dir", "data_dir"),
        ("listn", "listen"), ("lsiten", "listen"), ("tls_certificate", nil), ("cert", "tls_cert"),
        ("port", nil), ("COREs", "cores"), ("raft", nil), ("level", "log_level"),
    ])
    func unknownKeysAreNamed(key: String, nearest: String?) {
        let expected = SettingsError.unknownKey(
            key, path: "/etc/m.toml", line: 2, nearest: nearest)
        #expect(throws: expected) {
            try LayeredSettings(
                flags: [:], environment: [:], file: file("# x\n\(key) = 1"))
        }
    }

    @Test func unknownVariablesWarn() throws {
        let layered = try LayeredSettings(
            flags: [:],
            environment: [
                "MARTLET_LISTN": "x", "MARTLET_PORT": "8080", "MARTLET_ZZZ": "1",
                "MARTLET_URL": "u", "MARTLET_CONFIG": "c",
                "MARTLET_PORT_7171_TCP": "tcp://10.0.0.1:7171", "MARTLET_SERVICE_HOST": "10.0.0.1",
            ], file: nil)
        #expect(
            layered.warnings.map(\.fact) == [
                "unknown variable MARTLET_LISTN is ignored. Did you mean MARTLET_LISTEN?",
                "unknown variable MARTLET_PORT is ignored. Did you mean MARTLET_LISTEN?",
                "unknown variable MARTLET_ZZZ is ignored",
            ])
        #expect(
            layered.warnings.map(\.advice) == [
                "export MARTLET_LISTEN=\"$MARTLET_LISTN\"; unset MARTLET_LISTN",
                "export MARTLET_LISTEN=\"$MARTLET_PORT\"; unset MARTLET_PORT",
                "unset MARTLET_ZZZ   # martlet serve --help lists those there are",
            ])
        let linked = try LayeredSettings(
            flags: [:], environment: ["MARTLET_PORT": "tcp://10.0.0.1:7171"], file: nil)
        #expect(linked.warnings == [])
    }

    @Test(arguments: [
        (SettingName.cores, "0", "a number from 1 to 1024", "2"),
        (.cores, "two", "a number from 1 to 1024", "2"),
        (.cacheSize, "12", "a size of 1MiB or more, as in 512MiB", "512MiB"),
        (
            .listen, "7171", "an IP address and a port, as in 127.0.0.1:7171 or [::1]:7171",
            "127.0.0.1:7171"
        ),
        (.insecure, "yes", "true or false", "true"),
        (.allowHost, "http://x", "a host name without scheme and port", "db.example.org"),
        (.logFormat, "jsn", "one of text, json", "json"),
        (
            .logLevel, "warn", "one of trace, debug, info, notice, warning, error, critical",
            "warning"
        ),
        (.dataDir, "", "a path", "martlet-data"),
    ])
    func badValues(name: SettingName, text: String, expected: String, example: String) {
        for origin in [SettingOrigin.flag, .environment] {
            let error = SettingsError.invalid(
                name, value: text, origin: origin, expected: expected, example: example)
            #expect(throws: error) {
                try ServeSettings(
                    LayeredSettings(
                        flags: origin == .flag ? [name: [text]] : [:],
                        environment: origin == .environment ? [name.variable: text] : [:],
                        file: nil))
            }
            #expect(error.exitStatus == (origin == .flag ? .usage : .configuration))
        }
    }

    @Test func aFileValueOfTheWrongTypeIsRefusedWithItsLine() {
        do throws(SettingsError) {
            _ = try LayeredSettings(
                flags: [:], environment: [:], file: try file("\n\ncores = \"2\""))
            Issue.record("taken")
        } catch {
            #expect(
                error.fact == "/etc/m.toml, line 3: cores is \"2\", "
                    + "and must be a whole number without quotation marks")
            #expect(error.advice == "cores = 2")
            #expect(error.exitStatus == .configuration)
        }
    }

    @Test func halfATLSPairIsRefused() {
        #expect(
            throws: SettingsError.incompleteTLS(
                given: .tlsCert, path: "c", missing: .tlsKey, origin: .flag)
        ) {
            try ServeSettings(
                LayeredSettings(flags: [.tlsCert: ["c"]], environment: [:], file: nil))
        }
    }

    @Test func authoritiesOfStoresNeedACertificateToShow() throws {
        #expect(
            throws: SettingsError.incompleteTLS(
                given: .peerCA, path: "ca", missing: .tlsCert, origin: .flag)
        ) {
            try ServeSettings(
                LayeredSettings(flags: [.peerCA: ["ca"]], environment: [:], file: nil))
        }
        let whole = try ServeSettings(
            LayeredSettings(
                flags: [.peerCA: ["ca"], .tlsCert: ["c"]], environment: ["MARTLET_TLS_KEY": "k"],
                file: nil))
        #expect(
            whole.tls
                == ServeSettings.TLSFiles(certificate: "c", key: "k", peerAuthorities: "ca"))
    }

    @Test func theCommandIsRepeatedWithOneChange() throws {
        let layered = try LayeredSettings(
            flags: [.dataDir: ["my data"], .insecure: ["true"], .listen: ["0.0.0.0:1", "[::]:2"]],
            environment: ["MARTLET_CORES": "2"], file: nil)
        #expect(
            layered.command(changing: .listen, to: ["127.0.0.1:7172"])
                == "martlet serve --data-dir 'my data' --listen 127.0.0.1:7172 --insecure")
    }
}
