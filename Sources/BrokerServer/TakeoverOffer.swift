internal import Configuration
internal import Glibc
internal import Reactor
internal import Telemetry

/// Where the next process asks for this one's listeners: a Unix socket with mode 0600, for this user (SO_PEERCRED) and root. One asks at a
/// time; another waits. Main thread only.
final class TakeoverOffer {
    private let listener: Listener
    private var file: SocketFile
    private let path: String
    private var asking: Asking?

    private struct Asking {
        let stream: UnixStream
        var talk: TakeoverOffering
    }

    /// Opens it beside its place, where `publish` puts it when this process serves.
    init(beside path: String) throws(IOError) {
        let own = path + ".new"
        let listener = try Listener(path: own, mode: 0o600, backlog: 16)
        guard let file = listener.file else { throw IOError(call: "listen on \(own)", code: ENOENT) }
        (self.path, self.file) = (path, file)
        self.listener = listener
    }

    /// Puts it in its place, in the place of whoever this process took over from.
    func publish() throws(IOError) { file = try file.moved(to: path) }

    /// The file goes unless another process has its place by now.
    func withdraw() { file.remove() }

    /// To wait for.
    var descriptors: [CInt] {
        if let stream = asking?.stream.raw { [stream] } else { [listener.raw] }
    }

    /// How long until a talk has lasted too long.
    func wait(milliseconds now: UInt64) -> UInt64? {
        guard let deadline = asking?.talk.deadline else { return nil }
        return deadline > now ? deadline - now : 0
    }

    /// Goes on with who asks.
    /// - Parameter handed: what there is to hand over; nil: nothing any more.
    /// - Returns: the process that serves in this one's place from now on.
    func advance(milliseconds now: UInt64, handed: [(TakeoverTalk.Handed, CInt)]?) -> Int32? {
        if asking == nil { accept(now) }
        guard var current = asking else { return nil }
        asking = nil
        var next: TakeoverOffering.Action?
        if Self.isReadable(current.stream.raw) {
            do throws(IOError) {
                let came = try current.stream.receive()
                if let extra = came?.descriptor { close(extra) }
                next = current.talk.hear(came.map { String(decoding: $0.bytes, as: UTF8.self) }, milliseconds: now)
            } catch { next = current.talk.hear(nil, milliseconds: now) }
        } else {
            next = current.talk.advance(milliseconds: now)
        }
        switch next {
        case nil: break
        case .give?:
            guard let handed else {
                try? current.stream.send(TakeoverTalk.refusal("the process that serves is about to end"))
                return nil
            }
            guard Self.give(handed, to: current.stream) else { return nil }
            Log.logOncePer(
                seconds: 1, .info, "handing over", ("pid", current.stream.process), ("listeners", handed.count))
        case .leave?: return current.stream.process
        case .drop("")?: return nil
        case .drop(let why)?:
            Log.logOncePer(
                seconds: 1, .warning, "not replaced, serving on", ("pid", current.stream.process), ("reason", why))
            return nil
        }
        asking = current
        return nil
    }

    private func accept(_ now: UInt64) {
        guard Self.isReadable(listener.raw),
            let stream = try? UnixStream.accept(from: listener, patienceMilliseconds: 2_000)
        else { return }
        guard stream.user == geteuid() || stream.user == 0 else {
            Log.logOncePer(
                seconds: 10, .warning, "another user asks to take over", ("user", stream.user),
                ("pid", stream.process))
            return
        }
        asking = Asking(stream: stream, talk: TakeoverOffering(milliseconds: now))
    }

    private static func give(_ handed: [(TakeoverTalk.Handed, CInt)], to stream: UnixStream) -> Bool {
        do throws(IOError) {
            for (what, descriptor) in handed { try stream.send(what.line, with: descriptor) }
            try stream.send(TakeoverTalk.end(count: handed.count))
            return true
        } catch {
            Log.logOncePer(seconds: 1, .warning, "cannot hand over", ("reason", error.description))
            return false
        }
    }

    private static func isReadable(_ descriptor: CInt) -> Bool {
        var one = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&one, 1, 0) == 1
    }
}
