/// Would a node start with these settings on this machine? The same questions for `serve`, which
/// asks them before it opens its port, and for `doctor`, which asks only.
///
/// Nothing is changed and nothing is left behind: no file is made, no port listens.
internal import Base
internal import Glibc
internal import HTTP
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Terminal

struct StartChecks {
    enum Subject: String, CaseIterable {
        case exposure, certificate, data, disk, descriptors, memory, addresses
    }

    enum Verdict {
        case fine(String)
        case warning(Diagnosis)
        case failed(StartError)
    }

    let layers: LayeredSettings
    let settings: ServeSettings

    /// A certificate that ends within two weeks should have been renewed by now.
    static let renewalSeconds: UInt64 = 14 * 86_400

    func verdict(on subject: Subject) -> Verdict {
        do throws(StartError) {
            return switch subject {
            case .exposure: try exposure()
            case .certificate: try certificate()
            case .data: try data()
            case .disk: try disk()
            case .descriptors: try descriptors()
            case .memory: try memory()
            case .addresses: try addresses()
            }
        } catch {
            return .failed(error)
        }
    }

    // MARK: One by one

    private func exposure() throws(StartError) -> Verdict {
        guard let open = settings.listen.first(where: { !$0.isLoopback }) else {
            return .fine("only this machine can reach the node")
        }
        if settings.tls != nil { return .fine("\(open) is open to the network, over TLS") }
        guard settings.insecure else {
            throw .openWithoutTLS(
                open,
                command: layers.command(changing: .insecure, to: ["true"])
                    + "   # if the network is yours; else --tls-cert FILE --tls-key FILE")
        }
        return .fine("\(open) is open to the network in clear, as told by --insecure")
    }

    private func certificate() throws(StartError) -> Verdict {
        guard let tls = settings.tls, let identity = try certificateIdentity() else {
            return .fine("no TLS")
        }
        let names = identity.names.joined(separator: ", ")
        let end = String(decoding: identity.notAfter.rfc3339.prefix(10), as: UTF8.self)
        let fact = "\(tls.certificate) is for \(names.isEmpty ? "no name" : names), until \(end)"
        try refuseUnreachable(tls, names)
        guard identity.notAfter > WallTime.current.adding(seconds: StartChecks.renewalSeconds)
        else {
            return .warning(
                Diagnosis(
                    .warning, "certificate_expires", fact,
                    advice: "openssl x509 -in \(shellQuoted(tls.certificate)) -noout -dates"))
        }
        return .fine(fact)
    }

    /// What the certificate says; nil in cleartext.
    func certificateIdentity() throws(StartError) -> TLSIdentity? {
        try settings.tls.map { tls throws(StartError) in try acceptor(tls) }?.identity
    }

    func acceptor(_ tls: ServeSettings.TLSFiles) throws(StartError) -> TLSAcceptor {
        do throws(TLSFileError) {
            return try TLSAcceptor(tls.paths, now: .current)
        } catch {
            throw StartError(error)
        }
    }

    /// Other stores call this one by the address that it gives, and look for that.
    private func refuseUnreachable(
        _ tls: ServeSettings.TLSFiles, _ names: String
    ) throws(StartError) {
        guard tls.peerAuthorities != nil, let host = hostForStores,
            try !acceptor(tls).serverContext.isFor(host)
        else { return }
        throw .certificateUnreadable(
            fact: "\(tls.certificate) is not for \(host), by which other stores would call this "
                + "one (it is for: \(names.isEmpty ? "no name" : names))",
            advice: "openssl x509 -in \(shellQuoted(tls.certificate)) -noout -ext subjectAltName"
                + "   # have \(host) put into it, or --advertise an address that is")
    }

    /// nil where it is not known before the start.
    private var hostForStores: String? {
        guard let url = settings.advertise else {
            let address = settings.listen[0]
            return address.isWildcard ? nil : address.host
        }
        do throws(ClientError) {
            return try Origin.parse(url).origin.host
        } catch {
            // Settings are URLs; what is no address of a host is found by whoever calls it.
            return nil
        }
    }

    private func data() throws(StartError) -> Verdict {
        let path = settings.dataDirectory
        var status = stat()
        guard stat(path, &status) == 0 else {
            guard errno == ENOENT else { throw unwritable(SystemError.last.reason) }
            let parent = existingAncestor
            guard access(parent, W_OK | X_OK) == 0 else {
                throw unwritable("\(parent): \(SystemError.last.reason)")
            }
            return .fine("\(path) will be created")
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw unwritable("it is no directory") }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw unwritable(SystemError.last.reason)
        }
        let shown = resolvedPath(path) ?? path
        do throws(DataDirectoryError) {
            switch try DataDirectory.inspect(path) {
            case .empty: return .fine("\(shown) is empty")
            case .store(let identity):
                return .fine("\(shown) is of cluster \"\(identity.clusterName)\"")
            }
        } catch {
            throw startError(error)
        }
    }

    private func unwritable(_ reason: String) -> StartError {
        .dataUnwritable(
            path: settings.dataDirectory, reason: reason,
            command: layers.command(changing: .dataDir, to: ["martlet-data-2"]))
    }

    private func disk() throws(StartError) -> Verdict {
        let path = existingAncestor
        switch freeSpace(path) {
        case .failure(let error): throw unwritable(error.reason)
        case .success(let free):
            // Such as /proc: it is not full, it takes no files at all.
            guard !isWithoutBlocks(path) else {
                throw unwritable("\(path) is on a file system that holds no files")
            }
            if let error = shortage(free.bytes, free.files) { throw error }
            return .fine("\(ByteSize(bytes: free.bytes)) free")
        }
    }

    /// Nil if there is enough of both, with what the directory has set aside.
    func shortage(_ bytes: Int, _ files: Int?) -> StartError? {
        let held = DiskReserve.held(in: settings.dataDirectory)
        let filesNeeded = Int(DataDirectory.filesToStart)
        if let files, files + Int(held.files) < filesNeeded {
            return .noInodes(path: settings.dataDirectory, free: files, needed: filesNeeded)
        }
        let bytesNeeded = Int(DataDirectory.bytesToStart)
        guard bytes + Int(held.bytes) < bytesNeeded else { return nil }
        return .diskFull(
            path: settings.dataDirectory, freeBytes: bytes, neededBytes: bytesNeeded)
    }

    private func descriptors() throws(StartError) -> Verdict {
        let budget = DescriptorBudget.raised()
        guard budget.limit >= DescriptorBudget.least else {
            throw .tooFewDescriptors(
                limit: budget.limit, needed: DescriptorBudget.least, advice: budget.advice)
        }
        guard let advice = budget.advice else { return .fine(budget.fact) }
        return .warning(
            Diagnosis(.warning, "few_file_descriptors", budget.fact, advice: advice))
    }

    /// After the descriptors, whose number decides how many tables may be open.
    private func memory() throws(StartError) -> Verdict {
        switch capacityBytes(existingAncestor) {
        case .failure(let error): throw unwritable(error.reason)
        case .success(let capacity):
            let bound = RunningNode.storeMemoryBound(
                cacheBytes: settings.cacheBytes, diskBytes: UInt64(capacity))
            let total = MachineResources.measured().memoryBytes
            let fact = "the store stays below \(ByteSize(bytes: bound))"
            // Without a size of one's own it is a share of what there is.
            guard settings.cacheBytes == nil || bound <= total else {
                return .warning(
                    Diagnosis(
                        .warning, "memory_exceeded",
                        "\(fact), and there are \(ByteSize(bytes: total))",
                        advice: layers.command(
                            changing: .cacheSize, to: ["\(max(1, total >> 22))MiB"])))
            }
            return .fine(
                "\(fact) of the \(ByteSize(bytes: total)) there are; --cache-size changes it")
        }
    }

    private func addresses() throws(StartError) -> Verdict {
        for address in settings.listen {
            if let number = bindingError(address) { throw startError(binding: address, number) }
        }
        let texts = settings.listen.map(\.description)
        return .fine(texts.joined(separator: ", ") + (texts.count == 1 ? " is" : " are") + " free")
    }

    // MARK: Addresses

    /// Also for a bind that fails later, because someone was quicker.
    func startError(binding address: ListenAddress, _ number: Int32) -> StartError {
        switch number {
        case EADDRINUSE:
            return .portInUse(
                address, ProcessTable.holder(of: address),
                command: listening(on: freeNeighbour(of: address)))
        case EADDRNOTAVAIL:
            return .addressUnavailable(
                address, reason: "this machine does not have that address",
                command: listening(on: loopback(port: address.port)))
        case EACCES, EPERM:
            return .portForbidden(
                address, command: listening(on: freeNeighbour(of: address.with(port: 7170))))
        default:
            return .addressUnavailable(
                address, reason: SystemError(number: number).reason,
                command: listening(on: loopback(port: address.port)))
        }
    }

    private func listening(on address: ListenAddress) -> String {
        layers.command(changing: .listen, to: [address.description])
    }

    private func loopback(port: UInt16) -> ListenAddress {
        guard let address = ListenAddress("127.0.0.1:\(port)") else {
            preconditionFailure("a literal of ours is an address")
        }
        return address
    }

    /// The next port above that can be bound; any port if the next hundred are taken.
    private func freeNeighbour(of address: ListenAddress) -> ListenAddress {
        for step in 1...100 {
            guard let port = UInt16(exactly: Int(address.port) + step) else { break }
            let candidate = address.with(port: port)
            if bindingError(candidate) == nil { return candidate }
        }
        return address.with(port: 0)
    }

    // MARK: Files

    /// The data directory, or the nearest directory above it that exists.
    var existingAncestor: String {
        var path = settings.dataDirectory
        while access(path, F_OK) != 0 {
            guard let slash = path.lastIndex(of: "/") else { return "." }
            if slash == path.startIndex { return "/" }
            path = String(path[..<slash])
        }
        return path
    }
}

extension StartChecks {
    /// Binds without listening, so that nobody can connect, and lets go again. Nil if that works.
    func bindingError(_ address: ListenAddress) -> Int32? {
        let family = address.isIPv6 ? AF_INET6 : AF_INET
        let descriptor = socket(
            family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        // As the listener will: without it, connections of an earlier run that linger would be in
        // the way.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var storage = sockaddr_storage()
        let size = withUnsafeMutableBytes(of: &storage) { buffer in
            address.write(to: buffer)
        }
        let result = withUnsafePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        return result == 0 ? nil : errno
    }
}

extension ListenAddress {
    /// As a `sockaddr_in` or `sockaddr_in6`; the size of what was written.
    fileprivate func write(to buffer: UnsafeMutableRawBufferPointer) -> socklen_t {
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
            buffer.storeBytes(of: address, as: sockaddr_in6.self)
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
        buffer.storeBytes(of: address, as: sockaddr_in.self)
        return socklen_t(MemoryLayout<sockaddr_in>.size)
    }
}

extension StartError {
    init(_ error: TLSFileError) {
        self = .certificateUnreadable(fact: error.description, advice: error.advice)
    }
}
