enum SoketiFile {
    static func isSoketi(_ node: Node) -> Bool { false }
    static func translate(_ node: Node, _ source: SourceText, _ problems: inout ProblemList) -> Node { node }
}
