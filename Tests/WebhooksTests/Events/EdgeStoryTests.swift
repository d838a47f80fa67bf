import BrokerCore
import PusherProtocol
import Testing

@testable import Webhooks

/// The three seconds (Pusher protocol §7.3; PW-169, PW-170, PW-171, PW-173).
@Suite("The story that edges tell") struct EdgeStoryTests {
    @Test func whoComesIsToldAtOnceInTheOrderOfTheEdges() {
        let stage = StoryStage()
        #expect(stage.at(0, "presence-a", .occupied) == ["channel_occupied presence-a"])
        #expect(stage.at(0, "presence-a", .added("u1")) == ["member_added presence-a u1"])
        #expect(stage.at(0, "presence-a", .occupied, app: 1) == ["channel_occupied presence-a of 1"])
        #expect(stage.story.nextDue == nil && stage.story.waiting == 0)
    }

    @Test func whoLosesItsConnectionIsToldWhenTheWaitIsOver() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        stage.at(0, "presence-a", .added("u1"))
        #expect(stage.at(100, "presence-a", .removed("u1")).isEmpty)
        #expect(stage.at(100, "presence-a", .vacated(.disconnected)).isEmpty)
        #expect(stage.story.nextDue == 3_100 && stage.wait(until: 3_099).isEmpty)
        stage.story.advance(to: 3_100)
        let gone = stage.happenings()
        #expect(gone.map(StoryStage.text) == ["member_removed presence-a u1", "channel_vacated presence-a"])
        #expect(gone.allSatisfy { $0.milliseconds == 100 }, "it happened when they left")
        #expect(stage.story.nextDue == nil && stage.wait(until: 99_999).isEmpty && stage.story.suppressed == 0)
    }

    @Test func whoLeavesByItselfIsToldAtOnce() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        stage.at(0, "presence-a", .added("u1"))
        #expect(stage.at(1, "presence-a", .removed("u1", .unsubscribed)) == ["member_removed presence-a u1"])
        #expect(stage.at(1, "presence-a", .vacated(.unsubscribed)) == ["channel_vacated presence-a"])
        #expect(stage.at(2, "presence-a", .occupied) == ["channel_occupied presence-a"])
    }

    @Test func whoIsBackInTimeWasNeverAway() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        stage.at(0, "presence-a", .added("u1"))
        for round in 1...3 as ClosedRange<UInt64> {
            let now = round * 3_000
            stage.at(now, "presence-a", .removed("u1"))
            stage.at(now, "presence-a", .vacated(.disconnected))
            #expect(stage.at(now + 2_999, "presence-a", .occupied).isEmpty)
            #expect(stage.at(now + 2_999, "presence-a", .added("u1")).isEmpty)
            #expect(stage.story.suppressed == 2 * round)
        }
        #expect(stage.wait(until: 99_999).isEmpty && stage.story.nextDue == nil)
        #expect(stage.at(100_000, "presence-a", .removed("u1", .unsubscribed)) == ["member_removed presence-a u1"])
    }

    @Test func whoIsBackWhenTheTimeIsOverIsToldAsGoneFirst() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        stage.at(0, "presence-a", .added("u1"))
        stage.at(0, "presence-a", .removed("u1"))
        stage.at(0, "presence-a", .vacated(.disconnected))
        // Nobody has looked at the time meanwhile.
        let back = stage.at(3_000, "presence-a", .occupied) + stage.at(3_000, "presence-a", .added("u1"))
        #expect(
            back == [
                "member_removed presence-a u1", "channel_vacated presence-a", "channel_occupied presence-a",
                "member_added presence-a u1",
            ])
        #expect(stage.story.suppressed == 0 && stage.wait(until: 9_999).isEmpty)
    }

    @Test func whoFlickersWaitsFromItsLastLeave() {
        let stage = StoryStage()
        stage.at(0, "open", .occupied)
        stage.at(0, "open", .vacated(.disconnected))
        stage.at(2_000, "open", .occupied)
        stage.at(2_500, "open", .vacated(.disconnected))
        #expect(stage.wait(until: 5_499).isEmpty, "the first wait is over, and means nothing")
        #expect(stage.wait(until: 5_500) == ["channel_vacated open"])
    }

    @Test func anotherMemberWhoComesMeanwhileIsToldAndTheChannelWasNeverEmpty() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        stage.at(0, "presence-a", .added("a"))
        stage.at(0, "presence-a", .removed("a"))
        stage.at(0, "presence-a", .vacated(.disconnected))
        #expect(stage.at(1_000, "presence-a", .occupied).isEmpty)
        #expect(stage.at(1_000, "presence-a", .added("b")) == ["member_added presence-a b"])
        #expect(stage.wait(until: 99_999) == ["member_removed presence-a a"])
    }

    @Test func aVacatedDoesNotOvertakeWhoMayStillComeBack() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        for user in ["a", "b"] { stage.at(0, "presence-a", .added(user)) }
        stage.at(1_000, "presence-a", .removed("a"))
        #expect(stage.at(2_000, "presence-a", .removed("b", .unsubscribed)) == ["member_removed presence-a b"])
        #expect(stage.at(2_000, "presence-a", .vacated(.unsubscribed)).isEmpty)
        #expect(stage.story.nextDue == 4_000)
        #expect(stage.wait(until: 4_000) == ["member_removed presence-a a", "channel_vacated presence-a"])
    }

    @Test func whoComesBackToAChannelThatWaitsForItKeepsItOccupied() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        for user in ["a", "b"] { stage.at(0, "presence-a", .added(user)) }
        stage.at(1_000, "presence-a", .removed("a"))
        stage.at(2_000, "presence-a", .removed("b", .unsubscribed))
        stage.at(2_000, "presence-a", .vacated(.unsubscribed))
        #expect((stage.at(3_999, "presence-a", .occupied) + stage.at(3_999, "presence-a", .added("a"))).isEmpty)
        #expect(stage.wait(until: 99_999).isEmpty && stage.story.suppressed == 2)
    }

    @Test func theChannelGoesWithTheLastOfSeveralWhoMayComeBack() {
        let stage = StoryStage()
        stage.at(0, "presence-a", .occupied)
        for user in ["a", "b"] { stage.at(0, "presence-a", .added(user)) }
        stage.at(1_000, "presence-a", .removed("a"))
        stage.at(2_000, "presence-a", .removed("b"))
        stage.at(2_000, "presence-a", .vacated(.disconnected))
        #expect(stage.wait(until: 4_999) == ["member_removed presence-a a"])
        #expect(stage.at(4_999, "presence-a", .occupied).isEmpty, "b could still come back")
        #expect(stage.wait(until: 5_000) == ["member_removed presence-a b"])
        #expect(stage.at(6_000, "presence-a", .vacated(.unsubscribed)) == ["channel_vacated presence-a"])
    }

    @Test func aUserIsOnlineThroughAReload() {
        let stage = StoryStage()
        let channel = "#server-to-user-7"
        #expect(stage.at(0, channel, .userOnline(userID: [0x37])) == ["user_online 7"])
        stage.at(1, channel, .userOffline(userID: [0x37]))
        #expect(stage.at(3_000, channel, .userOnline(userID: [0x37])).isEmpty)
        stage.at(3_000, channel, .userOffline(userID: [0x37]))
        #expect(stage.wait(until: 6_000) == ["user_offline 7"])
    }

    @Test func withoutAWaitEverybodyIsToldAtOnce() {
        let stage = StoryStage(returnMilliseconds: 0)
        stage.at(0, "presence-a", .occupied)
        stage.at(0, "presence-a", .added("a"))
        #expect(stage.at(1, "presence-a", .removed("a")) == ["member_removed presence-a a"])
        #expect(stage.at(1, "presence-a", .vacated(.disconnected)) == ["channel_vacated presence-a"])
        #expect(stage.story.waiting == 0)
    }

    @Test func anotherWaitHoldsForThoseWhoWaitAlready() {
        let stage = StoryStage(returnMilliseconds: 60_000)
        for name in ["open-a", "open-b"] { stage.at(0, name, .occupied) }
        stage.at(0, "open-a", .vacated(.disconnected))
        stage.story.returnMilliseconds = 1_000
        stage.at(500, "open-b", .vacated(.disconnected))
        #expect(stage.story.nextDue == 1_000)
        #expect(stage.wait(until: 1_000) == ["channel_vacated open-a"])
        #expect(stage.wait(until: 1_500) == ["channel_vacated open-b"])
    }

    @Test func theEndWaitsForNobody() {
        let stage = StoryStage()
        for name in ["presence-a", "presence-b"] {
            stage.at(0, name, .occupied)
            stage.at(0, name, .added("u"))
            stage.at(0, name, .removed("u"))
            stage.at(0, name, .vacated(.disconnected))
        }
        stage.at(1, "presence-b", .occupied)
        stage.story.releaseAll()
        #expect(
            stage.told() == [
                "member_removed presence-a u", "channel_vacated presence-a", "member_removed presence-b u",
            ])
        #expect(stage.story.waiting == 0 && stage.story.nextDue == nil)
    }

    @Test func whatPassesThroughPassesAsItIs() {
        let stage = StoryStage()
        let event = ChannelEdge.Event(json: [1, 2, 3], name: 0..<1, data: 1..<2, userID: [4], origin: .local)
        let edges: [(String, ChannelEdge.Change)] = [
            ("private-a", .clientEvent(event)), ("open", .subscriptionCount(7)), ("open", .published(event)),
        ]
        for (number, (channel, change)) in edges.enumerated() {
            stage.story.take(
                ChannelEdge(
                    app: 1, channel: Array(channel.utf8), change: change, number: 1, milliseconds: UInt64(number)))
        }
        let expected = [
            Happening(
                app: 1, kind: .clientEvent, channel: Array("private-a".utf8), milliseconds: 0,
                payload: .clientEvent(event)),
            Happening(
                app: 1, kind: .subscriptionCount, channel: Array("open".utf8), milliseconds: 1, payload: .count(7)),
        ]
        #expect(stage.happenings() == expected)
    }

    @Test func oneMissOfACacheIsToldInTenSeconds() {
        let stage = StoryStage()
        var told = (0..<10).flatMap { stage.at(UInt64($0), "cache-a", .cacheMiss) }
        #expect(told == ["cache_miss cache-a"])
        #expect(stage.at(1, "cache-a", .cacheMiss, app: 1) == ["cache_miss cache-a of 1"])
        #expect(stage.at(2, "cache-b", .cacheMiss) == ["cache_miss cache-b"])
        #expect(stage.at(9_999, "cache-a", .cacheMiss).isEmpty)
        told = (0..<3).flatMap { _ in stage.at(10_000, "cache-a", .cacheMiss) }
        #expect(told == ["cache_miss cache-a"])
    }

    @Test func moreCachesThanCanBeRememberedAreToldTwiceAndCounted() {
        let stage = StoryStage()
        for number in 0...CacheMisses.channelsMax { stage.at(0, "cache-\(number)", .cacheMiss) }
        #expect(stage.story.missesForgotten == 1)
        #expect(stage.at(1, "cache-1", .cacheMiss).isEmpty)
        #expect(stage.at(1, "cache-0", .cacheMiss) == ["cache_miss cache-0"])
    }

    @Test func eventsForOperatorsAreTenASecondAndCountTheRest() {
        let stage = StoryStage()
        let refusal = ChannelEdge.Change.connectionRefused(.init(code: 4004, reason: "full", address: "::1"))
        let told = (0..<25).flatMap { stage.at(1_000 + $0, "", refusal) }
        #expect(told.count == 10 && stage.story.counts.leftOut == 15)
        #expect(stage.at(1_500, "", refusal, app: 1) == ["connection_refused of 1"])
        let slow = ChannelEdge.Change.slowConsumer(
            .init(socketID: SocketID(high: 1, low: 2), reason: "slow", address: "::1", backlogBytes: 3))
        #expect(stage.at(1_500, "", slow) == ["slow_consumer"])
        for milliseconds in [2_000, 2_001] as [UInt64] {
            stage.story.take(
                ChannelEdge(app: 0, channel: [], change: refusal, number: 99, milliseconds: milliseconds))
        }
        #expect(stage.happenings().map(\.leftOut) == [15, 0])
    }

    @Test func whatNobodyWantsIsNotTold() {
        let stage = StoryStage([WebhookKinds(.memberAdded), WebhookKinds(.channelVacated)])
        #expect(stage.at(0, "presence-a", .occupied).isEmpty)
        #expect(stage.at(0, "presence-a", .added("u")) == ["member_added presence-a u"])
        #expect(stage.at(0, "cache-a", .cacheMiss).isEmpty)
        #expect(stage.at(1, "presence-a", .removed("u", .unsubscribed)).isEmpty)
        #expect(stage.at(1, "presence-a", .vacated(.unsubscribed)) == ["channel_vacated presence-a"])
    }

    @Test func anAppWhoseWebhooksAreGoneIsForgotten() {
        let stage = StoryStage()
        stage.at(0, "open", .occupied)
        stage.at(0, "open", .vacated(.disconnected))
        stage.story.follow([], of: stage.shared.apps[0], by: stage.consumer)
        #expect(stage.wait(until: 9_000).isEmpty && stage.at(9_001, "open", .occupied).isEmpty)
        stage.story.follow(.pusher, of: stage.shared.apps[0], by: stage.consumer)
        #expect(stage.at(9_002, "open", .vacated(.unsubscribed)) == ["channel_vacated open"], "it was there before")
    }

    /// The first to have left is told early, so that what waits is bounded.
    @Test func whenTooManyWaitTheFirstIsToldEarly() {
        let stage = StoryStage(waitsMax: 3_000)
        let told = (0...3_000).flatMap { number in
            stage.at(0, "open-\(number)", .occupied).filter { _ in false }
                + stage.at(0, "open-\(number)", .vacated(.disconnected))
        }
        #expect(told == ["channel_vacated open-0"])
        #expect(stage.story.waiting == 3_000 && stage.story.counts.releasedEarly == 1)
        #expect(stage.at(1, "open-0", .occupied) == ["channel_occupied open-0"])
        // Who is back makes room all the same: his wait is told to nobody.
        stage.at(2, "open-1", .occupied)
        #expect(stage.at(3, "open-0", .vacated(.disconnected)).isEmpty && stage.story.counts.releasedEarly == 1)
        #expect(stage.wait(until: 3_000).count == 2_999 && stage.wait(until: 9_000) == ["channel_vacated open-0"])
        #expect(stage.story.waiting == 0)
    }

    @Test func aBoundedNumberOfWaitsEndsAtOnce() {
        let stage = StoryStage(waitsMax: 10_000)
        for number in 0..<5_000 {
            stage.at(0, "open-\(number)", .occupied)
            stage.at(0, "open-\(number)", .vacated(.disconnected))
        }
        let first = stage.wait(until: 4_000)
        #expect(first.count == 4_096 && stage.story.nextDue == 3_000, "there are more")
        #expect(stage.wait(until: 4_000).count == 904 && stage.story.nextDue == nil)
    }

    /// What one lost edge would say is said when the next one proves it.
    @Test func anEdgeThatProvesALostOneTellsBoth() {
        let stage = StoryStage()
        #expect(stage.at(0, "presence-a", .added("a")) == ["channel_occupied presence-a", "member_added presence-a a"])
        #expect(stage.at(1, "presence-a", .added("a")).isEmpty && stage.at(1, "presence-a", .occupied).isEmpty)
        #expect(
            stage.at(2, "presence-a", .vacated(.unsubscribed)) == [
                "member_removed presence-a a", "channel_vacated presence-a",
            ])
        #expect(stage.at(3, "presence-a", .vacated(.unsubscribed)).isEmpty)
        #expect(stage.at(3, "presence-a", .removed("a", .unsubscribed)).isEmpty)
    }
}
