import BrokerCore
import PusherProtocol

@testable import Webhooks

/// An `EdgeStory` and hand-made edges, in milliseconds since the stage was set.
final class StoryStage {
    let shared: SharedBroker
    let consumer: EdgeConsumer
    var story: EdgeStory
    private var number: UInt64 = 0

    /// - Parameter kinds: what is followed of each of two apps.
    init(_ kinds: WebhookKinds = StoryStage.everything, returnMilliseconds: Int = 3_000, waitsMax: Int = 1_000) {
        let settings = ["a", "b"].map { AppSettings(id: $0, keys: [.init(key: "key-\($0)", secret: "secret")]) }
        shared = SharedBroker(
            settings: settings, loopCount: 1,
            secrets: BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4)), headroomBytes: 0)
        guard let consumer = shared.registerConsumer(queueBytesMax: 1 << 20, wake: {}) else {
            preconditionFailure("five consumers can register")
        }
        self.consumer = consumer
        story = EdgeStory(returnMilliseconds: returnMilliseconds, waitsMax: waitsMax)
        for app in shared.apps { story.follow(kinds, of: app, by: consumer) }
        read()
    }

    static let everything = WebhookKinds(rawValue: WebhookKind.allCases.reduce(0) { $0 | WebhookKinds($1).rawValue })

    /// Reads what the story wants to read, and lets it know that no edge from before waits.
    func read() {
        while story.mustRead { story.read(shared) }
        story.tookAll(lost: 0)
    }

    /// An edge at a moment.
    /// - Returns: what is told now.
    @discardableResult
    func at(
        _ milliseconds: UInt64, _ channel: String, _ change: ChannelEdge.Change, app: Int = 0, lost: UInt64 = 0
    ) -> [String] {
        number += 1
        story.take(
            ChannelEdge(
                app: app, channel: Array(channel.utf8), change: change, number: number, milliseconds: milliseconds),
            lost: lost)
        return told()
    }

    /// Time passes.
    /// - Returns: what is told now.
    @discardableResult
    func wait(until milliseconds: UInt64) -> [String] {
        story.advance(to: milliseconds)
        return told()
    }

    /// `member_added presence-a u1`, and the app where it is not the first.
    func told() -> [String] { happenings().map(Self.text) }

    func happenings() -> [Happening] {
        var all: [Happening] = []
        story.takeReady { all.append($0) }
        return all
    }

    static func text(_ one: Happening) -> String {
        var words = [one.kind.name]
        if !one.channel.isEmpty { words.append(String(decoding: one.channel, as: UTF8.self)) }
        switch one.payload {
        case .user(let id): words.append(String(decoding: id, as: UTF8.self))
        case .count(let count): words.append("\(count)")
        case .none, .clientEvent, .refusal, .slowConsumer: break
        }
        if one.app > 0 { words.append("of \(one.app)") }
        return words.joined(separator: " ")
    }
}

extension ChannelEdge.Change {
    static func added(_ user: String) -> Self { .memberAdded(userID: Array(user.utf8), userInfo: nil) }
    static func removed(_ user: String, _ leave: ChannelEdge.Leave = .disconnected) -> Self {
        .memberRemoved(userID: Array(user.utf8), leave)
    }
}
