/// What a directory that holds no store yet says when it asks a cluster for a number: the same at
/// each try, so that a lost answer, or an end before the identity was written, spends one number.
///
/// It goes when there is an identity: a directory that lost that one is a new store.
internal import Base

extension DataDirectory {
    static let joiningName = "JOINING"

    /// Makes the folder and draws one if there is none.
    package static func joiningNonce(
        _ path: String, using generator: inout some RandomNumberGenerator
    ) throws(DataDirectoryError) -> String {
        do throws(SystemFailure) {
            try SystemFiles.makeFolders(path)
            if try SystemFiles.names(in: path).contains(joiningName) {
                let bytes = try SystemFiles.read(path + "/" + joiningName)
                if let nonce = nonce(bytes) { return nonce }
            }
            let words = [generator.next(), generator.next()] as [UInt64]
            let nonce = words.map { word in
                let digits = String(word, radix: 16)
                return String(repeating: "0", count: 16 - digits.count) + digits
            }.joined()
            try SystemFiles.replace(joiningName, in: path, with: Bytes((nonce + "\n").utf8))
            return nonce
        } catch {
            throw DataDirectoryError(error)
        }
    }

    static func endJoining(_ path: String) throws(DataDirectoryError) {
        do throws(SystemFailure) {
            guard try SystemFiles.names(in: path).contains(joiningName) else { return }
            try SystemFiles.removeFile(path + "/" + joiningName)
        } catch {
            throw DataDirectoryError(error)
        }
    }

    /// nil if it is none of ours: then a new one is drawn.
    private static func nonce(_ bytes: Bytes) -> String? {
        let digits = bytes.dropLast()
        guard bytes.count == 33, bytes.last == 0x0A,
            digits.allSatisfy({ "0123456789abcdef".utf8.contains($0) })
        else { return nil }
        return String(decoding: digits, as: UTF8.self)
    }
}
