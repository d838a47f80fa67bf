internal import BrokerCore
internal import Configuration
internal import PusherProtocol
internal import Reactor

/// The server as one loop sees it: what all share, and the settings in force on this loop. Touched by its loop only.
///
/// One for all the parts of a loop, so that they go over to new settings together, between two turns.
final class LoopState {
    let shared: ServerState
    private(set) var snapshot: SettingsSnapshot
    /// A limit of addresses is set. Here too, so that whoever asks while none is counts no reference.
    private(set) var countsAddresses: Bool
    /// Of `snapshot`, in `ServerState`.
    private var snapshotNumber: Int

    init(_ shared: ServerState) {
        self.shared = shared
        let (snapshot, number) = shared.newest
        (self.snapshot, snapshotNumber) = (snapshot, number)
        countsAddresses = snapshot.addressLimits.isOn
    }

    /// Takes the newest settings.
    /// - Returns: whether they are others than before.
    @inline(__always)
    func refresh() -> Bool {
        guard snapshotNumber != shared.snapshotNumber else { return false }
        (snapshot, snapshotNumber) = shared.newest
        countsAddresses = snapshot.addressLimits.isOn
        return true
    }

    var settings: ServerSettings { snapshot.settings }
    var limits: InputLimits { snapshot.limits }
    var pathPrefix: [UInt8] { snapshot.pathPrefix }
    var secrets: SecretFilter { snapshot.secrets }

    /// The app of an id or alias.
    func app(id: Span<UInt8>) -> App? { snapshot.apps.app(id: id) }

    /// The app that has this key.
    func app(key: Span<UInt8>) -> App? { snapshot.apps.app(key: key) }
}

@available(*, unavailable) extension LoopState: Sendable {}
