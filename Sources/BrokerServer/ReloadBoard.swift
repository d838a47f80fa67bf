internal import CLinux
internal import Glibc

/// Where a server writes how its reloads went, for `starling reload` to read: a file in memory, which only its user finds, as
/// `/proc/PID/fd/N`. So there is nothing to configure, no file to go stale, and every server can be told from other processes.
/// Main thread only.
final class ReloadBoard {
    static let name = "starling-reload"

    private var status = ReloadStatus()
    /// Negative where the kernel gives none: then reloads go on, and nobody can ask.
    private let file = clinux_memory_file(name)

    init() { write() }

    deinit { if file >= 0 { clinux_close(file) } }

    func begin() {
        status.begun += 1
        write()
    }

    func end(isDone: Bool, _ text: String) {
        (status.ended, status.isDone, status.text) = (status.begun, isDone, text)
        write()
    }

    private func write() {
        guard file >= 0 else { return }
        let bytes = status.encoded
        _ = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
        ftruncate(file, bytes.count)
    }
}

/// What stands on the board.
///
///     head = "starling-reload " begun " " ended " " ("done" / "refused") " " bytes of the text "\n"
///     file = head text head            so that who reads while it is written sees that it is not whole
struct ReloadStatus: Equatable {
    static let textBytesMax = 64 << 10

    /// Reloads that began, and the number of the last that ended.
    var begun = 0
    var ended = 0
    /// How the last one went.
    var isDone = true
    var text = ""

    init() {}

    var encoded: [UInt8] {
        var body = Array(text.utf8)
        if body.count > Self.textBytesMax {
            body = Array(String(decoding: body.prefix(Self.textBytesMax), as: UTF8.self).utf8) + Array("…\n".utf8)
        }
        let head = Array("\(ReloadBoard.name) \(begun) \(ended) \(isDone ? "done" : "refused") \(body.count)\n".utf8)
        return head + body + head
    }

    /// nil: it is not whole.
    init?(_ bytes: [UInt8]) {
        guard let line = bytes.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let words = String(decoding: bytes[..<line], as: UTF8.self).split(separator: " ")
        guard words.count == 5, words[0] == ReloadBoard.name, let begun = Int(words[1]), let ended = Int(words[2]),
            let count = Int(words[4]), bytes.count == count + 2 * (line + 1), bytes.suffix(line + 1) == bytes[...line]
        else { return nil }
        (self.begun, self.ended, isDone) = (begun, ended, words[3] == "done")
        text = String(decoding: bytes[(line + 1)...].prefix(count), as: UTF8.self)
    }
}
