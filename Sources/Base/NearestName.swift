/// "Did you mean …?": the known name nearest to one that is not known.
package enum NearestName {
    /// nil if no candidate is near: more than a third of the longer name would have to change. The
    /// distance is Damerau's restricted one (insert, delete, replace, swap neighbours), letters'
    /// case ignored.
    package static func find(_ name: some StringProtocol, among candidates: [String]) -> String? {
        let wanted = Bytes(name.lowercased().utf8.prefix(64))
        guard !wanted.isEmpty else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let letters = Bytes(candidate.lowercased().utf8)
            let distance = distance(wanted, letters)
            guard distance * 3 <= max(wanted.count, letters.count) else { continue }
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name ?? uniqueExtension(of: name.lowercased(), among: candidates)
    }

    private static func uniqueExtension(of name: String, among candidates: [String]) -> String? {
        let extending = candidates.filter {
            let candidate = $0.lowercased()
            return name.utf8.count > 2 && candidate.hasPrefix(name)
                || candidate.split { $0 == "_" || $0 == "-" }.contains { $0 == name }
        }
        return extending.count == 1 ? extending[0] : nil
    }

    static func distance(_ a: Bytes, _ b: Bytes) -> Int {
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var least = min(
                    last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    least = min(least, beforeLast[j - 1] + 1)
                }
                row.append(least)
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }
}
