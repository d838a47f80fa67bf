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
