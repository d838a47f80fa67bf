internal import Wire

/// Why an HTTP API call is refused: the status and the sentence that says what to change (Pusher protocol §6.9, PW-138).
public struct APIError: Error, Equatable, Sendable {
    /// 400, 401 or 413 when thrown in this room.
    public var status: Int
    /// For the developer; goes into the body of the reply.
    public var text: String

    /// A refusal with the status and the sentence given.
    public init(status: Int, text: String) { (self.status, self.text) = (status, text) }

    static func invalid(_ text: String) -> Self { Self(status: 400, text: text) }
}

/// The bounds of what a publisher may send (Pusher protocol §11).
public struct PayloadLimits: Sendable, Equatable {
    /// Bytes of a channel's name.
    public var channelNameBytesMax: Int
    /// Unicode scalars of the user id in a user channel's name.
    public var userIDCharactersMax: Int
    /// Unicode scalars of an event's name.
    public var eventNameCharactersMax: Int
    /// Bytes of `data` after JSON unescaping.
    public var eventDataBytesMax: Int
    /// Channels in one event.
    public var eventChannelsMax: Int
    /// Events in one batch.
    public var batchEventsMax: Int

    /// The bounds of one app; the defaults are those of Pusher protocol §11.
    public init(
        channelNameBytesMax: Int = 200, userIDCharactersMax: Int = UserID.charactersMaxDefault,
        eventNameCharactersMax: Int = 200, eventDataBytesMax: Int = 10_240, eventChannelsMax: Int = 100,
        batchEventsMax: Int = 10
    ) {
        self.channelNameBytesMax = channelNameBytesMax
        self.userIDCharactersMax = userIDCharactersMax
        self.eventNameCharactersMax = eventNameCharactersMax
        self.eventDataBytesMax = eventDataBytesMax
        self.eventChannelsMax = eventChannelsMax
        self.batchEventsMax = batchEventsMax
    }
}

/// The attributes a caller asks for with `info` (Pusher protocol §6.5, §6.7).
public struct ChannelInfo: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let userCount = ChannelInfo(rawValue: 1)
    public static let subscriptionCount = ChannelInfo(rawValue: 2)
    public static let cache = ChannelInfo(rawValue: 4)

    /// Reads a comma list; spaces around a name are ignored, and so is an empty text. Throws 400 for a name not in `allowed` (PW-148).
    static func parse(_ text: Span<UInt8>, allowed: ChannelInfo, label: String) throws(APIError) -> ChannelInfo {
        var info: ChannelInfo = [], start = 0
        while start <= text.count {
            var end = start
            while end < text.count, text[end] != UInt8(ascii: ",") { end += 1 }
            var word = start..<end
            while !word.isEmpty, text[word.lowerBound] == 0x20 { word = word.lowerBound + 1..<word.upperBound }
            while !word.isEmpty, text[word.upperBound - 1] == 0x20 { word = word.lowerBound..<word.upperBound - 1 }
            start = end + 1
            guard !word.isEmpty else { continue }
            let name = text.extracting(word)
            let attribute: ChannelInfo =
                if name.equals("user_count") { .userCount } else if name.equals("subscription_count") {
                    .subscriptionCount
                } else if name.equals("cache") { .cache } else { [] }
            guard !attribute.isEmpty, allowed.contains(attribute) else {
                let known = "user_count, subscription_count" + (allowed.contains(.cache) ? ", cache" : "")
                throw .invalid("\(label): unknown attribute '\(name.excerpt(bytesMax: 64))'; known are \(known)")
            }
            info.insert(attribute)
        }
        return info
    }
}
