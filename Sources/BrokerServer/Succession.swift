internal import Configuration
internal import Glibc
internal import Reactor
internal import Telemetry

/// In whose place this process serves, and who may come to serve in its own. Main thread only.
struct Succession {
    private var request: TakeoverRequest?
    private var offer: TakeoverOffer?
    private var inherited: InheritedListeners
    /// The process that serves until this one does.
    let predecessor: pid_t?

    /// Takes what a supervisor gives with the start, and otherwise, if that is wanted, what the process that serves now has.
    init(_ settings: ServerSettings) throws(Server.StartFailure) {
        let given: InheritedListeners
        do throws(SocketActivation.Fault) { given = try SocketActivation.take() } catch {
            throw Server.StartFailure(exitCode: 78, text: "socket activation: \(error.text)")
        }
        if !settings.tls.isOn, given.waiting.contains(where: { $0.role == .tls }) {
            throw Server.StartFailure(
                exitCode: 78, text: "socket activation: a listener is called tls, and there is no --tls-certificate")
        }
        offer = nil
        guard settings.takeover.isWanted, !given.areGiven else {
            request = nil
            (inherited, predecessor) = (given, nil)
            return
        }
        guard let path = TakeoverPlace(settings).path else {
            throw Server.StartFailure(exitCode: 78, text: "--takeover with port 0 needs --takeover-socket PATH")
        }
        do throws(TakeoverRequest.Problem) { request = try TakeoverRequest.ask(at: path) } catch {
            throw Server.StartFailure(exitCode: 69, text: error.text)
        }
        predecessor = request?.process
        let taken = request?.takeListeners() ?? InheritedListeners()
        inherited = InheritedListeners(given.waiting + taken.waiting)
        if let predecessor {
            Log.info("taking over", ("from", predecessor), ("listeners", taken.waiting.count))
        } else {
            Log.info("nobody to take over from", ("place", path))
        }
    }

    /// The listeners that are open already.
    mutating func takeInherited() -> InheritedListeners {
        defer { inherited = InheritedListeners() }
        return inherited
    }

    /// A process that serves other addresses was not meant.
    /// - Parameter hasTaken: one of its listeners at least is served here.
    func check(hasTaken: Bool) throws(IOError) {
        guard let predecessor, !hasTaken else { return }
        throw IOError(
            call: "take over from process \(predecessor), which listens on other addresses", code: EADDRNOTAVAIL)
    }

    /// Opens the socket where the next process asks, as long as a failure harms nobody.
    mutating func prepareOffer(_ place: TakeoverPlace) throws(IOError) {
        guard let path = place.path else { return }
        let isWanted = if case .wanted = place { true } else { false }
        do throws(IOError) {
            guard place.prepare() else { throw IOError(call: "the directory of \(path)", code: EPERM) }
            if predecessor == nil, Self.isOffered(path) {
                throw IOError(
                    call: "offer the listeners at \(path), where another process offers its own", code: EEXIST)
            }
            offer = try TakeoverOffer(beside: path)
        } catch {
            if isWanted { throw error }
            Log.debug("no takeover", ("place", path), ("reason", error.description))
        }
    }

    private static func isOffered(_ path: String) -> Bool {
        (try? UnixStream(path: path, patienceMilliseconds: 100)) != nil
    }

    /// This process serves: it can be asked from now on, and the one before it goes.
    mutating func begin() {
        do throws(IOError) { try offer?.publish() } catch {
            Log.warning("no takeover", ("reason", error.description))
            offer = nil
        }
        guard let request else { return }
        if !request.tellReady() { Log.warning("the process before this one has ended", ("pid", request.process)) }
        self.request = nil
    }

    // MARK: Being succeeded

    /// To wait for.
    var descriptors: [CInt] { offer?.descriptors ?? [] }

    func wait(milliseconds now: UInt64) -> UInt64? { offer?.wait(milliseconds: now) ?? nil }

    /// - Returns: the process that has taken this one's place.
    mutating func advance(milliseconds now: UInt64, handed: [(TakeoverTalk.Handed, CInt)]?) -> pid_t? {
        offer?.advance(milliseconds: now, handed: handed) ?? nil
    }

    /// Nobody may ask any more.
    mutating func close() {
        offer?.withdraw()
        offer = nil
    }
}
