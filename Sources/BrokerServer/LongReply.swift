internal import BrokerCore
internal import PusherProtocol

/// A list that is longer than one turn may make: what comes next, and what is made and not sent.
struct LongReply {
    /// Where the list is read from.
    enum Source {
        case channels(app: App, StateRequest.Channels, nextPart: Int)
        case users([[UInt8]], next: Int)
    }

    private(set) var source: Source
    /// Made and not sent.
    var text: [UInt8]
    private var isFirst = true
    private(set) var isWhole = false

    /// - Parameter storage: empty; its memory is used for the text.
    init(_ source: Source, storage: consuming [UInt8] = []) {
        self.source = source
        text = storage
        switch source {
        case .channels: APIReply.channelsStart(to: &text)
        case .users: APIReply.usersStart(to: &text)
        }
    }

    /// What it holds of memory, about.
    var heldBytes: Int {
        guard case .users(let ids, _) = source else { return text.count }
        return text.count + ids.count * MemoryLayout<[UInt8]>.stride
    }

    /// Makes more of the text, until it has `textBytesMax` or `work` is used up.
    /// - Parameter work: channels and users that may still be looked at; a part of the registry is looked at as a whole.
    mutating func make(with broker: LoopBroker, textBytesMax: Int, work: inout Int) {
        switch source {
        case .channels(let app, let wanted, _):
            var listing = ChannelListing()
            while !isWhole, work > 0, text.count < textBytesMax {
                makeChannels(app, wanted, with: broker, work: &work, through: &listing)
            }
        case .users: makeUsers(textBytesMax: textBytesMax, work: &work)
        }
    }

    /// Makes the text of the next part.
    private mutating func makeChannels(
        _ app: App, _ wanted: StateRequest.Channels, with broker: LoopBroker, work: inout Int,
        through listing: inout ChannelListing
    ) {
        guard case .channels(_, _, let part) = source else { return }
        let lookedAt = broker.occupiedChannels(app: app, part: part, prefix: wanted.prefix.span, into: &listing)
        let (showsUsers, showsCount) = (wanted.info.contains(.userCount), wanted.info.contains(.subscriptionCount))
        listing.forEach { name, subscriptions, users in
            APIReply.append(
                channel: name, userCount: showsUsers ? users : nil,
                subscriptionCount: showsCount ? subscriptions : nil, isFirst: isFirst, to: &text)
            isFirst = false
        }
        // Also a part without a channel is a lock and a look.
        work -= lookedAt + 1
        source = .channels(app: app, wanted, nextPart: part + 1)
        guard part + 1 == LoopBroker.channelParts else { return }
        APIReply.channelsEnd(to: &text)
        isWhole = true
    }

    /// The part of `make` that needs no registry.
    mutating func makeUsers(textBytesMax: Int, work: inout Int) {
        guard case .users(let ids, var next) = source, !isWhole else { return }
        while next < ids.count, work > 0, text.count < textBytesMax {
            APIReply.append(user: ids[next], isFirst: next == 0, to: &text)
            next += 1
            work -= 1
        }
        source = .users(ids, next: next)
        guard next == ids.count else { return }
        APIReply.usersEnd(to: &text)
        source = .users([], next: 0)
        isWhole = true
    }
}
