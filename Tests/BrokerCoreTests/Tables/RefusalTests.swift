@testable import BrokerCore
import PusherProtocol
import Testing

/// What is said about each refusal: code and text for the client, kind for the log.
@Suite("Refusals") struct RefusalTests {
    struct Row: CustomTestStringConvertible {
        var refusal: any ClientRefusal
        var code: Int?
        var kind: Notes.Kind
        var text: String
        var testDescription: String { String(describing: refusal) }

        init(_ refusal: any ClientRefusal, _ code: Int?, _ kind: Notes.Kind, _ text: String) {
            (self.refusal, self.code, self.kind, self.text) = (refusal, code, kind, text)
        }
    }

    static let rows = [
        Row(MessageRefusal.unreadable("why"), nil, .messageRefused, "why"),
        Row(MessageRefusal.overloaded, nil, .messageRefused, "The server is overloaded; subscribe again later"),
        Row(SignInRefusal.unreadable("why"), 4009, .signInRefused, "why"),
        Row(SignInRefusal.missingUserData, 4009, .signInRefused, "Missing parameter: data.user_data"),
        Row(SignInRefusal.signature("why"), 4009, .signInRefused, "why"),
        Row(
            SignInRefusal.otherUser, 4009, .signInRefused,
            "This connection is signed in as another user; a new identity needs a new connection"),
        Row(
            SignInRefusal.watchlistTooLong(limit: 3), 4302, .signInRefused,
            "The watchlist is longer than 3; only the first ones are watched"),
        Row(
            ClientEventRefusal.disabled, 4301, .clientEventRefused,
            "Client events are off for this app; set clientEvents to true"),
        Row(
            ClientEventRefusal.nameTooLong(characters: 201, charactersMax: 200), 4301, .clientEventRefused,
            "The event name has 201 characters; the limit is 200"),
        Row(
            ClientEventRefusal.wrongChannel, 4301, .clientEventRefused,
            "Client events are taken only on private and presence channels, not encrypted ones"),
        Row(
            ClientEventRefusal.notSubscribed(channel: Array("private-a".utf8)), nil, .clientEventRefused,
            "Cannot send a client event: not subscribed to private-a"),
        Row(
            ClientEventRefusal.dataTooLarge(bytes: 11, bytesMax: 10), 4301, .clientEventRefused,
            "The client event's data has 11 bytes; the limit is 10"),
        Row(
            ClientEventRefusal.rate(limit: 10), 4301, .clientEventRefused,
            "More than 10 client events a second; this one was dropped"),
        Row(
            ClientEventRefusal.overloaded, 4301, .clientEventRefused,
            "The server is overloaded; this event was dropped"),
        Row(
            ClientEventRefusal.dailyQuota(limit: 5), 4301, .clientEventRefused,
            "The app's 5 messages of this day are used up"),
        Row(SubscriptionRefusal.auth("why"), nil, .subscriptionRefused, "why"),
        Row(SubscriptionRefusal.unreadable("why"), nil, .subscriptionRefused, "why"),
        Row(
            SubscriptionRefusal.name(.tooLong(bytesMax: 9)), nil, .subscriptionRefused,
            "a channel name has at most 9 bytes"),
        Row(
            SubscriptionRefusal.foreignUserChannel(userID: Array("u1".utf8)), nil, .subscriptionRefused,
            "This connection is not signed in as u1: only that user may subscribe to its server-to-user channel"),
        Row(
            SubscriptionRefusal.missingChannelData, 4302, .subscriptionRefused,
            "channel_data is missing: a presence channel needs one with a user_id, or a signed-in connection"),
        Row(SubscriptionRefusal.channelData("why"), 4302, .subscriptionRefused, "why"),
        Row(
            SubscriptionRefusal.memberTooLarge(bytes: 9, bytesMax: 8), 4301, .subscriptionRefused,
            "channel_data has 9 bytes; the limit is 8"),
        Row(
            SubscriptionRefusal.tooManySubscriptions(limit: 2), 4100, .subscriptionRefused,
            "This connection has 2 subscriptions, the most it may have"),
        Row(
            SubscriptionRefusal.join(.presenceFull(limit: 2)), 4100, .subscriptionRefused,
            "The channel has 2 members, the most it may have"),
        Row(
            SubscriptionRefusal.join(.tooManyChannels(limit: 2)), 4100, .subscriptionRefused,
            "The app has 2 channels, the most it may have"),
        Row(
            SubscriptionRefusal.otherMember, nil, .subscriptionRefused,
            "This connection is in the channel as another user; unsubscribe first"),
    ]

    @Test(arguments: rows) func saysItsCodeItsTextAndItsKind(_ row: Row) {
        #expect(row.refusal.code.map { Int($0.rawValue) } == row.code)
        #expect(row.refusal.text == row.text)
        #expect(row.refusal.noteKind == row.kind)
    }

    /// The statuses beside the codes (Pusher protocol §3.4; PW-063, PW-078, PW-079).
    @Test(
        arguments: [
            (SubscriptionRefusal.auth(""), SubscriptionFailure.auth), (.otherMember, .auth),
            (.unreadable(""), .invalidName),
            (.name(.reserved), .invalidName), (.name(.empty), .invalidName),
            (.name(.illegalByte(0, at: 0)), .invalidName), (.name(.tooLong(bytesMax: 1)), .nameTooLong),
            (.name(.userIDTooLong(charactersMax: 1)), .nameTooLong), (.foreignUserChannel(userID: []), .auth),
            (.channelData(""), .channelData), (.missingChannelData, .channelData),
            (.memberTooLarge(bytes: 1, bytesMax: 0), .memberTooLarge), (.tooManySubscriptions(limit: 1), .limitReached),
            (.join(.presenceFull(limit: 1)), .presenceFull), (.join(.tooManyChannels(limit: 1)), .limitReached),
        ])
    func aRefusedSubscriptionIsAFailureOfTheProtocol(_ refusal: SubscriptionRefusal, _ failure: SubscriptionFailure) {
        #expect(refusal.failure == failure)
        #expect(refusal.code.map { Int($0.rawValue) } == failure.code)
    }

    @Test func aPublishThatIsRefusedIsAnsweredByItsStatus() {
        let answers = [LoopBroker.PublishRefusal.rate(limit: 1), .dailyQuota(limit: 1), .overloaded].map(\.answer)
        #expect(answers.map(\.status) == [429, 403, 503])
        #expect(answers[2].text == "The server is overloaded; try again soon")
    }
}
