import BrokerCore
import PusherProtocol
import TestSupport
import Testing

@testable import Webhooks

/// Edges that are lost, and channels that were there before their app's webhooks.
@Suite("What edges did not tell") struct LossTests {
    /// A world of one client for each subscription, and a story whose consumer may be told to lose edges.
    private final class Stage {
        let world: StoryWorld
        let consumer: EdgeConsumer
        var story = EdgeStory(returnMilliseconds: 3_000)
        private var random = SeededRandom(seed: 1)

        init(bytesMax: Int = 1 << 20, isFollowed: Bool = true) throws {
            world = StoryWorld(loops: 1, random: &random)
            let registered = world.shared.registerConsumer(queueBytesMax: bytesMax, wake: {})
            consumer = try #require(registered)
            if isFollowed { follow() }
        }

        func follow(_ kinds: WebhookKinds = StoryStage.everything) {
            story.follow(kinds, of: world.shared.apps[0], by: consumer)
        }

        func come(_ channel: String, _ user: String? = nil) -> Int { world.come(channel, user) }

        func leave(_ id: Int) {
            world.close(id)
            world.settle(0, limit: .max)
        }

        /// A turn of the service.
        func turn(after milliseconds: UInt64 = 0, reads: Bool = true) -> [String] {
            world.pass(milliseconds)
            story.take(from: consumer)
            story.advance(to: world.now)
            while reads, story.mustRead { story.read(world.shared) }
            var told: [String] = []
            story.takeReady { told.append(StoryStage.text($0)) }
            return told
        }
    }

    /// What one edge takes that says that a channel is occupied; nothing else fits beside it.
    private static let oneEdge = ChannelEdge(
        app: 0, channel: Array("presence-a".utf8), change: .occupied, number: 1, milliseconds: 0
    ).queueBytes

    @Test func whatWasThereBeforeIsNotToldButItsEndIs() throws {
        let stage = try Stage(isFollowed: false)
        let first = [stage.come("open-a"), stage.come("presence-a", "u0")]
        stage.follow()
        #expect(stage.turn().isEmpty && stage.turn().isEmpty)
        let second = stage.come("presence-a", "u1")
        #expect(stage.turn() == ["member_added presence-a u1"])
        for id in first + [second] { stage.leave(id) }
        #expect(stage.turn().isEmpty)
        #expect(
            stage.turn(after: 3_000) == [
                "channel_vacated open-a", "member_removed presence-a u0", "member_removed presence-a u1",
                "channel_vacated presence-a",
            ])
        #expect(stage.story.channelsKnown == 0)
    }

    @Test(arguments: [true, false])
    func whatComesWhileAnAppIsReadIsTold(isReadFirst: Bool) throws {
        let stage = try Stage(isFollowed: false)
        let old = stage.come("open-a")
        stage.follow()
        // Its edge waits while the registry is read.
        let fresh = stage.come("presence-a", "u0")
        if isReadFirst { while stage.story.mustRead { stage.story.read(stage.world.shared) } }
        #expect(stage.turn() == ["channel_occupied presence-a", "member_added presence-a u0"])
        stage.leave(fresh)
        stage.leave(old)
        _ = stage.turn()
        #expect(
            stage.turn(after: 3_000) == [
                "member_removed presence-a u0", "channel_vacated presence-a", "channel_vacated open-a",
            ])
    }

    @Test func aKindThatIsAddedLaterTakesUpWhatIsThere() throws {
        let stage = try Stage(isFollowed: false)
        stage.follow(WebhookKinds(.channelOccupied))
        let id = stage.come("presence-a", "u0")
        #expect(stage.turn() == ["channel_occupied presence-a"])
        stage.follow([WebhookKinds(.channelOccupied), WebhookKinds(.memberRemoved)])
        #expect(stage.turn().isEmpty && stage.turn().isEmpty)
        stage.leave(id)
        #expect(stage.turn().isEmpty && stage.turn(after: 3_000) == ["member_removed presence-a u0"])
        stage.follow(WebhookKinds(.memberRemoved))
        #expect(stage.turn().isEmpty && stage.story.channelsKnown == 0)
    }

    @Test func whatIsLostIsReadAgainAndToldOnce() throws {
        let stage = try Stage(bytesMax: Self.oneEdge)
        _ = stage.turn()
        let ids = [stage.come("open-a"), stage.come("open-b"), stage.come("presence-a", "u0")]
        #expect(
            Set(stage.turn()) == [
                "channel_occupied open-a", "channel_occupied open-b", "channel_occupied presence-a",
                "member_added presence-a u0",
            ])
        #expect(stage.story.counts.lost == 3 && stage.story.comparisons == 1)
        #expect(stage.turn(after: 2_000).isEmpty)
        for id in ids { stage.leave(id) }
        #expect(stage.turn().isEmpty, "how they left is not known")
        let gone = stage.turn(after: 3_000)
        #expect(gone.count == 4 && stage.story.comparisons == 2)
        #expect(
            (gone.firstIndex(of: "member_removed presence-a u0") ?? 9)
                < (gone.firstIndex(of: "channel_vacated presence-a") ?? 0))
        #expect(stage.story.channelsKnown == 0)
    }

    @Test func comparisonsAreASecondApart() throws {
        let stage = try Stage(bytesMax: Self.oneEdge)
        _ = stage.turn()
        for channel in ["open-a", "open-b"] { _ = stage.come(channel) }
        #expect(stage.turn().count == 2)
        for channel in ["presence-a", "presence-b"] { _ = stage.come(channel, "u0") }
        #expect(stage.turn(after: 999) == ["channel_occupied presence-a"])
        #expect(stage.story.nextDue == stage.world.now + 1 && !stage.story.mustRead)
        #expect(stage.turn(after: 1).count == 3 && stage.story.comparisons == 2 && stage.story.nextDue == nil)
    }

    /// An edge that is older than what was read says nothing new.
    @Test func edgesThatWaitWhileTheRegistryIsReadAreNotToldTwice() throws {
        let stage = try Stage()
        _ = stage.turn()
        let id = stage.come("open-a")
        stage.leave(id)
        _ = stage.come("open-a")
        stage.story.tookAll(lost: 1)
        while stage.story.mustRead { stage.story.read(stage.world.shared) }
        #expect(stage.turn() == ["channel_occupied open-a"])
        #expect(stage.turn(after: 9_000).isEmpty && stage.story.suppressed == 0)
    }

    @Test func aMemberWhoseComingAndGoingWereLostIsCorrected() throws {
        let stage = try Stage(bytesMax: 1 << 20)
        _ = stage.turn()
        let first = stage.come("presence-a", "u0")
        _ = stage.come("presence-a", "u1")
        _ = stage.turn()
        stage.consumer.setInterest([], in: stage.world.shared.apps[0])
        stage.leave(first)
        _ = stage.come("presence-a", "u2")
        stage.story.tookAll(lost: 2)
        #expect(stage.turn() == ["member_added presence-a u2"])
        #expect(stage.turn(after: 3_000) == ["member_removed presence-a u0"])
        #expect(stage.turn(after: 9_000).isEmpty)
    }

    /// Then it is not known what was there before: it is told as what is there now.
    @Test func aLossWhileAnAppIsReadEndsTheAssumptions() throws {
        let stage = try Stage(isFollowed: false)
        _ = stage.come("open-a")
        stage.follow()
        stage.story.tookAll(lost: 1)
        #expect(stage.turn() == ["channel_occupied open-a"])
        #expect(stage.turn(after: 2_000).isEmpty)
    }
}
