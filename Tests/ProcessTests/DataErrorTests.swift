// Data directories that cannot be used: in use, another's, newer, damaged, not writable, full.
import Base
import Foundation
import ProcessSupport
import Testing

@Suite struct DataErrorTests {
    private func serve(_ folder: URL, _ data: String = "data") -> Program {
        Program(
            "serve", "--data-dir", data, "--listen", "127.0.0.1:0", "--log-format", "text"
        ).in(folder)
    }

    /// Makes a data directory by running a node for a moment.
    private func makeData(_ folder: URL) throws {
        let node = try serve(folder).start()
        defer { node.kill() }
        try #require(node.line(with: "event=ready") != nil, "\(node.messages)")
        node.send(SIGTERM)
        try #require(node.wait(.seconds(20))?.status == 0)
    }

    private func expect(
        _ program: Program, status: Int32, _ messages: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try program.run()
        #expect(outcome.status == status, sourceLocation: sourceLocation)
        #expect(outcome.messages == messages + "\n", sourceLocation: sourceLocation)
    }

    @Test func inUse() throws {
        try withFolder { folder in
            let node = try serve(folder).start()
            defer { node.kill() }
            try #require(node.line(with: "event=ready") != nil, "\(node.messages)")
            for command in ["serve", "doctor"] {
                var program = serve(folder)
                program.arguments[0] = command
                let outcome = try program.run()
                #expect(outcome.status == (command == "serve" ? 75 : 1))
                let text = command == "serve" ? outcome.messages : outcome.text
                #expect(text.contains("data is open in pid \(node.pid) (martlet serve, since "))
                #expect(text.contains("try: martlet serve --data-dir martlet-data-2 "))
                #expect(text.contains("   # or end the other: kill -TERM \(node.pid)"))
                #expect(text.contains("data_in_use"))
            }
            #expect(node.isRunning)
        }
    }

    @Test func somebodyElses() throws {
        try withFolder { folder in
            let data = folder.appending(path: "data")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            try Data("x".utf8).write(to: data.appending(path: "photo.jpg"))
            try expect(
                serve(folder), status: 65,
                """
                error[data_belongs_to_other_node]: data is no data directory of Martlet: it holds \
                photo.jpg
                     try: martlet serve --data-dir martlet-data-2 --listen 127.0.0.1:0 \
                --log-format text
                """)
            let names = try FileManager.default.contentsOfDirectory(atPath: data.path)
            #expect(names == ["photo.jpg"])
        }
    }

    @Test func aFileSystemOfTheKernelIsNotFull() throws {
        try withFolder { folder in
            let outcome = try serve(folder, "/proc/martlet").run()
            #expect(outcome.status == 77)
            let start = "error[data_unwritable]: /proc/martlet: /proc is on a file system that"
            #expect(outcome.messages.hasPrefix(start), "\(outcome.messages)")
        }
    }

    @Test func noDirectory() throws {
        try withFolder { folder in
            try Data().write(to: folder.appending(path: "data"))
            try expect(
                serve(folder), status: 77,
                """
                error[data_unwritable]: data: it is no directory
                     try: martlet serve --data-dir martlet-data-2 --listen 127.0.0.1:0 \
                --log-format text
                """)
        }
    }

    @Test func damagedOrNewer() throws {
        try withFolder { folder in
            try makeData(folder)
            let file = folder.appending(path: "data/IDENTITY")
            let text = try String(contentsOf: file, encoding: .utf8)
            let damaged = text.replacingOccurrences(of: "store: 1", with: "store: 2")
            try #require(damaged != text)
            try Data(damaged.utf8).write(to: file)
            let outcome = try serve(folder).run()
            #expect(outcome.status == 65)
            #expect(outcome.messages.hasPrefix("error[data_corrupt]: data/IDENTITY: "))
            #expect(
                outcome.messages.hasSuffix(
                    "     try: mv data data.broken   # then restore a backup\n"))
            try Data(text.utf8).write(to: file)
            let node = try serve(folder).start()
            defer { node.kill() }
            #expect(node.line(with: "event=ready") != nil, "\(node.messages)")
        }
    }

    /// Of a later release, and of a build before the first one: nothing converts that.
    @Test(arguments: [
        (
            9,
            """
            error[data_newer_format]: data has format 9; this binary knows formats up to 2
                 try: martlet version   # older than what wrote the data; install that one
            """
        ),
        (
            1,
            """
            error[data_older_format]: data has format 1, from before the first release; \
            this binary reads format 2 only
                 try: martlet serve --data-dir martlet-data-2 --listen 127.0.0.1:0 --log-format text
            """
        ),
    ])
    func otherFormat(format: Int, message: String) throws {
        try withFolder { folder in
            let data = folder.appending(path: "data")
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            let body = "martlet data directory\nformat: \(format)\nsomething: new\n"
            let sum = Fingerprint(of: Bytes(body.utf8))
            func hex(_ word: UInt64) -> String {
                let digits = String(word, radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }
            try Data("\(body)checksum: \(hex(sum.high))\(hex(sum.low))\n".utf8)
                .write(to: data.appending(path: "IDENTITY"))
            try expect(serve(folder), status: 78, message)
        }
    }

    @Test(.enabled(if: getuid() == 0)) func noSpaceAtAll() throws {
        try withFolder { folder in
            let mounted = try Process.run(
                URL(filePath: "/bin/mount"),
                arguments: ["-t", "tmpfs", "-o", "size=1m", "none", folder.path])
            mounted.waitUntilExit()
            guard mounted.terminationStatus == 0 else { return }
            defer {
                let unmounted = try? Process.run(
                    URL(filePath: "/bin/umount"), arguments: [folder.path])
                unmounted?.waitUntilExit()
            }
            try expect(
                serve(folder), status: 74,
                """
                error[disk_full]: data has 1 MiB left, a start needs 4 MiB
                     try: df -h data
                """)
        }
    }
}
