@testable import Configuration
import TestSupport
import Testing

@Suite("memory.limit") struct MemoryLimitTests {
    static let read: [(text: String, limit: MemoryLimit)] = [
        ("80%", .percent(80)), ("1%", .percent(1)), ("100%", .percent(100)), ("off", .off), ("0", .off), ("0%", .off),
        ("1048576", .bytes(1_048_576)), ("1099511627776", .bytes(1_099_511_627_776)),
    ]

    @Test(arguments: read) func isReadFromFlagsVariablesAndFiles(text: String, limit: MemoryLimit) throws {
        #expect(try load(["--memory-limit", text]).get().settings.memoryLimit == limit)
        #expect(try load(env: ["STARLING_MEMORY_LIMIT": text]).get().settings.memoryLimit == limit)
        #expect(try load(file: #"{"memory": {"limit": "\#(text)"}}"#).get().settings.memoryLimit == limit)
        guard Int(text) != nil else { return }
        #expect(try load(file: #"{"memory": {"limit": \#(text)}}"#).get().settings.memoryLimit == limit)
    }

    @Test func isFourFifthsUnlessSaidAndMayBeReloaded() throws {
        let (first, second) = (try load().get().settings, try load(["--memory-limit", "off"]).get().settings)
        #expect(first.memoryLimit == .percent(80))
        let (merged, waiting) = first.reloading(second)
        #expect(merged.memoryLimit == .off && waiting.isEmpty)
    }

    @Test(arguments: ["101%", "-1%", "%", "1048575", "1099511627777", "-1", "80 %", "00%", "512M", "on", "1.5%"])
    func anythingElseIsRefused(text: String) {
        guard case .failure(let failure) = load(["--memory-limit=\(text)"]) else {
            Issue.record("taken: \(text)"); return
        }
        #expect(failure.problems.first?.text.contains(MemoryLimit.expectation) == true)
    }

    @Test func isShownAsItIsWritten() throws {
        let shown = try #require(
            output(["config", "show", "f"], ["f": #"{"memory": {"limit": "70%"}}"#])?.standardOutput)
        #expect(shown.contains("70%"))
        #expect(OptionValue.memory(.bytes(2_097_152)).json().printed() == "2097152")
        #expect(OptionValue.memory(.off).json().printed() == #""off""#)
    }
}
