internal import Wire

/// Why a text is not a user id. One rule for every place that takes one, so that who signs in can also be published to, watched
/// and terminated (Pusher protocol §3.7, §3.11, §5).
public enum UserIDError: Error, Equatable, Sendable {
    case empty
    case tooLong(charactersMax: Int)
    /// A control character, or a byte that is not UTF-8.
    case illegalByte(UInt8, at: Int)

    /// What follows the name of the place that held it: "user_data.id …".
    public var text: String {
        switch self {
        case .empty: "must not be empty"
        case .tooLong(let charactersMax): "has more than \(charactersMax) characters"
        case .illegalByte(let byte, let offset):
            "holds byte 0x\(byte < 0x10 ? "0" : "")\(String(byte, radix: 16, uppercase: true)) at position \(offset); "
                + "a user id is UTF-8 without control characters"
        }
    }
}

/// The grammar of user ids: any UTF-8 without control characters, 1 to `charactersMax` Unicode scalars.
public enum UserID {
    /// The default of `charactersMax` (Pusher protocol §3.7).
    public static let charactersMaxDefault = 128

    /// Checks an id. Any thread; does not allocate.
    public static func check(_ id: Span<UInt8>, charactersMax: Int) throws(UserIDError) {
        guard !id.isEmpty else { throw .empty }
        guard id.count <= charactersMax || ScalarCount.of(id) <= charactersMax else {
            throw .tooLong(charactersMax: charactersMax)
        }
        for offset in id.indices where id[offset] < 0x20 || id[offset] == 0x7F {
            throw .illegalByte(id[offset], at: offset)
        }
        // An id may come percent-decoded from a path, and it goes out again in JSON.
        if !UTF8Check.isValid(id) {
            for offset in id.indices where id[offset] >= 0x80 { throw .illegalByte(id[offset], at: offset) }
        }
    }
}
