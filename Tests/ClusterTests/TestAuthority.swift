// An authority and the certificates that it signs, made by the openssl program as a person would.
import Foundation
import Testing

struct TestAuthority {
    let folder: URL
    let name: String

    /// Files NAME.crt and NAME.key in the folder.
    init(_ name: String, in folder: URL) throws {
        self.folder = folder
        self.name = name
        try shell(
            """
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 100 \
              -subj /CN=\(name) -keyout \(name).key -out \(name).crt
            """)
    }

    var certificate: String { path("\(name).crt") }

    /// Signs a new key: NODE.crt and NODE.key, in the place of what was there.
    func sign(_ node: String) throws {
        try Data("subjectAltName = IP:127.0.0.1, DNS:localhost\n".utf8)
            .write(to: folder.appending(path: "\(node).ext"))
        try shell(
            """
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=\(node) \
              -keyout \(node).key -out \(node).csr &&
            openssl x509 -req -in \(node).csr -CA \(name).crt -CAkey \(name).key -days 90 \
              -set_serial 0x$(openssl rand -hex 8) -extfile \(node).ext -out \(node).crt
            """)
    }

    /// The flags that a node is started with.
    func flags(_ node: String, believing file: String? = nil) -> [String] {
        [
            "--tls-cert", path("\(node).crt"), "--tls-key", path("\(node).key"),
            "--peer-ca", file ?? certificate,
        ]
    }

    func path(_ file: String) -> String { folder.appending(path: file).path }

    func shell(_ script: String) throws {
        let shell = Process()
        shell.executableURL = URL(filePath: "/bin/sh")
        shell.arguments = ["-ec", script]
        shell.currentDirectoryURL = folder
        let messages = Pipe()
        shell.standardError = messages
        try shell.run()
        let text = try messages.fileHandleForReading.readToEnd() ?? Data()
        shell.waitUntilExit()
        try #require(
            shell.terminationStatus == 0, "openssl: \(String(decoding: text, as: UTF8.self))")
    }
}
