import Arguments
import TestSupport
import Testing

@Suite("Splitting the arguments of a command") struct ArgumentSplitterTests {
    static let known: Vocabulary = {
        var known = Vocabulary()
        known.kinds = ["port": .value, "host": .value, "trust": .boolean, "json": .mark]
        known.shorts = ["p": "port", "t": "trust", "j": "json"]
        return known
    }()

    struct Case: Sendable {
        var words: [String]
        /// `spelled name=value`.
        var given: [String] = []
        var positionals: [String] = []
        /// `place: text`.
        var faults: [String] = []
    }

    @Test(arguments: [
        Row("nothing", Case(words: [])),
        Row("a value behind", Case(words: ["--port", "80"], given: ["--port port=80"])),
        Row("a value attached", Case(words: ["--port=80", "--host="], given: ["--port port=80", "--host host="])),
        Row("an equals sign in a value", Case(words: ["--host=a=b"], given: ["--host host=a=b"])),
        Row("a negative number", Case(words: ["--port", "-1"], given: ["--port port=-1"])),
        Row("standard input", Case(words: ["--host", "-"], given: ["--host host=-"])),
        Row(
            "an option is no value",
            Case(
                words: ["--port", "--json"], given: ["--json json=true"], faults: ["flag --port: needs a value"])),
        Row("no value at the end", Case(words: ["--port"], faults: ["flag --port: needs a value"])),
        Row(
            "switches",
            Case(
                words: ["--trust", "--trust=false", "--no-trust", "--json"],
                given: ["--trust trust=true", "--trust trust=false", "--no-trust trust=false", "--json json=true"])),
        Row("a contrary with a value", Case(words: ["--no-trust=true"], faults: ["flag --no-trust: takes no value"])),
        Row("a mark with a value", Case(words: ["--json=1"], faults: ["flag --json: takes no value"])),
        Row(
            "a mark has no contrary",
            Case(words: ["--no-json"], faults: [": unknown option --no-json — did you mean --json?"])),
        Row(
            "a value has no contrary",
            Case(words: ["--no-port"], faults: [": unknown option --no-port — did you mean --port?"])),
        Row(
            "mistyped",
            Case(
                words: ["--prot", "80"], positionals: ["80"], faults: [": unknown option --prot — did you mean --port?"]
            )),
        Row(
            "mistyped contrary",
            Case(words: ["--no-trsut"], faults: [": unknown option --no-trsut — did you mean --no-trust?"])),
        Row(
            "letters",
            Case(
                words: ["-p", "80", "-p81", "-p=82", "-tjp", "83"],
                given: ["-p port=80", "-p port=81", "-p port=82", "-t trust=true", "-j json=true", "-p port=83"])),
        Row(
            "an unknown letter ends its word",
            Case(
                words: ["-jxp", "80"], given: ["-j json=true"], positionals: ["80"], faults: [": unknown option -x"])),
        Row(
            "a letter without its value",
            Case(words: ["-p", "-j"], given: ["-j json=true"], faults: ["flag -p: needs a value"])),
        Row(
            "words between",
            Case(words: ["a", "--json", "b", "-"], given: ["--json json=true"], positionals: ["a", "b", "-"])),
        Row(
            "everything behind two dashes",
            Case(words: ["--", "--json", "--", "x"], positionals: ["--json", "--", "x"])),
        Row(
            "all faults",
            Case(words: ["--x", "--port"], faults: [": unknown option --x", "flag --port: needs a value"])),
        Row(
            "a long unknown name",
            Case(
                words: ["--" + String(repeating: "a", count: 100) + "\u{1B}"],
                faults: [": unknown option --" + String(repeating: "a", count: 58) + "…"])),
    ]) func arguments(_ row: Row<Case>) {
        let split = ArgumentSplitter(row.value.words, known: Self.known)
        #expect(split.given.map { "\($0.spelled) \($0.name)=\($0.value)" } == row.value.given)
        #expect(split.positionals == row.value.positionals)
        #expect(split.faults.map { "\($0.place): \($0.text)" } == row.value.faults)
    }
}

@Suite("Mistyped names") struct NearestNameTests {
    @Test(arguments: [
        ("prot", "port"), ("PORT", "port"), ("hots", "host"), ("por", "port"), ("xport", "port"), ("rost", "host"),
        ("zzzz", ""), ("", ""), ("p", ""),
    ]) func theNearestIsGuessed(_ name: String, _ expected: String) {
        #expect(NearestName.of(name, in: ["port", "host", "trust"]) ?? "" == expected)
    }

    @Test func aGuessIsASentence() {
        #expect(NearestName.hint("prot", in: ["port"]) == " — did you mean \"port\"?")
        #expect(NearestName.hint("prot", in: ["port"], quote: "") == " — did you mean port?")
        #expect(NearestName.hint("zebra", in: ["port"]) == "")
    }

    @Test func whatIsQuotedIsOneShortLine() {
        #expect("a\nb\u{7F}\u{85}c".shortened == "a?b??c")
        #expect(String(repeating: "é", count: 60).shortened == String(repeating: "é", count: 60))
        #expect(String(repeating: "é", count: 61).shortened == String(repeating: "é", count: 60) + "…")
    }
}
