/// A connection's budget for what costs the server more than the client (nghttp2's "glitches").
///
/// One bucket for all kinds, because an attacker who mixes them would otherwise have several
/// budgets. An ordinary client takes a few tokens in its life.
internal import Base

struct GlitchBudget {
    private var tokens = Limits.glitchBurst
    private var refilledAt: UInt32

    init(tick: UInt32) { refilledAt = tick }

    /// False if the budget is used up: the connection has to go.
    mutating func spend(_ count: Int = 1, tick: UInt32) -> Bool {
        if tick != refilledAt {
            let seconds = min(Int(tick &- refilledAt), Limits.glitchBurst)
            tokens = min(Limits.glitchBurst, tokens + seconds * Limits.glitchesPerSecond)
            refilledAt = tick
        }
        tokens -= count
        return tokens >= 0
    }
}
