internal import CLinux
internal import Glibc

/// Reads a file to its end, also one of /proc, whose size is not known before. Blocks: for what answers from memory, and for what runs
/// before and beside the loops.
public enum WholeFile {
    /// - Parameters:
    ///   - path: `-` is standard input.
    ///   - bytesMax: no more is read; the rest is left out.
    public static func read(_ path: String, bytesMax: Int = .max) throws(IOError) -> [UInt8] {
        guard path != "-" else { return try read(STDIN_FILENO, path, bytesMax) }
        let file = Descriptor(owning: try IOError.check(orNegated(open(path, O_RDONLY | O_CLOEXEC)), path))
        return try read(file.raw, path, bytesMax)
    }

    /// The file as text; nil when it cannot be read.
    public static func text(_ path: String, bytesMax: Int = .max) -> String? {
        (try? read(path, bytesMax: bytesMax)).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func read(_ descriptor: CInt, _ path: String, _ bytesMax: Int) throws(IOError) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: min(bytesMax, 65_536))
        while all.count < bytesMax {
            let count = Glibc.read(descriptor, &buffer, min(buffer.count, bytesMax - all.count))
            guard count >= 0 else {
                if errno == EINTR { continue }
                throw IOError(call: path, code: errno)
            }
            if count == 0 { break }
            all.append(contentsOf: buffer[..<count])
        }
        return all
    }

    private static func orNegated(_ result: CInt) -> CInt { result < 0 ? -errno : result }
}
