internal import Configuration
internal import Glibc
internal import Reactor
internal import Telemetry

/// The directory for what must outlive the process.
enum StateDirectory {
    /// Makes it for us alone where nothing but it is missing, and finds out whether we may write it, before anything is served. Blocks.
    /// - Parameter path: empty: none.
    static func prepare(_ path: String) throws(Server.StartFailure) {
        guard !path.isEmpty else { return }
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw failure(path, "cannot be made: \(IOError.text(errno))")
        }
        var found = stat()
        guard stat(path, &found) == 0 else { throw failure(path, "cannot be used: \(IOError.text(errno))") }
        guard found.st_mode & S_IFMT == S_IFDIR else { throw failure(path, "is no directory") }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw failure(path, "cannot be written by user \(geteuid()): \(IOError.text(errno))")
        }
        if found.st_mode & S_IWOTH != 0 {
            Log.warning("others may write the state directory", ("place", path), ("advice", "chmod 0700"))
        }
    }

    private static func failure(_ path: String, _ text: String) -> Server.StartFailure {
        Server.StartFailure(exitCode: ExitCode.configuration, text: "stateDirectory: \"\(path)\" \(text)")
    }
}
