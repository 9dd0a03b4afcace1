// Loading certificates: every mistake has its own error with the facts, and a reload that fails
// changes nothing.
import Base
import COpenSSL
import Foundation
import HTTP
import Testing

struct TLSContextTests {
    private let files: TestFiles
    private let good = TestCertificate(names: "DNS:db1,DNS:*.example.org,IP:10.0.0.5,IP:::1")

    init() throws { files = try TestFiles() }

    private func load(
        _ certificate: String, _ key: String, plusDays days: Int = 0
    ) throws(TLSFileError) -> TLSContext {
        try TLSContext.server(certificate: certificate, key: key, now: wallTime(plusDays: days))
    }

    @Test func aGoodPairLoadsAndTellsItsFacts() throws {
        let paths = try files.write("a", good)
        let identity = try #require(try load(paths.certificate, paths.key).identity)
        #expect(identity.names == ["db1", "*.example.org", "10.0.0.5", "::1"])
        let days = Double(identity.notAfter.milliseconds) / 86_400_000
        #expect(abs(days - Date().timeIntervalSince1970 / 86_400 - 30) < 0.01)
    }

    @Test func aChainLoads() throws {
        let authority = TestCertificate(isAuthority: true)
        let leaf = TestCertificate(issuer: authority)
        let chain = try files.write("c.crt", leaf.certificatePEM + authority.certificatePEM)
        let key = try files.write("c.key", leaf.keyPEM)
        #expect(try load(chain, key).identity?.names == ["localhost", "127.0.0.1"])
    }

    @Test func missingFilesAndFoldersAreTold() throws {
        let paths = try files.write("a", good)
        let absent = "\(files.path)/absent.key"
        #expect(throws: TLSFileError.missing(path: absent)) {
            _ = try load(paths.certificate, absent)
        }
        #expect(throws: TLSFileError.missing(path: absent)) { _ = try load(absent, paths.key) }
        #expect(throws: TLSFileError.notAFile(path: files.path)) {
            _ = try load(files.path, paths.key)
        }
        #expect(throws: TLSFileError.notAFile(path: "/dev/zero")) {
            _ = try load("/dev/zero", paths.key)
        }
    }

    @Test func otherContentIsTold() throws {
        let paths = try files.write("a", good)
        let empty = try files.write("empty", "")
        let text = try files.write("text", "hello\n")
        let cut = try files.write("cut", String(good.certificatePEM.dropLast(60)))
        let large = try files.write("large", String(repeating: "x", count: (1 << 20) + 1))
        for path in [empty, text, cut, paths.key] {
            let error = #expect(throws: TLSFileError.self) { _ = try load(path, paths.key) }
            guard case .noCertificate(path, _)? = error else {
                Issue.record("\(path): \(String(describing: error))")
                continue
            }
        }
        for path in [empty, text, paths.certificate] {
            let error = #expect(throws: TLSFileError.self) { _ = try load(paths.certificate, path) }
            guard case .noKey(path, _)? = error else {
                Issue.record("\(path): \(String(describing: error))")
                continue
            }
        }
        #expect(throws: TLSFileError.tooLarge(path: large, limit: 1 << 20)) {
            _ = try load(large, paths.key)
        }
    }

    @Test func aKeyWithAPassphraseIsRefusedWithoutAsking() throws {
        let paths = try files.write("a", good)
        let locked = try files.write("locked.key", good.keyPEM(passphrase: "secret"))
        #expect(throws: TLSFileError.keyHasPassphrase(path: locked)) {
            _ = try load(paths.certificate, locked)
        }
    }

    @Test func aKeyOfAnotherCertificateIsRefused() throws {
        let paths = try files.write("a", good)
        let other = try files.write("b", TestCertificate())
        #expect(
            throws: TLSFileError.keyMismatch(certificate: paths.certificate, key: other.key)
        ) {
            _ = try load(paths.certificate, other.key)
        }
    }

    @Test func timeOutsideTheValidityIsRefused() throws {
        let paths = try files.write("a", good)
        for (days, isLate) in [(31, true), (-2, false)] {
            let error = #expect(throws: TLSFileError.self) {
                _ = try load(paths.certificate, paths.key, plusDays: days)
            }
            switch error {
            case .expired(let path, _)? where isLate: #expect(path == paths.certificate)
            case .notYetValid(let path, _)? where !isLate: #expect(path == paths.certificate)
            default: Issue.record("\(days): \(String(describing: error))")
            }
        }
    }

    @Test func messagesHoldTheFacts() {
        let denied = TLSFileError.permissionDenied(
            path: "/etc/martlet/tls/node.key", user: "martlet", owner: "root", mode: 0o600)
        #expect(
            denied.description
                == "/etc/martlet/tls/node.key: permission denied for user martlet "
                + "(owner root, mode 0600)")
        #expect(denied.advice == "chown martlet /etc/martlet/tls/node.key")
        #expect(denied.path == "/etc/martlet/tls/node.key")
        let expired = TLSFileError.expired(
            path: "a.crt", since: WallTime(milliseconds: 1_795_356_131_000))
        #expect(expired.description == "a.crt: expired since 2026-11-22T14:02:11Z")
    }

    @Test func reloadTakesGoodFilesAndKeepsTheOldForBadOnes() throws {
        let paths = try files.write("a", good)
        let acceptor = try TLSAcceptor(
            .init(certificate: paths.certificate, key: paths.key), now: wallTime())
        let first = try #require(acceptor.identity)
        #expect(acceptor.reload(now: wallTime()) == .unchanged)

        try files.write("a.key", "broken")
        guard case .kept(.noKey) = acceptor.reload(now: wallTime()) else {
            Issue.record("a broken key is kept out")
            return
        }
        #expect(acceptor.identity == first)

        // Half of a renewal: the new certificate with the old key.
        let renewed = TestCertificate(names: "DNS:db2", until: 60)
        try files.write("a.key", good.keyPEM)
        try files.write("a.crt", renewed.certificatePEM)
        let mismatch = TLSFileError.keyMismatch(certificate: paths.certificate, key: paths.key)
        #expect(acceptor.reload(now: wallTime()) == .kept(mismatch))
        #expect(acceptor.identity == first)

        try files.write("a.key", renewed.keyPEM)
        guard case .replaced(let second) = acceptor.reload(now: wallTime()) else {
            Issue.record("a good pair is taken")
            return
        }
        #expect(second.names == ["db2"])
        #expect(acceptor.identity == second)
        #expect(acceptor.reload(now: wallTime()) == .unchanged)
    }
}
