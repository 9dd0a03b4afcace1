/// How a command ends, for scripts and for systemd's `RestartPreventExitStatus`: the values of
/// sysexits.h that apply, and 0 and 1 as a yes and a no.

package enum ExitStatus: Int32, CaseIterable, Hashable, Sendable {
    /// Done; yes.
    case success = 0
    /// The answer is no: the key is missing, a comparison failed, the node is not healthy.
    case no = 1
    /// The command line is wrong.
    case usage = 64
    /// The data that was given, or that is on the disk, is wrong.
    case dataWrong = 65
    /// The other side cannot be reached, or an address cannot be had.
    case unreachable = 69
    /// A fault of Martlet itself.
    case fault = 70
    /// The disk is full or fails.
    case disk = 74
    /// Try again: overloaded, timed out, held by someone who will let go.
    case tryAgain = 75
    /// A write may or may not have happened.
    case outcomeUnknown = 76
    case notAllowed = 77
    /// The configuration is wrong; starting again will not help.
    case configuration = 78
}
