internal import CLinux
internal import Glibc
internal import Reactor

/// The directory of a spool, locked for this process: two descriptors.
final class SpoolDirectory: SpoolDisk {
    private let path: String
    private var directory: Descriptor
    /// Closing it gives the directory up, and so does the process's end, however it comes.
    private var lock: Descriptor

    /// Makes it when it is missing, and takes it.
    init(_ path: String) throws(SpoolProblem) {
        self.path = path
        directory = try Self.take(path)
        lock = try Self.lock(directory.raw, path)
    }

    private static func take(_ path: String) throws(SpoolProblem) -> Descriptor {
        try make(path)
        let raw = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard raw >= 0 else { throw .unusable(sentence("use", path, errno)) }
        let directory = Descriptor(owning: raw)
        try checkOwner(directory.raw, path)
        return directory
    }

    private static func lock(_ directory: CInt, _ path: String) throws(SpoolProblem) -> Descriptor {
        let raw = openat(directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .unusable(sentence("lock", path, errno)) }
        let lock = Descriptor(owning: raw)
        while flock(lock.raw, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            throw errno == EWOULDBLOCK ? .locked(directory: path) : .unusable(sentence("lock", path, errno))
        }
        return lock
    }

    /// Each part that is missing, for this user alone.
    private static func make(_ path: String) throws(SpoolProblem) {
        var parentFault: CInt = 0
        for end in path.utf8.indices.dropFirst() where path.utf8[end] == UInt8(ascii: "/") {
            if mkdir(String(path[..<end]), 0o700) != 0, errno != EEXIST, parentFault == 0 { parentFault = errno }
        }
        guard mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        throw .unusable(sentence("make", path, errno == ENOENT && parentFault != 0 ? parentFault : errno))
    }

    private static func checkOwner(_ directory: CInt, _ path: String) throws(SpoolProblem) {
        var found = stat()
        guard fstat(directory, &found) == 0 else { throw .unusable(sentence("use", path, errno)) }
        guard found.st_uid == geteuid() || geteuid() == 0 else {
            throw .unusable(
                "The webhook spool \(path) belongs to another user; give it to the one that starling runs as.")
        }
        // What events say is nobody else's business.
        if found.st_mode & 0o077 != 0 { _ = fchmod(directory, 0o700) }
    }

    private static func sentence(_ verb: String, _ path: String, _ code: CInt) -> String {
        let cause =
            switch code {
            case ENOTDIR: "it is not a directory"
            case ELOOP: "a symbolic link is in its place"
            case EACCES, EPERM: "starling's user may not write there"
            case EROFS: "the file system is read-only"
            default: IOError.text(code)
            }
        return "Cannot \(verb) the webhook spool \(path): \(cause)."
    }

    func names() throws(IOError) -> [String] {
        guard let names = DirectoryListing.names(in: path) else { throw IOError(call: path, code: errno) }
        return names
    }

    func open(_ name: String) throws(IOError) -> CInt {
        // A pipe in its place must not be waited for.
        try answer(name) { openat(directory.raw, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK) }
    }

    func create(_ name: String) throws(IOError) -> CInt {
        do throws(IOError) { return try createHere(name) } catch {
            guard error.code == ENOENT else { throw error }
            try takeAgain()
            return try createHere(name)
        }
    }

    /// Somebody has removed the directory under way.
    private func takeAgain() throws(IOError) {
        do throws(SpoolProblem) {
            // Both or none: nothing is written where another process has the lock.
            let taken = try Self.take(path)
            lock = try Self.lock(taken.raw, path)
            directory = taken
        } catch { throw IOError(call: "open", code: ENOENT) }
    }

    private func createHere(_ name: String) throws(IOError) -> CInt {
        try answer("open") {
            openat(directory.raw, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
    }

    func read(_ file: CInt, at offset: UInt64, bytesMax: Int) throws(IOError) -> [UInt8] {
        var failure: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: bytesMax) { room, count in
            var taken: Int
            repeat {
                taken = pread(file, room.baseAddress, bytesMax, Int(clamping: offset))
            } while taken < 0 && errno == EINTR
            if taken < 0 { failure = errno }
            count = max(0, taken)
        }
        guard failure == 0 else { throw IOError(call: "read", code: failure) }
        return bytes
    }

    func write(_ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(IOError) -> Int {
        while true {
            let count = pwrite(file, bytes.baseAddress, bytes.count, Int(clamping: offset))
            if count >= 0 { return count }
            guard errno == EINTR else { throw IOError(call: "write", code: errno) }
        }
    }

    func truncate(_ file: CInt, to bytes: UInt64) { _ = ftruncate(file, Int(clamping: bytes)) }

    func sync(_ file: CInt) throws(IOError) {
        _ = try answer("fdatasync") { fdatasync(file) }
        var found = stat()
        guard fstat(file, &found) == 0, found.st_nlink > 0 else { throw IOError(call: "fdatasync", code: ENOENT) }
    }

    func close(_ file: CInt) { clinux_close(file) }

    func remove(_ name: String) throws(IOError) { _ = try answer("unlink") { unlinkat(directory.raw, name, 0) } }

    func syncDirectory() throws(IOError) { _ = try answer("fsync") { fsync(directory.raw) } }

    /// `body` is the call and nothing else, so that errno is its own.
    private func answer(_ call: String, _ body: () -> CInt) throws(IOError) -> CInt {
        while true {
            let result = body()
            if result >= 0 { return result }
            guard errno == EINTR else { throw IOError(call: call, code: errno) }
        }
    }

    /// A file size limit (RLIMIT_FSIZE) shows as an error of the calling thread's writes from now on, and does not end the process.
    static func ignoreFileSizeSignal() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGXFSZ)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }
}
