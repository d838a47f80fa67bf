import Glibc
import Testing

@testable import Configuration

@Suite("Large configurations", .serialized) struct ScaleTests {
    /// The processor time of this thread that `body` takes, in nanoseconds: on a busy machine only that can be compared.
    private static func processorTime(_ body: () -> Void) -> Int {
        func now() -> Int {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return time.tv_sec * 1_000_000_000 + time.tv_nsec
        }
        let start = now()
        body()
        return now() - start
    }

    private static func apps(_ count: Int, more: String = "") -> String {
        "{\"host\": \"::1\", \"apps\": ["
            + (0..<count).map { "{\"id\": \"\($0)\", \"key\": \"key-\($0)\", \"secret\": \"s\($0)\"\(more)}" }.joined(
                separator: ",") + "]}"
    }

    /// Eight times the text may take 8 times as long, or 16 with luck against it; a quadratic reader takes 64.
    @Test("time grows with the text, not with its square", arguments: ["one line", "unknown keys", "variables"])
    func timeIsLinear(_ kind: String) {
        func run(_ count: Int) -> Int {
            let file: String?
            var others: [String: String] = [:]
            switch kind {
            case "one line": file = Self.apps(count)
            case "unknown keys": file = Self.apps(count, more: ", \"colour\": 1")
            default:
                file = nil
                others[".env"] = (0..<count * 4).map { "NAME_\($0)=\"${NAME_\($0 - 1)}\"\n" }.joined()
            }
            let arguments = file == nil ? ["--env-file=.env", "--host=::1"] : []
            return (0..<2).map { _ in Self.processorTime { _ = load(arguments, file: file, others: others) } }.min()
                ?? 0
        }
        let (small, large) = (run(250), run(2_000))
        #expect(large < small * 24, "\(small) ns, \(large) ns")
    }

    @Test(arguments: [0, 1, 255, 256, 257, 511, 512, 700]) func placesOfALongLineCountCharacters(_ offset: Int) {
        for text in [
            String(repeating: "a", count: 700), "\n" + String(repeating: "é", count: 350),
            String(repeating: "a\n", count: 350),
        ] {
            let source = SourceText(path: "f", bytes: Array(text.utf8))
            let before = source.bytes.prefix(offset)
            let line = before.count { $0 == 0x0A } + 1
            let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let column = before[start...].count { $0 & 0xC0 != 0x80 } + 1
            #expect(source.origin(at: offset) == .file(path: "f", line: line, column: column))
        }
    }

    @Test func onlyTheFirstMistakesGetAGuess() {
        let lines = load(file: Self.apps(150, more: ", \"clientEvent\": true")).lines
        #expect(lines.count == 150 && lines.filter { $0.contains("did you mean \"clientEvents\"?") }.count == 100)
    }
}
