internal import Wire

/// The paths a caller may have signed when this one arrived.
///
/// A library signs the path it asks for, or that path without the base path it was told (PHP). On its way a proxy may have taken
/// the prefix away or doubled a slash (`location /pusher { proxy_pass http://broker:6001/; }` makes `//apps/1/events`), and
/// an HTTP library may have dropped a base path without a final slash (Laravel).
struct SignedPaths {
    /// Without repetitions, the path as it arrived first; at most three.
    private(set) var all: [[UInt8]]

    /// `prefix`: the configured path prefix, or empty.
    init(_ arrived: Span<UInt8>, prefix: Span<UInt8>) {
        var raw: [UInt8] = []
        raw.append(bytes: arrived)
        all = [raw]
        let start = RequestPath.end(ofPrefix: prefix, in: arrived.indices, arrived) ?? 0
        var bare: [UInt8] = []
        RequestPath.appendCollapsed(start..<arrived.count, in: arrived, to: &bare)
        add(bare)
        guard !prefix.isEmpty else { return }
        var prefixed: [UInt8] = []
        prefixed.append(bytes: prefix)
        add(prefixed + bare)
    }

    /// One slash before each segment, for the text that is shown to whoever signs wrong.
    static func collapsed(_ path: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        RequestPath.appendCollapsed(path.indices, in: path, to: &text)
        return text
    }

    private mutating func add(_ path: [UInt8]) {
        if !path.isEmpty, !all.contains(path) { all.append(path) }
    }
}
