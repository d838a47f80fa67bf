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
