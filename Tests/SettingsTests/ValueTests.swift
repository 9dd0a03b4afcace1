// Addresses, sizes, quoting, and the kernel's table of sockets.
import Settings
import Testing

@Suite struct ValueTests {
    @Test(arguments: [
        ("127.0.0.1:7171", "127.0.0.1:7171", true), ("localhost:0", "127.0.0.1:0", true),
        ("[::1]:80", "[::1]:80", true), ("127.9.9.9:65535", "127.9.9.9:65535", true),
        ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]:1", true), ("0.0.0.0:1", "0.0.0.0:1", false),
        ("[::]:1", "[::]:1", false), ("10.0.0.5:7171", "10.0.0.5:7171", false),
        ("[fe80::1]:1", "[fe80::1]:1", false),
        ("[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.1]:1", false),
        ("[::2]:1", "[::2]:1", false), ("128.0.0.1:1", "128.0.0.1:1", false),
    ])
    func addresses(text: String, spelled: String, isLoopback: Bool) throws {
        let address = try #require(ListenAddress(text))
        #expect(address.description == spelled)
        #expect(address.isLoopback == isLoopback)
    }

    @Test(arguments: [
        ("", "127.0.0.1:7171"), ("7171", "127.0.0.1:7171"), (":80", "127.0.0.1:80"),
        ("10.0.0.1", "10.0.0.1:7171"), ("::1", "[::1]:7171"), ("fe80::1:2:zz:80", "127.0.0.1:7171"),
        ("fe80:0:0:0:0:0:0:1:80", "[fe80:0:0:0:0:0:0:1]:80"),
        ("db1:7171", "127.0.0.1:7171"), ("127.0.0.1:65536", "127.0.0.1:7171"),
        ("[127.0.0.1]:1", "127.0.0.1:7171"), ("127.1:80", "127.0.0.1:7171"),
        ("127.0.0.1:+1", "127.0.0.1:7171"), ("http://127.0.0.1:80", "127.0.0.1:7171"),
    ])
    func noAddresses(text: String, example: String) {
        #expect(ListenAddress(text) == nil)
        #expect(ListenAddress.example(for: text) == example)
        #expect(ListenAddress(example) != nil)
    }

    @Test(arguments: [
        ("0", 0, "0 B"), ("1023", 1023, "1023 B"), ("1k", 1024, "1 KiB"), ("1kB", 1000, "1000 B"),
        ("512MiB", 512 << 20, "512 MiB"), ("1.5 GiB", 3 << 29, "1.5 GiB"),
        ("2G", 2 << 30, "2 GiB"), ("1TB", 1_000_000_000_000, "931 GiB"),
    ])
    func sizes(text: String, bytes: Int, spelled: String) throws {
        let size = try #require(ByteSize(text))
        #expect(size.bytes == bytes)
        #expect(size.description == spelled)
    }

    @Test(arguments: [
        "", "x", "1.5", "-1", "1 parsec", "1e3", "9999999999T", "nan", "1..2K", "٣", ".", "5 %",
    ])
    func noSizes(text: String) { #expect(ByteSize(text) == nil) }

    @Test(arguments: [
        ("plain-1.2:3", "plain-1.2:3"), ("", "''"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#),
        ("$(x)", "'$(x)'"), ("é", "'é'"),
    ])
    func quoting(text: String, quoted: String) { #expect(shellQuoted(text) == quoted) }

    @Test func socketTable() throws {
        let header =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
            + "  timeout inode\n"
        func row(_ local: String, _ state: String, _ inode: Int) -> String {
            "   0: \(local) 00000000:0000 \(state) 00000000:00000000 00:00000000 00000000     0"
                + "        0 \(inode) 1 0000000000000000 100 0 0 10 0\n"
        }
        var table = SocketTable()
        table.read(
            header + row("0100007F:1C03", "0A", 11) + row("0100007F:1C04", "01", 12)
                + row("00000000:0050", "0A", 13) + "nonsense\n")
        table.read(header + row("00000000000000000000000001000000:1C05", "0A", 14))
        func holders(_ text: String) throws -> [UInt64] {
            table.holders(of: try #require(ListenAddress(text)))
        }
        #expect(try holders("127.0.0.1:7171") == [11])
        #expect(try holders("0.0.0.0:7171") == [11])
        #expect(try holders("127.0.0.2:7171") == [])
        #expect(try holders("127.0.0.1:7172") == [], "a connection is no listener")
        #expect(try holders("10.0.0.1:80") == [13])
        #expect(try holders("[::1]:7173") == [14])
    }

    @Test func everyStartErrorIsOneFactAndAnExitStatus() throws {
        let address = try #require(ListenAddress("127.0.0.1:7171"))
        let errors: [StartError] = [
            .settings(.unreadable(path: "x", reason: "no such file")),
            .openWithoutTLS(address, command: "c"),
            .certificateUnreadable(fact: "expired", advice: "a"),
            .portInUse(address, nil, command: "c"),
            .addressUnavailable(address, reason: "r", command: "c"),
            .portForbidden(address, command: "c"), .dataInUse(path: "x", nil, command: "c"),
            .dataBelongsToOther(path: "x", reason: "r", command: "c"),
            .dataNewerFormat(path: "x", found: 2, supported: 1),
            .dataCorrupt(path: "x/y", reason: "r", directory: "x"),
            .dataUnwritable(path: "x", reason: "r", command: "c"),
            .diskFull(path: "x", freeBytes: 1, neededBytes: 2), .diskFailed(path: "x", reason: "r"),
            .tooFewDescriptors(limit: 1, needed: 2, advice: "a"),
            .noInodes(path: "x", free: 1, needed: 2), .unforeseen("u"),
        ]
        #expect(Set(errors.map(\.code)).count == errors.count)
        for error in errors {
            #expect(error.exitStatus.rawValue >= 64)
            #expect(!error.fact.contains("\n") && error.advice?.contains("\n") != true)
        }
    }
}
