/// One thing to listen on: a name or an IP address, on the port of the settings, or the path of a Unix socket.
public enum ListenAddress: Sendable, Equatable {
    /// A name, an IPv4 or an IPv6 address without brackets, `auto` or `localhost`.
    case host(String)
    /// An absolute path, and the permission bits of its file.
    case unix(path: String, mode: UInt32)

    /// What the text of a Unix socket begins with.
    public static let unixMark = "unix:"
    /// Owner and group, as a proxy of another user in the group needs it.
    public static let modeStandard: UInt32 = 0o660
    /// What the kernel takes (unix(7)), less the zero.
    static let pathBytesMax = 107
    private static let modeMark = "?mode="

    /// Of a text that was checked.
    public init(_ text: String) {
        self = (try? Self.parse(text).get()) ?? .host(text)
    }

    /// The one form of it.
    public var text: String {
        switch self {
        case .host(let host): host
        case .unix(let path, let mode): Self.unixMark + path + Self.modeMark + "0" + String(mode, radix: 8)
        }
    }

    static func parse(_ text: String) -> Result<ListenAddress, ValueError> {
        if text.hasPrefix(unixMark) { return parseUnix(String(text.dropFirst(unixMark.count))) }
        let isBracketed = text.hasPrefix("[") && text.hasSuffix("]")
        let host = isBracketed ? String(text.dropFirst().dropLast()) : text
        if host.isEmpty || host.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "/") }) {
            return .failure(ValueError(text: "must be a name, an address or unix:/PATH, not \(host.quoted)"))
        }
        return .success(.host(host))
    }

    private static func parseUnix(_ text: String) -> Result<ListenAddress, ValueError> {
        var (path, mode) = (text, modeStandard)
        if let mark = text.indices.first(where: { text[$0...].hasPrefix(modeMark) }) {
            path = String(text[..<mark])
            let digits = text[mark...].dropFirst(modeMark.count)
            guard (3...4).contains(digits.utf8.count), let bits = UInt32(digits, radix: 8), bits <= 0o777 else {
                return .failure(
                    ValueError(
                        text: "the mode of a socket is three octal digits such as 0660, not \(String(digits).quoted)"))
            }
            mode = bits
        }
        guard path.hasPrefix("/"), path.utf8.count > 1, path.utf8.count <= pathBytesMax,
            path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), !path.hasSuffix("/")
        else {
            return .failure(
                ValueError(
                    text:
                        "unix: needs an absolute path of at most \(pathBytesMax) bytes without blanks, not \(path.quoted)"
                ))
        }
        return .success(.unix(path: path, mode: mode))
    }
}
