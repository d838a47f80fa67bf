internal import Glibc

/// An empty directory in which two runs wait for each other, so that one measures what the other's load does to it.
struct MeetingPlace {
    let directory: String

    /// Says that this run is ready, and waits for the other.
    /// - Returns: whether it came in time.
    func wait(seconds: Double) -> Bool {
        let mark = open("\(directory)/\(getpid())", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        guard mark >= 0 else { return false }
        close(mark)
        for _ in 0..<Int(seconds * 1_000) {
            if marks >= 2 { return true }
            usleep(1_000)
        }
        return false
    }

    /// Runs that are ready.
    private var marks: Int {
        guard let entries = opendir(directory) else { return 0 }
        defer { closedir(entries) }
        var count = 0
        while let entry = readdir(entries) {
            let first = withUnsafeBytes(of: &entry.pointee.d_name) { $0[0] }
            if first != UInt8(ascii: ".") { count += 1 }
        }
        return count
    }
}
