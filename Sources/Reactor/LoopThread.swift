internal import CLinux
internal import Glibc

/// A named pthread. Not a Task: a loop blocks in `epoll_wait`, and the cooperative pool is not for that.
public struct LoopThread: Sendable {
    private let thread: pthread_t

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }
    }

    /// Starts a thread that runs `body` and ends. The name shows in `top -H` (15 bytes are kept).
    ///
    /// `body` runs outside every actor: make and use the loop inside it. A closure written in `main.swift` is `@MainActor` and would
    /// trap there, so call this from a nonisolated function.
    public nonisolated static func start(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(IOError) -> LoopThread {
        var thread = pthread_t()
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let code = pthread_create(&thread, nil, runLoopThread, start.toOpaque())
        guard code == 0 else {
            start.release()
            throw IOError(call: "pthread_create", code: code)
        }
        return LoopThread(thread: thread)
    }

    /// Waits until the body has returned. Exactly once per thread.
    public func join() { _ = pthread_join(thread, nil) }

    /// Lets it end by itself. Instead of `join`.
    public func detach() { _ = pthread_detach(thread) }

    fileprivate static func run(_ context: UnsafeMutableRawPointer) {
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        clinux_name_thread(start.name)
        start.body()
    }
}

/// A global function, because a C entry point may not carry an isolation or a context.
private func runLoopThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    LoopThread.run(context)
    return nil
}

/// The machine's processors.
public enum Processors {
    /// CPUs this process may run on, at least 1.
    public static var count: Int { Int(clinux_processor_count()) }
}
