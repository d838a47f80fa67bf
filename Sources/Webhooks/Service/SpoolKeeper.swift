internal import BrokerCore
internal import Telemetry

/// The spool, or that there is none yet: another process has it, and it is tried again. On one thread.
struct SpoolKeeper {
    private let directory: String
    private let options: SpoolOptions
    private let wake: @Sendable () -> Void
    private(set) var spool: Spool?
    private var triedMilliseconds: UInt64 = 0

    private static let retryMilliseconds: UInt64 = 1_000

    init(_ options: WebhookOptions, wake: @escaping @Sendable () -> Void) {
        let state = options.stateDirectory
        directory = state.isEmpty ? "" : state.utf8.last == UInt8(ascii: "/") ? state + "webhooks" : state + "/webhooks"
        (self.options, self.wake) = (options.spool, wake)
    }

    /// There is to be one.
    var isWanted: Bool { !directory.isEmpty }

    /// What may be sent; without a spool everything.
    var durableNumber: UInt64 { spool?.durableNumber ?? .max }

    /// At the start.
    /// - Returns: what was in it; nil: another process has it, or none is wanted.
    mutating func open(now: UInt64) throws(SpoolProblem) -> SpoolContents? {
        guard isWanted else { return nil }
        triedMilliseconds = now
        do throws(SpoolProblem) { return try take() } catch {
            guard case .locked = error else { throw error }
            Log.warning("webhooks wait in memory only", ("place", directory), ("reason", error.text))
            return nil
        }
    }

    /// Later, each second.
    mutating func tryAgain(now: UInt64) -> SpoolContents? {
        guard isWanted, spool == nil, now >= triedMilliseconds + Self.retryMilliseconds else { return nil }
        triedMilliseconds = now
        do throws(SpoolProblem) {
            let contents = try take()
            Log.info("webhooks are spooled", ("place", directory), ("events", contents.waiting.count))
            return contents
        } catch {
            guard case .unusable(let text) = error else { return nil }
            Log.logOncePer(seconds: 60, .error, "no webhook spool", ("place", directory), ("reason", text))
            return nil
        }
    }

    private mutating func take() throws(SpoolProblem) -> SpoolContents {
        let (opened, contents) = try Spool.open(directory, options, wake: wake)
        spool = opened
        for note in contents.notes { Log.warning("webhook spool", ("place", directory), ("reason", note)) }
        return contents
    }

    /// Of so many events that wait, those that would be lost if the process ended now.
    func losable(of waiting: Int) -> Int { spool?.losable ?? waiting }

    /// Writes what it can, and says what of so many events is lost.
    mutating func close(waiting: Int) {
        spool?.close()
        let lost = spool.map { min(waiting, $0.facts.notDurable) } ?? waiting
        let reason =
            if spool != nil { "the disk did not take them" } else if isWanted { "another process has the spool" } else {
                "there is no state directory"
            }
        spool = nil
        guard lost > 0 else { return }
        Log.warning("webhook events are lost with the process", ("events", lost), ("reason", reason))
    }
}
