public import BrokerCore

extension ServerSettings {
    /// The most frame bytes that one API request can have sent to a connection for each channel it is in.
    ///
    /// A literal of JSON is at most six times as long as its text, and data that is no string at most twice as long as in the body.
    func requestFrameBytesMax(_ limits: AppLimits) -> Int {
        let events = limits.batchEventsMax
        let names = 12 * limits.eventNameCharactersMax + 6 * limits.channelNameBytesMax + 64
        return min(events * 6 * limits.eventDataBytesMax, 2 * requestBodyBytesMax) + events * names
    }

    /// Unsent bytes that a connection with so many subscriptions may have: `backlogBytesMax`, but never less than two of the largest requests
    /// of its app come to, so that nobody is slow who only looks away for a moment.
    ///
    /// What all connections together may have (`backlogTotalBytesMax`) holds beside it.
    public func backlogBytes(_ limits: AppLimits, subscriptions: Int) -> Int {
        let channels = max(1, min(subscriptions, limits.eventChannelsMax))
        let (needed, isTooMuch) = (2 * requestFrameBytesMax(limits)).multipliedReportingOverflow(by: channels)
        return isTooMuch ? .max : max(backlogBytesMax, needed)
    }
}
