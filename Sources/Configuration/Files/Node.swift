/// A value of a configuration file together with where it stands.
struct Node: Sendable, Equatable {
    indirect enum Content: Sendable, Equatable {
        case object([Member])
        case array([Node])
        /// `isInterpolated`: held a `${…}`, so its text may stand for a number or a boolean too.
        case string(String, isInterpolated: Bool)
        /// The literal as written.
        case number(String)
        case boolean(Bool)
        case null
        /// Something that is no JSON value; its problem is told already.
        case broken
    }
    struct Member: Sendable, Equatable {
        var key: String
        /// Byte offset of the key's opening quote.
        var keyOffset: Int
        var value: Node
    }
    var content: Content
    /// Byte offset of the value's first byte.
    var offset: Int

    /// As named in messages; an interpolated string never shows its text.
    var kindName: String {
        switch content {
        case .object: "an object"
        case .array: "an array"
        case .string: "a string"
        case .number: "a number"
        case .boolean: "a boolean"
        case .null: "null"
        case .broken: "something unreadable"
        }
    }

    /// The same with all that is in it at one place.
    func moved(to offset: Int) -> Node {
        switch content {
        case .array(let elements): Node(content: .array(elements.map { $0.moved(to: offset) }), offset: offset)
        case .object(let members):
            Node(
                content: .object(
                    members.map { Member(key: $0.key, keyOffset: offset, value: $0.value.moved(to: offset)) }),
                offset: offset)
        default: Node(content: content, offset: offset)
        }
    }
}
