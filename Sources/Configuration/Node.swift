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
}

/// A configuration file's bytes and name, and the way from an offset to `path:line:column`.
struct SourceText: Sendable {
    let path: String
    let bytes: [UInt8]
    private let lineStarts: [Int]

    init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
        var starts = [0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") { starts.append(offset + 1) }
        lineStarts = starts
    }

    /// Line and column count from 1; a column is one Unicode scalar, so that editors agree.
    func origin(at offset: Int) -> Origin {
        let offset = min(max(offset, 0), bytes.count)
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let scalars = bytes[lineStarts[low]..<offset].count { $0 & 0xC0 != 0x80 }
        return .file(path: path, line: low + 1, column: scalars + 1)
    }

    func place(_ offset: Int) -> String { origin(at: offset).place() }
}
