// `martlet get --file`: what is there keeps its mode, its owner and its other names; what is no
// plain file is written to and not replaced; and nothing waits for ever.
import Foundation
import ProcessSupport
import Testing

@Suite struct OutputFileTests {
    private func facts(_ file: URL) throws -> stat {
        var facts = stat()
        try #require(stat(file.path, &facts) == 0, "\(file.path)")
        return facts
    }

    private func make(_ file: URL, mode: mode_t) throws {
        try Data("old and longer".utf8).write(to: file)
        try #require(chmod(file.path, mode) == 0)
    }

    private func get(_ url: String, _ words: String..., in folder: URL) -> Program {
        Program(arguments: ["get", "a", "--url", url, "--file"] + words).in(folder)
    }

    @Test func aPlainFileKeepsWhatItIs() throws {
        try withNode { _, url, folder in
            #expect(try Program("put", "a", "new", "--url", url).run().status == 0)
            let file = folder.appending(path: "file")
            for mode in [0o600, 0o640, 0o644, 0o666, 0o755] as [mode_t] {
                try make(file, mode: mode)
                #expect(try get(url, "file", in: folder).run().status == 0)
                #expect(try Data(contentsOf: file) == Data("new".utf8))
                let found = try facts(file).st_mode & 0o7777
                #expect(
                    found == mode,
                    "\(String(mode, radix: 8)) became \(String(found, radix: 8))")
            }
            // Whole or not at all: whoever has the old one open goes on to read it.
            try make(file, mode: 0o644)
            let open = try FileHandle(forReadingFrom: file)
            #expect(try get(url, "file", in: folder).run().status == 0)
            #expect(try open.readToEnd() == Data("old and longer".utf8))
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    == ["data", "file"])
        }
    }

    @Test func namesAndLinksStay() throws {
        try withNode { _, url, folder in
            #expect(try Program("put", "a", "new", "--url", url).run().status == 0)
            let file = folder.appending(path: "file")
            let other = folder.appending(path: "other")
            try make(file, mode: 0o644)
            try FileManager.default.linkItem(at: file, to: other)
            #expect(try get(url, "file", in: folder).run().status == 0)
            #expect(try Data(contentsOf: other) == Data("new".utf8), "one file of two names")
            let inodes = (try facts(file).st_ino, try facts(other).st_ino)
            #expect(inodes.0 == inodes.1)

            let target = folder.appending(path: "target")
            try make(target, mode: 0o600)
            for name in ["target", "nothing"] {
                let link = folder.appending(path: "link-\(name)").path
                try FileManager.default.createSymbolicLink(
                    atPath: link, withDestinationPath: name)
                #expect(try get(url, link, in: folder).run().status == 0)
                #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == name)
                #expect(
                    try Data(contentsOf: folder.appending(path: name)) == Data("new".utf8))
            }
            let mode = try facts(target).st_mode & 0o777
            #expect(mode == 0o600)
            // The longest name there is leaves no room for a longer one beside it.
            let long = String(repeating: "n", count: 255)
            #expect(try get(url, long, in: folder).run().status == 0)
        }
    }

    @Test func aPipeIsWrittenToWithinTheTime() throws {
        try withNode { _, url, folder in
            // More than a pipe holds.
            let value = Data((0..<300_000).map { UInt8($0 % 251) })
            #expect(try Program("put", "a", "--url", url).reading(value).run().status == 0)
            let pipe = folder.appending(path: "pipe")
            try #require(mkfifo(pipe.path, 0o600) == 0)
            let alone = try get(url, "pipe", "--timeout", "1s", in: folder).run()
            #expect(alone.status == 75)
            #expect(
                alone.messages.hasPrefix("error[timeout]: pipe: nobody read it in time\n"),
                "\(alone.messages)")

            // A reader that opens it and takes nothing.
            let idle = open(pipe.path, O_RDONLY | O_NONBLOCK)
            try #require(idle >= 0)
            let stuck = try get(url, "pipe", "--timeout", "1s", in: folder).run()
            #expect(stuck.status == 75, "\(stuck.messages)")
            close(idle)

            let writer = try get(url, "pipe", in: folder).start()
            defer { writer.kill() }
            var reader = Program(arguments: [pipe.path])
            reader.executable = URL(filePath: "/bin/cat")
            #expect(try reader.run().output == value)
            #expect(writer.wait(.seconds(20))?.status == 0, "\(writer.messages)")
            let kind = try facts(pipe).st_mode & S_IFMT
            #expect(kind == S_IFIFO, "it is a pipe still")
        }
    }

    @Test func standardOutputIsWrittenToAsItIs() throws {
        try withNode { _, url, folder in
            #expect(try Program("put", "a", "new", "--url", url).run().status == 0)
            for name in ["-", "/dev/stdout", "/dev/fd/1"] {
                // Standard output is a file here: to open and cut it off would lose the first line.
                var shell = Program(
                    "-c", "echo before; \"$0\" get a --url \(url) --file \(name)",
                    Program.binary.path
                ).in(folder)
                shell.executable = URL(filePath: "/bin/sh")
                let outcome = try shell.run()
                #expect(outcome.text == "before\nnew", "\(name)")
            }
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "-").path))
            #expect(try get(url, "/dev/null", in: folder).run().status == 0)
        }
    }

    @Test func refusalsSayWhatIsWrong() throws {
        try withNode { _, url, folder in
            #expect(try Program("put", "a", "new", "--url", url).run().status == 0)
            try make(folder.appending(path: "file"), mode: 0o644)
            let isRoot = geteuid() == 0
            for (name, status, fact) in [
                ("", 64, "error[usage]: --file has no name"),
                ("data", 64, "error[output_unwritable]: data: it is a directory"),
                ("none/x", 64, "error[output_unwritable]: none/x: there is no such directory"),
                ("file/x", 64, "file/x: a part of the path is not a directory"),
                ("/dev/full", 74, "/dev/full: no space left on device"),
                ("/dev/fd/77", 64, "/dev/fd/77: bad file descriptor"),
                ("/proc/version", isRoot ? 74 : 77, "error[output_unwritable]: /proc/version: "),
            ] as [(String, Int32, String)] {
                let outcome = try get(url, name, in: folder).run()
                #expect(outcome.status == status, "\(name): \(outcome.messages)")
                #expect(outcome.messages.contains(fact), "\(name): \(outcome.messages)")
                #expect(outcome.messages.contains("try: martlet get "), "\(outcome.messages)")
            }
        }
    }
}
