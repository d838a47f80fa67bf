public import PusherProtocol

/// One thing that happened, as receivers are told it: made once, kept, and sent until it was taken.
public struct WebhookEvent: Sendable, Equatable {
    /// Its name for ever, in `X-Starling-Event-Id`. Whoever gets it twice was told twice, not that it happened twice.
    public struct ID: Sendable, Hashable, Comparable {
        /// Random, of the process that saw it happen, so that a number whose record was lost with the power is not used again.
        public var run: UInt64
        /// Its place in the order of all events; grows over restarts.
        public var number: UInt64

        public init(run: UInt64, number: UInt64) { (self.run, self.number) = (run, number) }

        public static func < (first: Self, second: Self) -> Bool {
            (first.number, first.run) < (second.number, second.run)
        }
    }

    public var id: ID
    public var kind: WebhookKind
    /// The app's id: its number is another one after a restart.
    public var app: String
    /// Empty for what is about no channel.
    public var channel: [UInt8]
    /// When it happened, in milliseconds since 1970.
    public var unixMilliseconds: Int64
    /// The event's object in the envelope's `events`, as JSON.
    public var json: [UInt8]

    public init(
        id: ID, kind: WebhookKind, app: String, channel: [UInt8], unixMilliseconds: Int64, json: [UInt8]
    ) {
        (self.id, self.kind, self.app, self.channel) = (id, kind, app, channel)
        (self.unixMilliseconds, self.json) = (unixMilliseconds, json)
    }

    /// What it counts in a queue: its texts and what the array, the record and a place in a queue cost besides.
    public var keptBytes: Int { 160 + app.utf8.count + channel.count + json.count }
}

extension WebhookEvent.ID: CustomStringConvertible {
    /// `3f9c1a2b4d5e6f70-1a2`.
    public var description: String {
        let run = String(run, radix: 16)
        return String(repeating: "0", count: 16 - run.utf8.count) + run + "-" + String(number, radix: 16)
    }

    /// - Returns: nil when it is not in the form of `description`.
    public init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count == 16, let run = UInt64(parts[0], radix: 16),
            let number = UInt64(parts[1], radix: 16)
        else { return nil }
        self.init(run: run, number: number)
        guard description == text else { return nil }
    }
}
