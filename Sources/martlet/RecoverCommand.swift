/// `martlet recover`: one store of a cluster that lost most of its stores for good goes on alone,
/// as the first of a new cluster with the same data.
///
/// Offline, on the store that is stopped. Without `--confirm` it says what would be done and what
/// may be lost, and changes nothing; what is confirmed is named by the cluster's id, so that it is
/// not confirmed for another directory. It may be given again at any time: a step that was done is
/// not done twice.
internal import ArgumentParser
internal import Base
internal import Raft
internal import Regions
internal import RocksStorage
internal import Runtime
internal import Settings
internal import Storage
internal import Terminal

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Go on from one store when most are lost for good.",
        discussion: """
            On a store that is stopped. Without --confirm nothing is changed: it tells how far the
            store has come and what may be lost. Ask every store that is left, and take the one
            with the greatest last entry.

              martlet recover --data-dir n1 --lost 2,3
              martlet recover --data-dir n1 --lost 2,3 --confirm CLUSTER_ID

            While the lost stores may come back, wait for them: nothing is lost then. Once this is
            done they must never start again as they are.
            """)

    @Option(help: ArgumentHelp("Where its data is.", valueName: "dir"), completion: .directory)
    var dataDir: String

    @Option(
        help: ArgumentHelp("The stores that are lost for good, as in 2,3.", valueName: "ids"))
    var lost: StoreNumbers?

    @Option(
        help: ArgumentHelp("Do it: the id of the cluster that is given up.", valueName: "id"))
    var confirm: String?

    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        let directory = try open()
        let identity = directory.identity
        if let confirm, identity.former.last == confirm, directory.interrupted == nil {
            return say(identity, "it was done before")
        }
        if let confirm, confirm != identity.cluster {
            throw CommandFailure(
                Diagnosis(
                    .error, "wrong_cluster",
                    "\(dataDir) is of cluster \(identity.cluster), and not of "
                        + Table.printable(confirm), advice: command(confirming: nil)), .usage)
        }
        do {
            guard confirm != nil else { return try tell(directory) }
            let store = try StoppedStore(directory)
            if let next = directory.interrupted {
                try store.goOn(as: next)
                say(next, "done, from where it had stopped")
            } else {
                try begin(store)
            }
        } catch let error as StorageError {
            throw CommandFailure(try checks().startError(error), format: .text)
        }
    }

    private func begin(_ store: StoppedStore) throws {
        let (recovery, text) = try plan(store)
        var generator = SystemRandomNumberGenerator()
        let next = store.directory.identity.parted(using: &generator)
        try store.recover(recovery, as: next, record: text.record(next: next, at: .current))
        say(next, "done")
    }

    /// What would be done, with no change to anything.
    private func tell(_ directory: DataDirectory) throws {
        let next = command(confirming: directory.identity.cluster)
        guard directory.interrupted == nil else {
            throw CommandFailure(
                Diagnosis(
                    .error, "data_recovering",
                    "\(dataDir): a recovery was begun there and did not come to its end",
                    advice: next), .configuration)
        }
        guard let store = try StoppedStore(lookingAt: directory) else {
            throw CommandFailure(
                Diagnosis(
                    .error, "data_unfinished",
                    "\(dataDir): a snapshot was being put in place of the data when it ended",
                    advice: "martlet serve --data-dir \(shellQuoted(dataDir))"
                        + "   # puts it in place; then stop it and ask again"), .configuration)
        }
        let text = try plan(store).text
        print(json ? text.object(next: next).text : text.plan(next: next))
    }

    private func plan(
        _ store: StoppedStore
    ) throws -> (recovery: QuorumRecovery, text: RecoveryText) {
        do {
            let recovery = try store.recovery(without: lost?.stores ?? [])
            return (recovery, RecoveryText(recovery, store.directory.identity))
        } catch let refusal as QuorumLoss.Refusal {
            throw CommandFailure(RecoveryText.diagnosis(refusal, store, dataDir), .usage)
        }
    }

    private func command(confirming cluster: String?) -> String {
        "martlet recover --data-dir \(shellQuoted(dataDir))"
            + (lost.map { " --lost \($0)" } ?? "") + (cluster.map { " --confirm \($0)" } ?? "")
    }

    private func say(_ identity: StoreIdentity, _ how: String) {
        print(
            json
                ? RecoveryText.object(identity, how, dataDir).text
                : RecoveryText.done(identity, how, dataDir))
    }

    // MARK: The directory

    private func open() throws -> DataDirectory {
        var generator = SystemRandomNumberGenerator()
        do {
            let isThere = try resolvedPath(dataDir) != nil && DataDirectory.holdsStore(dataDir)
            // Opening would make one.
            if isThere, confirm != nil {
                return try DataDirectory(
                    path: dataDir, now: .current, using: &generator, recovering: true)
            }
            if isThere, let found = try DataDirectory(lookingAt: dataDir) { return found }
        } catch {
            guard let error = error as? DataDirectoryError else { throw error }
            throw try failure(error)
        }
        throw CommandFailure(
            Diagnosis(
                .error, "no_data", "\(dataDir) holds no store",
                advice: "martlet recover --data-dir DIR   # as martlet serve was given it"),
            .usage)
    }

    private func failure(_ error: DataDirectoryError) throws -> CommandFailure {
        guard case .inUse(let path, let holder) = error else {
            return CommandFailure(try checks().startError(error), format: .text)
        }
        let pid = holder.map { "\($0.pid)" }
        return CommandFailure(
            Diagnosis(
                .error, "data_in_use",
                "\(path) is open in \(pid.map { "pid \($0)" } ?? "another process"), and a store "
                    + "is recovered while it is stopped",
                advice: "kill -TERM \(pid ?? "PID")"), .tryAgain)
    }

    /// For the words of whatever can be wrong with a directory.
    private func checks() throws -> StartChecks {
        let layers = try LayeredSettings(
            flags: [.dataDir: [dataDir]], environment: [:], file: nil)
        return StartChecks(layers: layers, settings: try ServeSettings(layers))
    }
}

/// `2,3`
struct StoreNumbers: ExpressibleByArgument, CustomStringConvertible {
    let stores: [StoreID]

    init?(argument: String) {
        var stores: [StoreID] = []
        for text in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let number = UInt32(text), number > 0 else { return nil }
            stores.append(StoreID(number))
        }
        guard !stores.isEmpty else { return nil }
        self.stores = stores
    }

    var description: String { stores.map(\.description).joined(separator: ",") }
}
