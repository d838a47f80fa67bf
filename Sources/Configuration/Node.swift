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
    /// Scalars before every `stride`th byte. A generated file is one line of megabytes, and no place of it may cost a walk
    /// from the line's start.
    private let scalarsBefore: [Int]
    private static let stride = 256

    init(path: String, bytes: [UInt8]) {
        self.path = path
        self.bytes = bytes
        var (starts, marks, scalars) = ([0], [Int](), 0)
        marks.reserveCapacity(bytes.count / Self.stride + 1)
        for (offset, byte) in bytes.enumerated() {
            if offset % Self.stride == 0 { marks.append(scalars) }
            if byte & 0xC0 != 0x80 { scalars += 1 }
            if byte == UInt8(ascii: "\n") { starts.append(offset + 1) }
        }
        if bytes.count % Self.stride == 0 { marks.append(scalars) }
        (lineStarts, scalarsBefore) = (starts, marks)
    }

    /// Line and column count from 1; a column is one Unicode scalar, so that editors agree.
    func origin(at offset: Int) -> Origin {
        let offset = min(max(offset, 0), bytes.count)
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let column = scalars(before: offset) - scalars(before: lineStarts[low]) + 1
        return .file(path: path, line: low + 1, column: column)
    }

    private func scalars(before offset: Int) -> Int {
        let mark = offset / Self.stride
        return scalarsBefore[mark] + bytes[mark * Self.stride..<offset].count { $0 & 0xC0 != 0x80 }
    }

    func place(_ offset: Int) -> String { origin(at: offset).place() }
}
