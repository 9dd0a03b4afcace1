// Every reason not to start: its exact words, its exit status, that it comes before the port opens,
// and that nothing is left behind.
import Foundation
import ProcessSupport
import Testing

@Suite struct StartErrorTests {
    /// `martlet serve` on a free port with text messages, in a folder of its own.
    private func serve(_ folder: URL, _ arguments: String..., data: String = "data") -> Program {
        Program(
            arguments: ["serve", "--data-dir", data, "--log-format", "text"] + arguments
        ).in(folder)
    }

    private func expect(
        _ program: Program, status: Int32, _ messages: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try program.run()
        #expect(outcome.status == status, sourceLocation: sourceLocation)
        #expect(outcome.messages == messages + "\n", sourceLocation: sourceLocation)
        #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
    }

    private func shell(_ command: String, in folder: URL) throws {
        var program = Program("-c", command).in(folder)
        program.executable = URL(filePath: "/bin/sh")
        let outcome = try program.run()
        try #require(outcome.status == 0, "\(outcome.messages)")
    }

    @Test func portInUse() throws {
        try withFolder { folder in
            let socket = try LocalSocket()
            let outcome = try serve(folder, "--listen", "127.0.0.1:\(socket.port)").run()
            #expect(outcome.status == 69)
            let lines = outcome.messages.split(separator: "\n").map(String.init)
            try #require(lines.count == 2)
            #expect(
                lines[0].hasPrefix(
                    "error[port_in_use]: cannot listen on 127.0.0.1:\(socket.port), "
                        + "it is held by pid \(getpid()) ("))
            let proposal = "     try: martlet serve --data-dir data --listen 127.0.0.1:"
            #expect(lines[1].hasPrefix(proposal))
            #expect(lines[1].hasSuffix(" --log-format text"))
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "data").path))
            // The line to try starts a node.
            let words = lines[1].split(separator: " ").dropFirst(2).map(String.init)
            let node = try Program(arguments: words).in(folder).start()
            defer { node.kill() }
            #expect(node.line(with: "event=ready") != nil)
        }
    }

    @Test func portInUseAsJSON() throws {
        try withFolder { folder in
            let socket = try LocalSocket()
            let outcome = try Program(
                "serve", "--data-dir", "data", "--listen", "127.0.0.1:\(socket.port)"
            ).in(folder).run()
            #expect(outcome.status == 69)
            #expect(outcome.messages.split(separator: "\n").count == 1)
            let object = try #require(
                JSONSerialization.jsonObject(with: Data(outcome.messages.utf8)) as? [String: Any])
            #expect(object["event"] as? String == "start_failed")
            #expect(object["code"] as? String == "port_in_use")
            #expect(object["exit"] as? Int == 69)
            #expect((object["try"] as? String)?.hasPrefix("martlet serve ") == true)
        }
    }

    @Test func openWithoutTLS() throws {
        try withFolder { folder in
            try expect(
                serve(folder, "--listen", "0.0.0.0:0"), status: 78,
                """
                error[open_without_tls]: --listen 0.0.0.0:0 would offer all data to the network \
                without TLS
                     try: martlet serve --data-dir data --listen 0.0.0.0:0 --insecure \
                --log-format text   # if the network is yours; else --tls-cert FILE --tls-key FILE
                """)
        }
    }

    @Test func addressUnavailable() throws {
        try withFolder { folder in
            // 192.0.2.0/24 is for documentation (RFC 5737): no machine has it.
            try expect(
                serve(folder, "--listen", "192.0.2.1:7171", "--insecure"), status: 69,
                """
                error[address_unavailable]: cannot listen on 192.0.2.1:7171: this machine does \
                not have that address
                     try: martlet serve --data-dir data --listen 127.0.0.1:7171 --insecure \
                --log-format text
                """)
        }
    }

    @Test func settings() throws {
        try withFolder { folder in
            try Data("cores = 2\nlistn = \"127.0.0.1:1\"\n".utf8)
                .write(to: folder.appending(path: "m.toml"))
            try expect(
                serve(folder, "--config", "m.toml"), status: 78,
                """
                error[configuration_unknown_key]: m.toml, line 2: unknown key listn. \
                Did you mean listen?
                     try: sed -i '2s/listn/listen/' m.toml
                """)
            try expect(
                serve(folder, "--config", "none.toml"), status: 78,
                """
                error[configuration_unreadable]: none.toml: there is no such file
                     try: ls -l none.toml
                """)
            try expect(
                serve(folder, "--listen", "7171"), status: 64,
                """
                error[configuration_invalid]: --listen is "7171", and must be an IP address and \
                a port, as in 127.0.0.1:7171 or [::1]:7171
                     try: martlet serve --listen 127.0.0.1:7171
                """)
            try expect(
                serve(folder).with("MARTLET_CORES", "0"), status: 78,
                """
                error[configuration_invalid]: MARTLET_CORES is "0", and must be a number from 1 \
                to 1024
                     try: export MARTLET_CORES=2
                """)
            try expect(
                serve(folder, "--tls-cert", "node.crt"), status: 64,
                """
                error[configuration_incomplete]: --tls-cert is set without --tls-key: TLS needs \
                both
                     try: martlet serve --tls-cert node.crt --tls-key node.key
                """)
        }
    }

    @Test func certificates() throws {
        try withFolder { folder in
            let good = try TestCertificate(in: folder)
            _ = try TestCertificate(in: folder, name: "other")
            _ = try TestCertificate(
                in: folder, name: "old", from: "20200101000000Z", to: "20200201000000Z")
            _ = try TestCertificate(
                in: folder, name: "new", from: "20980101000000Z", to: "20990101000000Z")
            #expect(FileManager.default.fileExists(atPath: good.key))
            func refused(_ certificate: String, _ key: String, _ message: String) throws {
                try expect(
                    serve(folder, "--tls-cert", certificate, "--tls-key", key), status: 77,
                    "error[certificate_unreadable]: " + message)
            }
            try refused(
                "node.crt", "other.key",
                """
                the key in other.key does not match the certificate in node.crt
                     try: openssl x509 -in node.crt -noout -pubkey; \
                openssl pkey -in other.key -pubout
                """)
            try refused(
                "old.crt", "old.key",
                """
                old.crt: expired since 2020-02-01T00:00:00Z
                     try: openssl x509 -in old.crt -noout -dates; date -u
                """)
            try refused(
                "new.crt", "new.key",
                """
                new.crt: not valid before 2098-01-01T00:00:00Z
                     try: openssl x509 -in new.crt -noout -dates; date -u
                """)
            try shell("cat other.crt node.crt > order.crt", in: folder)
            try refused(
                "order.crt", "node.key",
                """
                the key in node.key belongs to certificate 2 in order.crt, and must belong to the \
                first
                     try: cat node.crt authority.crt > chain.crt   # the node's own first
                """)
            let encrypt = "openssl pkey -in node.key -aes256 -passout pass:x -out locked.key"
            try shell(encrypt, in: folder)
            try refused(
                "node.crt", "locked.key",
                """
                locked.key is protected by a passphrase
                     try: openssl pkey -in locked.key -out locked.key.plain
                """)
            try refused(
                "none.crt", "node.key",
                """
                none.crt: there is no such file
                     try: ls -l none.crt
                """)
            try refused(
                "node.key", "node.crt",
                """
                node.key holds no certificate in PEM form: no start line
                     try: openssl x509 -in node.key -noout -subject
                """)
        }
    }
}
