internal import Glibc
internal import Synchronization

/// How much a line matters; a line below the level in force is not written. The raw value stands in the line and in the configuration.
public enum LogLevel: String, Sendable, Comparable, CaseIterable {
    case error, warning, info, debug

    /// What a level is compared by.
    var severity: UInt8 {
        switch self {
        case .error: 3
        case .warning: 2
        case .info: 1
        case .debug: 0
        }
    }

    public static func < (a: Self, b: Self) -> Bool { a.severity < b.severity }
}

/// A named value of a log line.
public typealias LogField = (name: StaticString, value: any CustomStringConvertible)

/// Structured lines on standard error, in logfmt or JSON (`LogLine`): `time=… level=info msg=listening port=6001`. Safe on any thread.
///
/// A log is never worth a stalled loop: a line is one `write(2)` of at most 4,096 bytes, made only when the descriptor takes it at
/// once; a full pipe, a closed terminal or a full disk drops the line, and the next line that gets through says how many were lost.
public enum Log {
    /// Lines below this level are not written; `.info` at start.
    public static var level: LogLevel {
        get {
            let severity = threshold.load(ordering: .relaxed)
            return LogLevel.allCases.first { $0.severity == severity } ?? .info
        }
        set { threshold.store(newValue.severity, ordering: .relaxed) }
    }

    /// How lines are written from now on; `.text` at start.
    public static var format: LogFormat {
        get { isJSON.load(ordering: .relaxed) ? .json : .text }
        set { isJSON.store(newValue == .json, ordering: .relaxed) }
    }

    /// Lines lost since the process started, because standard error did not take them.
    public static var droppedLines: UInt64 { output.withLock { $0.droppedTotal } }

    /// Whether lines of this level are written: for callers who would build something first.
    public static func writes(_ level: LogLevel) -> Bool { level.severity >= threshold.load(ordering: .relaxed) }

    public static func debug(_ message: StaticString, _ fields: LogField...) { write(.debug, message, fields) }
    public static func info(_ message: StaticString, _ fields: LogField...) { write(.info, message, fields) }
    public static func warning(_ message: StaticString, _ fields: LogField...) { write(.warning, message, fields) }
    public static func error(_ message: StaticString, _ fields: LogField...) { write(.error, message, fields) }

    /// Writes one line when its level is in force. Values are escaped and cut to `LogLine.fieldBytesMax`; secrets must not come here.
    public static func write(_ level: LogLevel, _ message: StaticString, _ fields: [LogField]) {
        guard writes(level) else { return }
        output.withLock { $0.emit(level, message, fields, as: format) }
    }

    /// Writes the line at most once per `seconds`; the next one that is written says how many were left out (`suppressed=`).
    ///
    /// The message text is the key, so a fault that repeats ten thousand times a second is one line per period.
    public static func logOncePer(
        seconds: UInt64, _ level: LogLevel, _ message: StaticString, _ fields: LogField...
    ) {
        guard writes(level) else { return }
        let suppressed = periods.withLock { $0.admit(message.description, now: secondsSinceBoot(), period: seconds) }
        guard let suppressed else { return }
        write(level, message, suppressed == 0 ? fields : fields + [("suppressed", suppressed)])
    }

    private static let threshold = Atomic<UInt8>(LogLevel.info.severity)
    private static let isJSON = Atomic<Bool>(false)
    private static let output = Mutex(LogOutput(descriptor: STDERR_FILENO))
    private static let periods = Mutex(LogPeriods())

    private static func secondsSinceBoot() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return UInt64(clamping: time.tv_sec)
    }
}

/// When each rate-limited message was last written. Messages are literals, so the table is bounded by the program text.
struct LogPeriods {
    private var lastByMessage: [String: (second: UInt64, suppressed: UInt64)] = [:]

    /// - Returns: how many were left out since the last one, or nil when this one is to be left out too.
    mutating func admit(_ message: String, now: UInt64, period: UInt64) -> UInt64? {
        if let last = lastByMessage[message], now < last.second + period {
            lastByMessage[message] = (last.second, last.suppressed + 1)
            return nil
        }
        return lastByMessage.updateValue((now, 0), forKey: message)?.suppressed ?? 0
    }
}
