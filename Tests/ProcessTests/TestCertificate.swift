// Self-signed certificates for 127.0.0.1 and localhost, made by the openssl program.
import Foundation
import Testing

struct TestCertificate {
    var certificate: String
    var key: String

    /// Times as `openssl ca` takes them, such as 20200101000000Z.
    init(
        in folder: URL, name: String = "node", from start: String = "20200101000000Z",
        to end: String = "20991231235959Z"
    ) throws {
        let config = """
            [ca]
            default_ca = own
            [own]
            database = \(name).db
            new_certs_dir = .
            rand_serial = yes
            default_md = sha256
            policy = any
            x509_extensions = names
            [any]
            commonName = supplied
            [names]
            subjectAltName = DNS:localhost, IP:127.0.0.1
            basicConstraints = critical, CA:TRUE
            """
        try Data(config.utf8).write(to: folder.appending(path: "\(name).cnf"))
        try Data().write(to: folder.appending(path: "\(name).db"))
        let script = """
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
              -keyout \(name).key -subj /CN=\(name) -out \(name).csr &&
            openssl ca -batch -notext -selfsign -config \(name).cnf -keyfile \(name).key \
              -in \(name).csr -startdate \(start) -enddate \(end) -out \(name).crt
            """
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
        certificate = folder.appending(path: "\(name).crt").path
        key = folder.appending(path: "\(name).key").path
    }
}
