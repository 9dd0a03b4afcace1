/// What is said when a node is ready: to a person as a banner, to everything else as one line.
internal import Base
internal import Glibc
internal import HTTP
internal import NIOCore
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Terminal

struct Announcement {
    let started: NodeStart.Started
    let settings: ServeSettings
    let took: Duration

    private var identity: StoreIdentity { started.node.identity }

    /// With the ports that were really taken.
    private var addresses: [ListenAddress] {
        zip(settings.listen, started.node.addresses).map { wanted, bound in
            wanted.with(port: UInt16(clamping: bound.port ?? Int(wanted.port)))
        }
    }

    private var urls: [String] {
        let scheme = settings.tls == nil ? "http" : "https"
        return addresses.map { "\(scheme)://\(host(of: $0)):\($0.port)" }
    }

    /// What can be connected to: the address itself, and `localhost` where that means the same and
    /// the certificate is for it. Other names are not looked up, since a start waits for no one.
    private func host(of address: ListenAddress) -> String {
        let loopback = address.isIPv6 ? "[::1]" : "127.0.0.1"
        let literal = address.isWildcard ? loopback : address.urlHost
        guard literal == loopback, let names = started.certificate?.names,
            !names.contains(literal), names.contains("localhost")
        else { return literal }
        return "localhost"
    }

    private var exposure: String {
        let isOpen = addresses.contains { !$0.isLoopback }
        guard isOpen else { return "Only this machine can reach it, and nobody needs a password." }
        return settings.tls == nil
            ? "The network can reach it in clear, and nobody needs a password."
            : "The network can reach it over TLS, and nobody needs a password."
    }

    /// For `systemctl status`.
    var status: String { "ready on \(urls.joined(separator: ", "))" }

    var banner: Banner {
        let state =
            started.bytesFound.map { "found, \(ByteSize(bytes: Int(clamping: $0)))" }
            ?? "new (created now)"
        let id = identity.cluster
        return Banner(
            program: "Martlet \(Build.version) (Swift \(Build.swift), \(Build.platform))",
            cluster: "\"\(identity.clusterName)\" \(id.prefix(4))…\(id.suffix(2))",
            data: started.directory, dataState: state,
            memoryBound: ByteSize(bytes: started.node.storeMemoryBound).description, urls: urls,
            certificate: settings.tls.map { shellQuoted($0.certificate) }, readyAfter: took,
            exposure: exposure)
    }

    var record: LogRecord {
        var record = LogRecord(
            time: .current, level: "notice", message: "ready to serve",
            fields: [
                "event": .text("ready"),
                "address": .text(addresses.map(\.description).joined(separator: ",")),
                "base": .text(urls.joined(separator: ",")),
                "cluster": .text(identity.cluster), "cluster_name": .text(identity.clusterName),
                "store": .number(Int(clamping: identity.store)),
                "data_dir": .text(started.directory),
                "data_new": .boolean(started.bytesFound == nil),
                "data_bytes": .number(Int(clamping: started.bytesFound ?? 0)),
                "memory_bound_bytes": .number(started.node.storeMemoryBound),
                "tls": .boolean(settings.tls != nil), "version": .text(Build.version),
                "pid": .number(Int(getpid())), "took_ms": .number(Int(took.wholeMilliseconds)),
            ])
        if let names = started.certificate?.names {
            record.fields["certificate_names"] = .text(names.joined(separator: ","))
        }
        return record
    }
}
