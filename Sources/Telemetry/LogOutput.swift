internal import Glibc

/// The descriptor behind the log, and what it refused.
struct LogOutput {
    private let descriptor: CInt
    private(set) var droppedTotal: UInt64 = 0
    private var droppedUnsaid: UInt64 = 0
    private var line: [UInt8] = []

    init(descriptor: CInt) {
        self.descriptor = descriptor
        signal(SIGPIPE, SIG_IGN)  // a reader that went away must cost us lines, not the process
        line.reserveCapacity(LogLine.bytesMax)
    }

    mutating func emit(_ level: LogLevel, _ message: StaticString, _ fields: [LogField], as format: LogFormat = .text) {
        var wall = timespec()
        clock_gettime(CLOCK_REALTIME, &wall)
        line.removeAll(keepingCapacity: true)
        LogLine.append(level, message, fields, dropped: droppedUnsaid, at: wall, as: format, to: &line)
        if writeLine() {
            droppedUnsaid = 0
        } else {
            droppedTotal += 1
            droppedUnsaid += 1
        }
    }

    /// A pipe that reports POLLOUT takes PIPE_BUF (4,096) bytes without blocking (pipe(7)), and a line is never longer; asking first
    /// spares us O_NONBLOCK, which would change the terminal for everybody who shares it.
    private func writeLine() -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&state, 1, 0) == 1, state.revents & Int16(POLLOUT) != 0 else { return false }
        return line.withUnsafeBytes { bytes in
            while true {
                let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
                if count < 0 && errno == EINTR { continue }
                return count == bytes.count
            }
        }
    }
}
