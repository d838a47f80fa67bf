internal import Wire

/// Why a `channel_data` or `user_data` text identifies nobody (Pusher protocol §3.7, §5.1; PW-071, PW-110).
public struct IdentityError: Error, Equatable, Sendable {
    /// What to change on the app's auth endpoint.
    public var text: String
    /// The user's id is over its limit, which is another kind of failure (PW-079).
    public var isIDTooLong = false

    /// The rule of user ids that `place` breaks.
    init(_ place: String, _ rule: UserIDError) {
        text = "\(place) \(rule.text)"
        if case .tooLong = rule { isIDTooLong = true }
    }

    init(text: String) { self.text = text }
}

/// Who joins a presence channel, read from the signed `channel_data` (Pusher protocol §3.7).
public struct PresenceMember: Sendable, Equatable {
    /// The id as text, also where the app sent a number: 10 and 10.0 are "10" (PW-069). It keeps the rule of user ids.
    public var userID: [UInt8]
    /// The raw JSON text of `user_info` as offsets into `channel_data`; nil when absent or null (PW-070).
    public var userInfo: Range<Int>?

    /// Reads the decoded text of `channel_data`. Any thread.
    public static func parse(
        _ channelData: Span<UInt8>, userIDCharactersMax: Int
    ) throws(IdentityError) -> PresenceMember {
        guard !channelData.isEmpty else {
            throw IdentityError(text: "channel_data is empty: a presence channel needs one with a user_id")
        }
        let members = try IdentityMembers(channelData, name: "channel_data", idName: "user_id")
        guard let id = members.id else { throw IdentityError(text: "channel_data has no user_id") }
        var userID: [UInt8] = []
        switch id.kind {
        case .string:
            guard JSON.appendDecoded(id, in: channelData, to: &userID) else {
                throw IdentityError(text: "channel_data.user_id \(loneSurrogateRule)")
            }
        case .number: userID = numberText(channelData.extracting(id.range))
        default:
            throw IdentityError(text: "channel_data.user_id must be a string or a number, not \(id.kind.noun)")
        }
        do throws(UserIDError) { try UserID.check(userID.span, charactersMax: userIDCharactersMax) } catch {
            throw IdentityError("channel_data.user_id", error)
        }
        return PresenceMember(userID: userID, userInfo: members.info?.range)
    }

    /// A JSON number as a user id: an integral one in plain digits, any other as it was written.
    ///
    /// Done on the digits, because a double would change ids above 2^53.
    static func numberText(_ number: Span<UInt8>) -> [UInt8] {
        var digits: [UInt8] = [], fraction: Int?, exponent = 0, offset = 0
        let isNegative = number[0] == UInt8(ascii: "-")
        if isNegative { offset = 1 }
        while offset < number.count, number[offset] | 0x20 != UInt8(ascii: "e") {
            if number[offset] == UInt8(ascii: ".") { fraction = digits.count } else { digits.append(number[offset]) }
            offset += 1
        }
        if offset < number.count {
            let text = number.extracting(offset + 1..<number.count).excerpt(bytesMax: 5)
            exponent = Int(text) ?? .max
        }
        // Where the decimal point ends up. Written out, an id beyond 20 digits would only be long.
        let point = (fraction ?? digits.count) + min(max(exponent, -1_000), 1_000)
        let isPlain = fraction == nil && exponent == 0
        let isIntegral = point >= 0 && point <= 20 && digits.dropFirst(point).allSatisfy { $0 == UInt8(ascii: "0") }
        guard isPlain || isIntegral else {
            var text: [UInt8] = []
            text.append(bytes: number)
            return text
        }
        var text = Array(digits.prefix(point))
        while text.count < point { text.append(UInt8(ascii: "0")) }
        text = Array(text.drop { $0 == UInt8(ascii: "0") })
        if text.isEmpty { return [UInt8(ascii: "0")] }
        return isNegative ? [UInt8(ascii: "-")] + text : text
    }
}

/// Who signs in, read from the signed `user_data` (Pusher protocol §5.1).
public struct UserData: Sendable, Equatable {
    /// The user's id, which keeps the rule of user ids; so do the watched ones.
    public var id: [UInt8]
    /// The raw JSON text of `user_info` as offsets into `user_data`; nil when absent or null.
    public var userInfo: Range<Int>?
    /// The watched ids, the first `watchlistMax` of them, each once, in order.
    public var watchlist: [[UInt8]] = []
    /// Whether ids beyond `watchlistMax` were left out, so that 4302 is due (PW-121).
    public var isWatchlistTooLong = false

    /// Reads the decoded text of `user_data`. Any thread.
    public static func parse(
        _ userData: Span<UInt8>, watchlistMax: Int, userIDCharactersMax: Int
    ) throws(IdentityError) -> UserData {
        let members = try IdentityMembers(userData, name: "user_data", idName: "id")
        guard let id = members.id else { throw IdentityError(text: "user_data has no id") }
        // Client libraries crash on a number here, so that accepting one would help nobody.
        guard id.kind == .string else {
            throw IdentityError(text: "user_data.id must be a string, not \(id.kind.noun)")
        }
        var user = UserData(id: [], userInfo: members.info?.range)
        user.id = try Self.userID(id, in: userData, charactersMax: userIDCharactersMax) { "user_data.id" }
        if let list = members.watchlist {
            try user.readWatchlist(list, in: userData, countMax: watchlistMax, charactersMax: userIDCharactersMax)
        }
        return user
    }

    /// A string as a user id, or which rule it breaks and where.
    private static func userID(
        _ value: JSONValue, in bytes: Span<UInt8>, charactersMax: Int, place: () -> String
    ) throws(IdentityError) -> [UInt8] {
        var id: [UInt8] = []
        guard JSON.appendDecoded(value, in: bytes, to: &id) else {
            throw IdentityError(text: "\(place()) \(loneSurrogateRule)")
        }
        do throws(UserIDError) { try UserID.check(id.span, charactersMax: charactersMax) } catch {
            throw IdentityError(place(), error)
        }
        return id
    }

    private mutating func readWatchlist(
        _ list: JSONValue, in bytes: Span<UInt8>, countMax: Int, charactersMax: Int
    ) throws(IdentityError) {
        guard list.kind == .array else {
            throw IdentityError(text: "user_data.watchlist must be an array, not \(list.kind.noun)")
        }
        var seen: Set<[UInt8]> = [], count = 0, cursor = JSONCursor(over: list)
        while let element = try Self.element(&cursor, isFirst: count == 0, bytes) {
            guard element.kind == .string else {
                throw IdentityError(
                    text: "user_data.watchlist[\(count)] must be a user id (a string), not \(element.kind.noun)")
            }
            let id = try Self.userID(element, in: bytes, charactersMax: charactersMax) {
                "user_data.watchlist[\(count)]"
            }
            count += 1
            guard count <= countMax else {
                isWatchlistTooLong = true
                return
            }
            if seen.insert(id).inserted { watchlist.append(id) }
        }
    }

    private static func element(
        _ cursor: inout JSONCursor, isFirst: Bool, _ bytes: Span<UInt8>
    ) throws(IdentityError) -> JSONValue? {
        do throws(JSONError) {
            if isFirst { try cursor.beginArray(bytes) }
            return try cursor.nextElement(bytes)
        } catch {
            throw IdentityError(text: "user_data.watchlist: " + error.text)
        }
    }
}

/// The members both texts share. A null is absent; a member given twice is refused, because it names two people.
private struct IdentityMembers {
    var id: JSONValue?
    var info: JSONValue?
    var watchlist: JSONValue?

    init(_ bytes: Span<UInt8>, name: StaticString, idName: StaticString) throws(IdentityError) {
        var twice: StaticString?
        do throws(JSONError) {
            var cursor = JSONCursor()
            try cursor.beginObject(bytes)
            while let (key, value) = try cursor.nextMember(bytes) {
                if JSON.equals(key, idName, in: bytes) {
                    if id != nil { twice = idName }
                    id = value
                } else if JSON.equals(key, "user_info", in: bytes) {
                    if info != nil { twice = "user_info" }
                    info = value
                } else if JSON.equals(key, "watchlist", in: bytes) {
                    if watchlist != nil { twice = "watchlist" }
                    watchlist = value
                }
            }
            try cursor.finish(bytes)
        } catch {
            throw IdentityError(text: "\(name): " + error.text)
        }
        if let twice { throw IdentityError(text: "\(name).\(twice) is given twice") }
        if info?.kind == .null { info = nil }
        if watchlist?.kind == .null { watchlist = nil }
    }
}
