/// How a process comes to serve in another's place.
public struct TakeoverSettings: Sendable, Equatable {
    /// Takes over from the process that serves now, if there is one.
    public var isWanted = false
    /// Where the next one asks this one: an absolute path, `automatic` or `nowhere`.
    public var socket = automatic
    public static let automatic = "auto"
    public static let nowhere = "none"

    public init() {}
}

extension Loader {
    mutating func checkTakeover() {
        let (takeover, place) = (settings.takeover, origins["takeover-socket"] ?? .builtIn)
        if takeover.isWanted, takeover.socket == TakeoverSettings.nowhere {
            problems.error(place, "takeoverSocket: takeover needs one")
        }
        guard ![TakeoverSettings.automatic, TakeoverSettings.nowhere].contains(takeover.socket) else { return }
        // One of our own stands beside it for a moment, with a longer name.
        let path = takeover.socket
        if !path.hasPrefix("/") || path.hasSuffix("/") || path.utf8.count > ListenAddress.pathBytesMax - 4 {
            problems.error(
                place,
                "takeoverSocket: must be auto, none or an absolute path of at most \(ListenAddress.pathBytesMax - 4) bytes, "
                    + "not \(path.quoted)")
        }
    }
}
