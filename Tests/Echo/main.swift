internal import Glibc
internal import Reactor

// `Echo [port]`: a WebSocket echo server for the Autobahn test suite, on the broker's own reactor and frames.
// It prints the port when it listens and ends on SIGTERM or SIGINT.

/// Nonisolated, so that the loop's closures are not bound to the main actor.
nonisolated func serve() throws(IOError) {
    let signals = try SignalSource()
    let port = CommandLine.arguments.count > 1 ? UInt16(CommandLine.arguments[1]) ?? 0 : 0
    let listener = try Listener(host: "127.0.0.1", port: port, reusePort: false, backlog: 128)
    print("listening on \(listener.port)")
    fflush(nil)
    var options = LoopOptions()
    options.inputBytesMax = EchoServer.messageBytesMax + 64
    options.backlogBytesMax = 4 * EchoServer.messageBytesMax
    let loop = try EventLoop(options)
    loop.listen(on: listener, tag: 0)
    try loop.watch(signals.raw) {
        while let signal = signals.next() {
            if signal == .terminate || signal == .interrupt { loop.stop() }
        }
    }
    loop.run(EchoServer(loop))
}

do {
    try serve()
} catch {
    print("echo: \(error)")
    exit(1)
}
