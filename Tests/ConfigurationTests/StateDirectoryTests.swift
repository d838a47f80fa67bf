import Testing

@testable import Configuration

@Suite("The state directory") struct StateDirectoryTests {
    static let there = ["/var/lib/starling/old": "", "/etc/file": "x"]
    static let directories: [(path: String, says: String?)] = [
        ("/var/lib/starling", nil), ("/var/lib/starling//", nil), ("/var/lib/new", nil),
        ("/var/lib/new/deep", "\"/var/lib/new/deep\" cannot be made, because there is no directory \"/var/lib/new\""),
        ("/etc/file", "\"/etc/file\" is a file, and must be a directory"),
        ("nowhere", "\"nowhere\" cannot be made, because there is no directory \".\""),
        ("-", "must be the path of a directory, at most 80 bytes, not \"-\""),
        ("/" + String(repeating: "x", count: 80), "must be the path of a directory"),
        ("/a\nb", "must be the path of a directory"),
    ]

    @Test(arguments: directories) func aDirectoryIsThereOrCanBeMade(_ path: String, _ says: String?) throws {
        let result = load(env: ["STARLING_STATE_DIRECTORY": path], others: Self.there)
        guard let says else {
            let kept = try result.get().settings.stateDirectory
            #expect(!kept.hasSuffix("/") && path.hasPrefix(kept))
            return
        }
        #expect(result.lines.count == 1)
        #expect(result.lines[0].hasPrefix("env STARLING_STATE_DIRECTORY: stateDirectory: \(says)"), "\(result.lines)")
    }

    @Test func systemdMaySayIt() throws {
        func directory(_ arguments: [String], _ env: [String: String], _ file: String? = nil) throws -> String {
            try load(arguments, env: env, file: file, others: Self.there).get().settings.stateDirectory
        }
        let systemd = ["STATE_DIRECTORY": "/var/lib/starling:/var/lib/other"]
        #expect(try directory([], systemd) == "/var/lib/starling")
        #expect(try directory(["--state-directory=/var/lib/new"], systemd) == "/var/lib/new")
        #expect(try directory([], systemd, "{\"stateDirectory\": \"/var/lib/new\"}") == "/var/lib/new")
    }

    @Test func anotherErrorOfTheMachineIsTold() {
        let result = LoadedSettings.load(arguments: ["--state-directory=/locked"], environment: [:]) { _ in
            .failure(.init(text: "Permission denied"))
        }
        #expect(
            result.lines == ["flag --state-directory: stateDirectory: \"/locked\" cannot be used: Permission denied"])
    }
}
