internal import Glibc
internal import Telemetry
internal import TLS

/// Looks now and then whether the certificates' files are others, and how long the certificates last. Main thread only.
struct CertificateWatch {
    static let intervalMilliseconds = 5_000
    static let warnedAheadSeconds = 14 * 86_400
    /// A warning is said again after so long.
    static let repeatedSeconds = 86_400

    private let state: ServerState
    private let keeper: TLSKeeper
    /// When warnings were last said, and about which certificates.
    private var lastWarning: (seconds: Int, number: Int)?

    /// Nil: there is no TLS.
    init?(_ state: ServerState) {
        guard let keeper = state.tls else { return nil }
        (self.state, self.keeper) = (state, keeper)
    }

    /// - Parameter now: Unix time.
    mutating func look(unixSeconds now: Int = time(nil)) {
        if keeper.hasChanged { state.reloadCertificates() }
        if let lastWarning, lastWarning.number == keeper.number, now - lastWarning.seconds < Self.repeatedSeconds {
            return
        }
        lastWarning = (now, keeper.number)
        for text in keeper.context.warnings(unixSeconds: now, withinSeconds: Self.warnedAheadSeconds) {
            Log.warning("certificate", ("reason", text))
        }
    }
}
