internal import Configuration
internal import Glibc
internal import Reactor

/// Asks the process that serves for its listeners, and tells it when they are served. Blocking; at the start, main thread only.
struct TakeoverRequest {
    struct Problem: Error, Equatable { var text: String }

    private let stream: UnixStream
    private(set) var listeners: InheritedListeners
    /// Who serves until `tellReady`.
    var process: Int32 { stream.process }

    private static let patienceMilliseconds: Int32 = 5_000
    /// One that is being replaced itself sends us away: a moment later its successor answers in the same place.
    private static let tries = 100

    /// - Returns: nil when nobody serves there.
    static func ask(at path: String) throws(Problem) -> TakeoverRequest? {
        for _ in 0..<tries {
            let stream: UnixStream
            do throws(IOError) { stream = try UnixStream(path: path, patienceMilliseconds: patienceMilliseconds) } catch
            {
                if error.code == ENOENT || error.code == ECONNREFUSED { return nil }
                throw Problem(text: "cannot take over: \(error)")
            }
            guard stream.user == geteuid() || stream.user == 0 else {
                throw Problem(text: "cannot take over: \(path) is offered by user \(stream.user), who may be anybody")
            }
            do throws(IOError) {
                if let listeners = try receive(stream) { return TakeoverRequest(stream: stream, listeners: listeners) }
            } catch {
                // Reset while it leaves.
                if error.code != ECONNRESET, error.code != EPIPE {
                    throw Problem(text: "cannot take over from process \(stream.process): \(error)")
                }
            }
            usleep(50_000)
        }
        throw Problem(text: "cannot take over: who offers at \(path) ends each time it is asked")
    }

    private init(stream: UnixStream, listeners: InheritedListeners) {
        (self.stream, self.listeners) = (stream, listeners)
    }

    /// - Returns: nil when the other end left before it was through.
    private static func receive(_ stream: UnixStream) throws(IOError) -> InheritedListeners? {
        try stream.send(TakeoverTalk.greeting)
        var all: [InheritedListeners.One] = []
        var descriptors: [CInt] = []
        defer { for descriptor in descriptors { close(descriptor) } }
        var text = ""
        while let (bytes, descriptor) = try stream.receive() {
            if let descriptor { descriptors.append(descriptor) }
            text += String(decoding: bytes, as: UTF8.self)
            while let end = text.firstIndex(of: "\n") {
                let line = text[..<end]
                switch TakeoverTalk.Answer(line) {
                case .listener(let handed)?:
                    guard !descriptors.isEmpty else {
                        throw IOError(call: "a listener without descriptor", code: EBADMSG)
                    }
                    all.append(try one(handed, descriptors.removeFirst()))
                case .end(let count)?:
                    guard count == all.count else { throw IOError(call: "listeners are missing", code: EBADMSG) }
                    return InheritedListeners(all)
                case .refused(let why)?: throw IOError(call: why, code: ECONNREFUSED)
                case nil: throw IOError(call: "the talk of takeover", code: EBADMSG)
                }
                text = String(text[text.index(after: end)...])
            }
        }
        return nil
    }

    private static func one(
        _ handed: TakeoverTalk.Handed, _ descriptor: CInt
    ) throws(IOError) -> InheritedListeners.One {
        let path =
            handed.host.hasPrefix(ListenAddress.unixMark) && !handed.isGiven
            ? String(handed.host.dropFirst(ListenAddress.unixMark.count)) : nil
        let listener = try Listener(inherited: descriptor, path: path)
        return .init(role: handed.role, host: handed.host, isGiven: handed.isGiven, box: ListenerBox(listener))
    }

    /// The listeners are this process's to serve or to close.
    mutating func takeListeners() -> InheritedListeners {
        defer { listeners = InheritedListeners() }
        return listeners
    }

    /// They are served: the other process closes its own and goes.
    /// - Returns: whether it heard.
    func tellReady() -> Bool {
        do throws(IOError) { try stream.send(TakeoverTalk.ready) } catch { return false }
        return true
    }
}
