internal import Glibc
internal import Reactor

/// A disk that did not do what it was asked.
struct SpoolFault: Error {
    enum Stage { case write, sync }

    static let noSpace = ENOSPC

    var stage: Stage
    var error: IOError

    init(_ stage: Stage, _ error: IOError) { (self.stage, self.error) = (stage, error) }

    /// The file has no name any more, and so probably none of them has.
    var isRemoval: Bool { stage == .sync && error.code == ENOENT }

    /// This file may not grow any more; another may.
    var isFileLimit: Bool { stage == .write && error.code == EFBIG }

    /// What was written is as good as before: there was no room for more.
    var isShortage: Bool { stage == .write && [ENOSPC, EDQUOT, EFBIG].contains(error.code) }
}
