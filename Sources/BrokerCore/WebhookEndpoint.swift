internal import Crypto
public import PusherProtocol
public import Wire

/// The name of an endpoint of an app: the same after a restart and after a reload that left its URL alone.
public struct WebhookEndpointID: Sendable, Hashable, Comparable {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    public static func < (first: Self, second: Self) -> Bool { first.value < second.value }
}

extension WebhookEndpointID: CustomStringConvertible {
    /// 16 digits of base 16, in lower case: what people and files call it by.
    public var description: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// - Returns: nil when it is not in the form of `description`.
    public init?(_ text: String) {
        guard text.utf8.count == 16, let value = UInt64(text, radix: 16) else { return nil }
        self.init(value)
        guard description == text else { return nil }
    }
}

extension WebhookEndpointID {
    /// The first eight bytes of the SHA-256 of `APP \0 URL \0 ORDINAL`, the ordinal in decimal, and, if it is for some channels only, of
    /// `\0 PREFIX \0 SUFFIX`: nothing but what makes an endpoint another one, so that it keeps its queue when its headers or times are changed.
    /// - Parameter ordinal: how many endpoints of the app before it have the same URL and the same channels.
    public init(app: String, url: WebURL, prefix: [UInt8] = [], suffix: [UInt8] = [], ordinal: Int) {
        var text = Array("\(app)\0\(url.text)\0\(ordinal)".utf8)
        if !prefix.isEmpty || !suffix.isEmpty { text += [0] + prefix + [0] + suffix }
        let digest = Digest.sha256(text.span)
        value = (0..<8).reduce(0) { $0 << 8 | UInt64(digest.bytes[$1]) }
    }
}

/// Where an app's webhooks go, and which. Checked.
///
/// Large, because it has a field for each option of an endpoint.
public struct WebhookEndpoint: Sendable, Equatable {
    /// From the app's id, the URL, the channels, and how many endpoints of the app before it have the same of both.
    public var id: WebhookEndpointID
    public var url: WebURL
    public var kinds = WebhookKinds.pusher
    /// Only channels that begin and end so; empty: all.
    public var channelPrefix: [UInt8] = []
    public var channelSuffix: [UInt8] = []
    /// Further header fields, in their order; none of those that we write ourselves.
    public var headers: [Header] = []
    /// How long an event waits for others to go with it; 0: each goes alone; 0...60000.
    public var batchMilliseconds = 0
    /// Events of one request at most; 1...1000.
    public var batchEventsMax = 10
    /// What an attempt may take from looking up the name to the end of the answer; 1...60.
    public var timeoutSeconds = 4
    /// Loopback, private and link-local addresses may be called.
    public var allowsPrivate = false
    /// PEM files of the certificate that we show, and of its key; empty: none.
    public var clientCertificate = ""
    public var clientKey = ""
    /// PEM file of the authorities that are believed instead of the machine's; empty: the machine's.
    public var authority = ""

    public struct Header: Sendable, Equatable {
        public var name: String
        public var value: String
        public init(name: String, value: String) { (self.name, self.value) = (name, value) }
    }

    public init(id: WebhookEndpointID, url: WebURL) { (self.id, self.url) = (id, url) }

    /// Whether it wants events of that kind on that channel. Events without a channel pass the filter of channels.
    public func wants(_ kind: WebhookKind, on channel: [UInt8]) -> Bool {
        kinds.contains(kind)
            && (channel.isEmpty
                || channel.starts(with: channelPrefix) && channel.reversed().starts(with: channelSuffix.reversed()))
    }
}
