/// The settings of one node, each of its own type: what `martlet serve` and `martlet doctor` work
/// from.
///
/// Only what can be told from the texts is checked here; whether a port is free or a file readable
/// is asked of the machine later.
private import Base
package import Failpoints

package struct ServeSettings: Hashable, Sendable {
    package struct TLSFiles: Hashable, Sendable {
        package var certificate: String
        package var key: String
        /// Of the authorities that sign the certificates of stores.
        package var peerAuthorities: String?

        package init(certificate: String, key: String, peerAuthorities: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.peerAuthorities = peerAuthorities
        }
    }

    package let dataDirectory: String
    /// At least one.
    package let listen: [ListenAddress]
    /// Nil: as many as the machine has.
    package let cores: Int?
    /// Nil: the storage decides from the memory it sees.
    package let cacheBytes: Int?
    package let tls: TLSFiles?
    package let insecure: Bool
    /// Lower case, without port.
    package let allowedHosts: [String]
    /// URLs of a cluster's nodes, any of which a new node asks to be taken; empty: it begins one.
    package let join: [String]
    /// The URL under which other nodes reach this one; nil: the first address of `listen`.
    package let advertise: String?
    /// Nil: text on a terminal, JSON otherwise.
    package let logFormat: LogFormat?
    package let logLevel: LogThreshold
    /// What is set from the start.
    package let failpoints: [FailpointSetting]
    /// Whether `/v1/debug/failpoints` is served.
    package let enableFailpoints: Bool

    /// More event loops than any machine this is meant for has cores; a slip of the finger
    /// otherwise.
    package static let coresMax = 1024
    /// Below it RocksDB spends its time evicting index blocks.
    package static let cacheBytesMin = 1 << 20

    package init(_ layers: LayeredSettings) throws(SettingsError) {
        let reader = ValueReader(layers: layers)
        dataDirectory = try reader.text(.dataDir) ?? ""
        listen = try reader.listenAddresses()
        cores = try reader.cores()
        cacheBytes = try reader.cacheBytes()
        tls = try reader.tlsFiles()
        insecure = try reader.boolean(.insecure)
        allowedHosts = try reader.allowedHosts()
        join = try reader.urls(.join)
        advertise = try reader.urls(.advertise).first
        logFormat = try reader.choice(.logFormat)
        logLevel = try reader.choice(.logLevel) ?? .info
        failpoints = try reader.failpoints()
        enableFailpoints = try reader.boolean(.enableFailpoints)
    }
}

private struct ValueReader {
    let layers: LayeredSettings

    /// A path is never empty: an empty variable is a mistake in a script and not a wish.
    func text(_ name: SettingName) throws(SettingsError) -> String? {
        guard let stated = layers.stated[name] else { return nil }
        let text = stated.texts.last ?? ""
        guard !text.isEmpty, !text.utf8.contains(0) else {
            throw invalid(
                name, text, "a path",
                example: name == .dataDir
                    ? "martlet-data" : name.exampleFile)
        }
        return text
    }

    func listenAddresses() throws(SettingsError) -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in layers.stated[.listen]?.texts ?? [] {
            guard let address = ListenAddress(text) else {
                throw invalid(
                    .listen, text, "an IP address and a port, as in 127.0.0.1:7171 or [::1]:7171",
                    example: ListenAddress.example(for: text))
            }
            // Port 0 asks for any free port, and two such wishes are not the same address.
            guard address.port == 0 || !addresses.contains(address) else {
                throw invalid(
                    .listen, text, "named once", example: "\(address.with(port: 0))")
            }
            addresses.append(address)
        }
        guard !addresses.isEmpty else {
            throw invalid(.listen, "", "at least one address", example: "127.0.0.1:7171")
        }
        return addresses
    }

    func cores() throws(SettingsError) -> Int? {
        guard let text = layers.stated[.cores]?.texts.last else { return nil }
        guard let cores = Int(text), (1...ServeSettings.coresMax).contains(cores) else {
            throw invalid(
                .cores, text, "a number from 1 to \(ServeSettings.coresMax)", example: "2")
        }
        return cores
    }

    func cacheBytes() throws(SettingsError) -> Int? {
        guard let text = layers.stated[.cacheSize]?.texts.last else { return nil }
        guard let size = ByteSize(text), size.bytes >= ServeSettings.cacheBytesMin else {
            throw invalid(
                .cacheSize, text, "a size of 1MiB or more, as in 512MiB", example: "512MiB")
        }
        return size.bytes
    }

    func tlsFiles() throws(SettingsError) -> ServeSettings.TLSFiles? {
        let authorities = try text(.peerCA)
        switch (try text(.tlsCert), try text(.tlsKey)) {
        case (nil, nil):
            if let authorities { throw incomplete(.peerCA, authorities, without: .tlsCert) }
            return nil
        case (let certificate?, let key?):
            return ServeSettings.TLSFiles(
                certificate: certificate, key: key, peerAuthorities: authorities)
        case (let path?, nil): throw incomplete(.tlsCert, path, without: .tlsKey)
        case (nil, let path?): throw incomplete(.tlsKey, path, without: .tlsCert)
        }
    }

    func boolean(_ name: SettingName) throws(SettingsError) -> Bool {
        switch layers.stated[name]?.texts.last {
        case "true", "1": return true
        case "false", "0", nil: return false
        case let text?: throw invalid(name, text, "true or false", example: "true")
        }
    }

    func failpoints() throws(SettingsError) -> [FailpointSetting] {
        guard let text = layers.stated[.failpoints]?.texts.last else { return [] }
        do throws(FailpointMistake) {
            return try FailpointSetting.list(text)
        } catch {
            throw invalid(
                .failpoints, text, "name=actions;name=actions: \(error)",
                example: "log.sync=1*sleep(100)")
        }
    }

    /// Host names as a browser sends them, without port: what `Host` is compared with.
    func allowedHosts() throws(SettingsError) -> [String] {
        var hosts: [String] = []
        for text in layers.stated[.allowHost]?.texts ?? [] {
            let isName = text.utf8.allSatisfy {
                ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A)
                    || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F
            }
            guard isName, !text.isEmpty, text.utf8.count <= 253 else {
                throw invalid(
                    .allowHost, text, "a host name without scheme and port",
                    example: "db.example.org")
            }
            hosts.append(text.lowercased())
        }
        return hosts
    }

    /// Base URLs, without a path.
    func urls(_ name: SettingName) throws(SettingsError) -> [String] {
        let texts = layers.stated[name]?.texts ?? []
        for text in texts {
            let rest = ["http://", "https://"].first { text.hasPrefix($0) }.map {
                text.dropFirst($0.count)
            }
            let isURL = rest.map { !$0.isEmpty && !$0.contains("/") && !$0.contains(" ") }
            guard isURL == true else {
                throw invalid(
                    name, text, "a URL without a path, as in http://10.0.0.1:7171",
                    example: "http://10.0.0.1:7171")
            }
        }
        return texts
    }

    func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: SettingName
    ) throws(SettingsError) -> Choice? where Choice.RawValue == String {
        guard let text = layers.stated[name]?.texts.last else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map(\.rawValue)
            throw invalid(
                name, text, "one of " + choices.joined(separator: ", "),
                example: NearestName.find(text, among: choices) ?? choices[0])
        }
        return choice
    }

    private func invalid(
        _ name: SettingName, _ value: String, _ expected: String, example: String
    ) -> SettingsError {
        .invalid(
            name, value: value, origin: layers.stated[name]?.origin ?? .default,
            expected: expected, example: example)
    }

    private func incomplete(
        _ given: SettingName, _ path: String, without missing: SettingName
    ) -> SettingsError {
        .incompleteTLS(
            given: given, path: path, missing: missing,
            origin: layers.stated[given]?.origin ?? .default)
    }
}
