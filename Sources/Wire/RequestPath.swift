/// Paths as the broker reads them: cut at slashes, empty segments ignored.
///
/// Whoever joins a base URL that ends in a slash with a path that begins with one asks for `//apps/1/events`, and so does nginx
/// with `location /pusher { proxy_pass http://broker:6001/; }`.
public enum RequestPath {
    /// The next segment that is not empty, from `offset` on, which moves behind it. Nil: none is left.
    public static func nextSegment(
        of path: Range<Int>, at offset: inout Int, in bytes: Span<UInt8>
    ) -> Range<Int>? {
        while offset < path.upperBound, bytes[offset] == Byte.slash { offset += 1 }
        let start = offset
        guard start < path.upperBound else { return nil }
        offset = bytes.firstOffset(of: Byte.slash, in: start..<path.upperBound)
        return start..<offset
    }

    /// Where what is below `prefix` begins; nil when the path does not lead below it. Both may have empty segments.
    public static func end(ofPrefix prefix: Span<UInt8>, in path: Range<Int>, _ bytes: Span<UInt8>) -> Int? {
        var (wanted, offset) = (0, path.lowerBound)
        while let segment = nextSegment(of: prefix.indices, at: &wanted, in: prefix) {
            guard let found = nextSegment(of: path, at: &offset, in: bytes),
                bytes.extracting(found).equals(prefix.extracting(segment))
            else { return nil }
        }
        return offset
    }

    /// Appends the path with one slash before each segment, and one behind the last if there was any.
    public static func appendCollapsed(_ path: Range<Int>, in bytes: Span<UInt8>, to out: inout [UInt8]) {
        var offset = path.lowerBound
        while let segment = nextSegment(of: path, at: &offset, in: bytes) {
            out.append(Byte.slash)
            out.append(bytes: bytes, segment)
        }
        if let last = path.last, bytes[last] == Byte.slash { out.append(Byte.slash) }
    }
}
