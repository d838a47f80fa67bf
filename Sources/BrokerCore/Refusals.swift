public import PusherProtocol
internal import Wire

/// Why the broker refuses something, with all that is said about it: the code and the text for who asked, the kind and the code for
/// the log. Every refusal of the broker is a case of an enum of this file; the connection stays open.
protocol ClientRefusal: Error {
    /// The code of the `pusher:error`; nil is sent as `null`.
    var code: PusherErrorCode? { get }
    /// What to change, for the developer who reads the client's console.
    var text: String { get }
    /// Under which kind the log counts it.
    var noteKind: Notes.Kind { get }
}

/// A message that asks for nothing the broker could do (Pusher protocol §2.1).
enum MessageRefusal: ClientRefusal {
    case unreadable(String)
    /// A repeated subscribe is answered through the loop's own queue, which takes no more.
    case overloaded

    var code: PusherErrorCode? { nil }
    var noteKind: Notes.Kind { .messageRefused }
    var text: String {
        switch self {
        case .unreadable(let text): text
        case .overloaded: "The server is overloaded; subscribe again later"
        }
    }
}

/// Why a subscription is refused, as the client is told in the app's dialect (Pusher protocol §3.4).
enum SubscriptionRefusal: ClientRefusal {
    case unreadable(String)
    case name(ChannelNameError)
    /// A user channel of somebody else, or of a connection that is not signed in (PW-112).
    case foreignUserChannel(userID: [UInt8])
    case auth(String)
    case channelData(String)
    case missingChannelData
    case memberTooLarge(bytes: Int, bytesMax: Int)
    case identity(IdentityError)
    case tooManySubscriptions(limit: Int)
    case join(JoinRefusal)
    /// A repeated subscribe that names another member.
    case otherMember

    var noteKind: Notes.Kind { .subscriptionRefused }

    var failure: SubscriptionFailure {
        switch self {
        case .unreadable: .invalidName
        case .name(.tooLong), .name(.userIDTooLong): .nameTooLong
        case .name(.empty), .name(.illegalByte), .name(.reserved): .invalidName
        case .foreignUserChannel, .auth, .otherMember: .auth
        case .channelData, .missingChannelData: .channelData
        case .memberTooLarge: .memberTooLarge
        case .identity(let error): error.isIDTooLong ? .memberTooLarge : .channelData
        case .join(.presenceFull): .presenceFull
        case .tooManySubscriptions, .join(.tooManyChannels): .limitReached
        }
    }

    var code: PusherErrorCode? {
        guard let number = failure.code else { return nil }
        guard let code = UInt16(exactly: number).flatMap(PusherErrorCode.init) else {
            preconditionFailure("the number of a failure is one of the protocol's codes")
        }
        return code
    }

    var text: String {
        switch self {
        case .unreadable(let text), .auth(let text), .channelData(let text): text
        case .name(let error): error.text
        case .identity(let error): error.text
        case .foreignUserChannel(let userID):
            "This connection is not signed in as \(String(decoding: userID, as: UTF8.self)): "
                + "only that user may subscribe to its server-to-user channel"
        case .missingChannelData:
            "channel_data is missing: a presence channel needs one with a user_id, or a signed-in connection"
        case .memberTooLarge(let bytes, let bytesMax): "channel_data has \(bytes) bytes; the limit is \(bytesMax)"
        case .tooManySubscriptions(let limit): "This connection has \(limit) subscriptions, the most it may have"
        case .join(.presenceFull(let limit)): "The channel has \(limit) members, the most it may have"
        case .join(.tooManyChannels(let limit)): "The app has \(limit) channels, the most it may have"
        case .otherMember: "This connection is in the channel as another user; unsubscribe first"
        }
    }
}

/// Why the registry refuses a join. Small, for it is part of every answer of the registry.
enum JoinRefusal {
    case presenceFull(limit: Int)
    case tooManyChannels(limit: Int)
}

/// Why a sign-in fails: always 4009 (Pusher protocol §5.1). Or what of it was left out.
enum SignInRefusal: ClientRefusal {
    case unreadable(String)
    case missingUserData
    case signature(String)
    case identity(IdentityError)
    case otherUser
    /// The connection is signed in, and watches only the first ones.
    case watchlistTooLong(limit: Int)

    var noteKind: Notes.Kind { .signInRefused }

    var code: PusherErrorCode? {
        switch self {
        case .unreadable, .missingUserData, .signature, .identity, .otherUser: .unauthorized
        case .watchlistTooLong: .watchlistTooLong
        }
    }

    var text: String {
        switch self {
        case .unreadable(let text), .signature(let text): text
        case .identity(let error): error.text
        case .missingUserData: "Missing parameter: data.user_data"
        case .otherUser: "This connection is signed in as another user; a new identity needs a new connection"
        case .watchlistTooLong(let limit):
            "The watchlist is longer than \(limit); only the first ones are watched"
        }
    }
}

/// Why a client's event is dropped, in the order of the checks (Pusher protocol §4).
enum ClientEventRefusal: ClientRefusal {
    case disabled
    case nameTooLong(characters: Int, charactersMax: Int)
    case wrongChannel
    case notSubscribed(channel: [UInt8])
    case dataTooLarge(bytes: Int, bytesMax: Int)
    case rate(limit: Int)
    case overloaded
    case dailyQuota(limit: Int)

    var noteKind: Notes.Kind { .clientEventRefused }

    var code: PusherErrorCode? {
        switch self {
        case .notSubscribed: nil
        case .disabled, .nameTooLong, .wrongChannel, .dataTooLarge, .rate, .overloaded, .dailyQuota:
            .clientEventRejected
        }
    }

    var text: String {
        switch self {
        case .disabled: "Client events are off for this app; set clientEvents to true"
        case .nameTooLong(let characters, let charactersMax):
            "The event name has \(characters) characters; the limit is \(charactersMax)"
        case .wrongChannel: "Client events are taken only on private and presence channels, not encrypted ones"
        case .notSubscribed(let channel):
            "Cannot send a client event: not subscribed to \(String(decoding: channel, as: UTF8.self))"
        case .dataTooLarge(let bytes, let bytesMax):
            "The client event's data has \(bytes) bytes; the limit is \(bytesMax)"
        case .rate(let limit): "More than \(limit) client events a second; this one was dropped"
        case .overloaded: "The server is overloaded; this event was dropped"
        case .dailyQuota(let limit): "The app's \(limit) messages of this day are used up"
        }
    }
}

extension LoopBroker {
    /// Why the app may not publish or ask now. The log is the HTTP API's business, as its answer is.
    public enum PublishRefusal: Error, Equatable {
        /// Too many events this second; come back within a second.
        case rate(limit: Int)
        /// The day's messages are used up.
        case dailyQuota(limit: Int)
        /// A loop is too far behind to take more.
        case overloaded

        /// The answer to the request (Pusher protocol §6.9).
        public var answer: APIError {
            switch self {
            case .rate(let limit):
                APIError(status: 429, text: "More than \(limit) a second for this app; try again in a second")
            case .dailyQuota(let limit):
                APIError(status: 403, text: "The app's \(limit) messages of this day are used up")
            case .overloaded: APIError(status: 503, text: "The server is overloaded; try again soon")
            }
        }
    }
}

/// Why the broker ends a connection: the app asked for it (Pusher protocol §5.5).
enum Termination {
    static let code = PusherErrorCode.unauthorized
    static let text = "The connection was ended by the app"
}

/// How a refusal is told. It is noted in the same step, so that none is told without.
extension LoopBroker {
    /// Refuses what a client asked for by a `pusher:error` frame.
    func refuse(slot: UInt32, _ refusal: some ClientRefusal) {
        effects.notes.add(refusal.noteKind, slot, code: refusal.code.map { Int($0.rawValue) }, refusal.text)
        errorFrame(slot: slot, refusal.code, refusal.text)
    }

    /// Refuses a subscription in the app's dialect; never closes (PW-056, PW-063, PW-064).
    func refuse(slot: UInt32, channel: Span<UInt8>, _ refusal: SubscriptionRefusal) {
        effects.notes.add(refusal.noteKind, slot, code: refusal.failure.status, channel: channel, refusal.text)
        var literal: [UInt8] = []
        JSON.appendQuoted(channel, to: &literal)
        tell(slot: slot, channelLiteral: literal.span, refusal)
    }

    /// The same for a channel given as a JSON string literal, because it cannot be read.
    func refuse(slot: UInt32, channelLiteral: Span<UInt8>, _ refusal: SubscriptionRefusal) {
        effects.notes.add(refusal.noteKind, slot, code: refusal.failure.status, refusal.text)
        tell(slot: slot, channelLiteral: channelLiteral, refusal)
    }

    private func tell(slot: UInt32, channelLiteral: Span<UInt8>, _ refusal: SubscriptionRefusal) {
        let dialect = app(of: slot).settings.subscriptionErrors
        if dialect != .hosted {
            effects.frame(to: slot) {
                ServerFrame.subscriptionError(
                    channelLiteral: channelLiteral, refusal.failure, error: refusal.text, to: &$0)
            }
        }
        guard dialect != .soketi else { return }
        errorFrame(slot: slot, refusal.code, refusal.text)
    }

    /// A `pusher:error` frame.
    func errorFrame(slot: UInt32, _ code: PusherErrorCode?, _ text: String) {
        effects.frame(to: slot) { ServerFrame.error(code: code.map { Int($0.rawValue) }, message: text, to: &$0) }
    }
}
