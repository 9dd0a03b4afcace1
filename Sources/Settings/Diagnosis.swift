/// Something found at start, told in one way everywhere: a stable code, one fact, and one line to
/// try.
///
/// The code is what scripts and the documentation know it by; it never changes.

package struct Diagnosis: Hashable, Sendable {
    package enum Severity: String, Hashable, Sendable {
        case warning, error
    }

    package var severity: Severity
    package var code: String
    /// One line: what is so, and where.
    package var fact: String
    /// One line that can be pasted; nil if there is nothing to paste.
    package var advice: String?

    package init(_ severity: Severity, _ code: String, _ fact: String, advice: String?) {
        self.severity = severity
        self.code = code
        self.fact = fact
        self.advice = advice
    }

    /// Two lines for a person, or one if there is no advice.
    package var text: String {
        let first = "\(severity.rawValue)[\(code)]: \(fact)"
        return advice.map { "\(first)\n     try: \($0)" } ?? first
    }
}
