public import Configuration
internal import Glibc
internal import Reactor

/// `starling reload`: lets a running server load its settings again, and says how that went. Blocking, for the command line.
public enum ReloadCommand {
    /// What was wrong, and the exit code that says so: 78 for the configuration, 124 when the time was over, else 1.
    public struct Problem: Error {
        public var exitCode: Int32
        public var text: String
    }

    /// - Returns: what changed, for people.
    public static func run(_ target: ReloadTarget) throws(Problem) -> String {
        let (process, board) = try find(target.pid)
        guard let before = read(board) else { throw silent(process) }
        guard kill(process, SIGHUP) == 0 else {
            throw Problem(exitCode: 1, text: "cannot signal process \(process): \(String(cString: strerror(errno)))\n")
        }
        let deadline = MonotonicTime.now().nanoseconds + UInt64(target.timeoutSeconds) * 1_000_000_000
        // Any reload that begins from now on finds the files as they are.
        while MonotonicTime.now().nanoseconds < deadline {
            guard let now = read(board) else { throw silent(process) }
            if now.ended > before.begun {
                guard now.isDone else { throw Problem(exitCode: ExitCode.configuration, text: now.text) }
                return now.text
            }
            usleep(10_000)
        }
        throw Problem(
            exitCode: 124, text: "process \(process) did not say within \(target.timeoutSeconds) s how it went\n")
    }

    private static func silent(_ process: pid_t) -> Problem {
        Problem(exitCode: 1, text: "process \(process) has ended, or does not say how its reloads go\n")
    }

    // MARK: Finding it

    private static func find(_ wanted: Int32?) throws(Problem) -> (pid_t, board: String) {
        if let wanted {
            switch board(of: wanted) {
            case .found(let path): return (wanted, path)
            case .none: throw Problem(exitCode: 1, text: "process \(wanted) is no Starling; it was not signalled\n")
            case .hidden(let why):
                throw Problem(exitCode: 1, text: "cannot look at process \(wanted): \(why); it was not signalled\n")
            }
        }
        var found: [(pid_t, board: String)] = []
        for name in DirectoryListing.names(in: "/proc") ?? [] {
            guard let process = pid_t(name), case .found(let path) = board(of: process) else { continue }
            found.append((process, path))
        }
        guard let first = found.first else {
            throw Problem(exitCode: 1, text: "no Starling of this user runs here; --pid names one\n")
        }
        guard found.count == 1 else {
            let list = found.map { String($0.0) }.sorted().joined(separator: ", ")
            throw Problem(exitCode: ExitCode.usage, text: "several run here (\(list)); --pid says which is meant\n")
        }
        return first
    }

    private enum Board {
        case found(String)
        case none
        case hidden(String)
    }

    private static func board(of process: pid_t) -> Board {
        let directory = "/proc/\(process)/fd"
        guard let names = DirectoryListing.names(in: directory) else {
            let code = errno
            return .hidden(code == ENOENT ? "there is none" : String(cString: strerror(code)))
        }
        var buffer = [CChar](repeating: 0, count: 256)
        for name in names where name != "." && name != ".." {
            let count = readlink("\(directory)/\(name)", &buffer, buffer.count)
            guard count > 0 else { continue }
            let link = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if link.hasPrefix("/memfd:\(ReloadBoard.name) ") { return .found("\(directory)/\(name)") }
        }
        return .none
    }

    /// nil: the process has ended.
    private static func read(_ board: String) -> ReloadStatus? {
        for _ in 0..<1_000 {
            guard let bytes = try? WholeFile.read(board, bytesMax: 1 << 20) else { return nil }
            if let status = ReloadStatus(bytes) { return status }
            usleep(1_000)
        }
        return nil
    }
}
