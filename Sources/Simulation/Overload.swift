/// A scripted world in which more is written than a slow disk takes: blind writes only, so that the
/// bound on unsynced bytes can be checked to the byte.
///
/// The random worlds nearly always hold conditional writes, which wait and then pass the bound
/// rightly; they cannot tell a node that keeps it from one that does not.
internal import Base
internal import Regions

package enum Overload {
    package static var options: WorldOptions {
        var options = WorldOptions(seed: 1)
        var shape = Shape()
        shape.clients = 0
        shape.keys = SimKeys.all.count
        shape.thinkMicroseconds = 10
        shape.syncMicroseconds = 50_000
        shape.unsyncedBytesLimit = 4_000
        shape.duration = .milliseconds(1)
        options.shape = shape
        options.script = (0..<10).map { client in
            (0..<20).map { step in
                let text = "o\(client)-\(step)"
                let padding = String(repeating: " ", count: 1_500)
                let key = SimKeys.all[(client + step) % SimKeys.all.count]
                return ScriptStep(.put(RawPut(key: key, value: Bytes((text + padding).utf8))))
            }
        }
        return options
    }
}
