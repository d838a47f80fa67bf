import Glibc
import Testing

@testable import LoadGenerator

/// The jobs of a worker, under manual time: a call says what the time is, the answer what is due.
@Suite("What a worker's jobs say is due") struct JobTests {
    @Test func aPacerIsNeverLateTwice() {
        var pacer = Pacer(start: 1_000, ratePerSecond: 1e9 / 10)
        #expect(pacer.take(now: 999) == .later(1_000))
        #expect(pacer.take(now: 1_000) == .now(1_000))
        #expect(pacer.take(now: 1_009) == .later(1_010))
        // Late by three: each keeps the time it was due at.
        #expect((0..<3).map { _ in pacer.take(now: 1_035) } == [.now(1_010), .now(1_020), .now(1_030)])
        #expect(pacer.take(now: 1_035, before: 1_040) == .over)
        #expect(pacer.take(now: 1_039, before: 1_041) == .later(1_040))
        #expect(pacer.take(now: 1_040, before: 1_041) == .now(1_040))
    }

    @Test func nobodyBeginsBeforeTheOtherIsThere() throws {
        var name = Array("/tmp/meetXXXXXX".utf8CString)
        try #require(mkdtemp(&name) != nil)
        let directory = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let place = MeetingPlace(directory: directory)
        #expect(!place.wait(seconds: 0.01))
        // The second of two.
        close(open(directory + "/other", O_CREAT | O_WRONLY, 0o600))
        #expect(place.wait(seconds: 0.01))
        #expect(!MeetingPlace(directory: directory + "/nowhere").wait(seconds: 0.01))
        for file in ["/other", "/\(getpid())"] { unlink(directory + file) }
        rmdir(directory)
    }

    // MARK: Dialing

    @Test func noMoreClientsAreDialedThanTheWindowHolds() {
        var dialing = Dialing(clients: 3, ratePerSecond: 0, window: 2, now: 5)
        #expect(dialing.take(now: 5) == .now(0) && dialing.take(now: 5) == .now(1))
        #expect(dialing.take(now: 5) == .waiting)
        dialing.settle()
        #expect(dialing.take(now: 6) == .now(2))
        #expect(dialing.take(now: 6) == .over)
        dialing.settle()
        #expect(dialing.take(now: 7) == .over)
    }

    @Test func clientsAreDialedAtTheirRate() {
        var dialing = Dialing(clients: 3, ratePerSecond: 1e9 / 100, window: 9, now: 1_000)
        #expect(dialing.take(now: 1_000) == .now(0))
        #expect(dialing.take(now: 1_099) == .later(1_100))
        #expect(dialing.take(now: 1_250) == .now(1) && dialing.take(now: 1_250) == .now(2))
        #expect(dialing.take(now: 1_250) == .over)
    }

    @Test func aWindowOfNoneStillDialsOne() {
        var dialing = Dialing(clients: 2, ratePerSecond: 0, window: 0, now: 0)
        #expect(dialing.take(now: 0) == .now(0) && dialing.take(now: 0) == .waiting)
    }

    // MARK: Publishing

    static let timetable = Timetable(ratePerSecond: 1_000, start: 5_000_000, end: 9_000_000)

    @Test func callsKeepTheirTimetableAndTellWhoseFaultALateOneIs() {
        var job = Publishing(Self.timetable, perEvent: 7)
        #expect(job.take(now: 4_999_999, hasFree: true) == .later(5_000_000))
        #expect(job.take(now: 5_000_000, hasFree: true) == .now(Send(scheduled: 5_000_000)))
        #expect(job.take(now: 5_000_000, hasFree: false) == .later(6_000_000), "nothing is due, free or not")
        // A millisecond is not late, one more nanosecond is: ours as long as a connection was free.
        #expect(job.take(now: 7_000_000, hasFree: true) == .now(Send(scheduled: 6_000_000)))
        #expect(job.take(now: 8_000_001, hasFree: true) == .now(Send(scheduled: 7_000_000, lateness: .late)))
        // The server's once a due call had to wait.
        #expect(job.take(now: 8_000_001, hasFree: false) == .waiting)
        #expect(job.take(now: 9_500_000, hasFree: true) == .now(Send(scheduled: 8_000_000, lateness: .queued)))
        #expect(job.take(now: 9_500_000, hasFree: true) == .over)
    }

    @Test func onceItHasCaughtUpLateCallsAreOursAgain() {
        var job = Publishing(Timetable(ratePerSecond: 1_000, start: 0, end: 100_000_000), perEvent: 1)
        #expect(job.take(now: 0, hasFree: false) == .waiting)
        #expect(job.take(now: 500_000, hasFree: true) == .now(Send(scheduled: 0)), "a short wait is no delay")
        #expect(job.take(now: 500_000, hasFree: true) == .later(1_000_000))
        #expect(job.take(now: 2_500_000, hasFree: true) == .now(Send(scheduled: 1_000_000, lateness: .late)))
    }

    @Test func batchesAreAsManyEventsFewerCalls() {
        var timetable = Self.timetable
        timetable.batch = 2
        var job = Publishing(timetable, perEvent: 1)
        #expect(job.take(now: 5_000_000, hasFree: true) == .now(Send(scheduled: 5_000_000)))
        #expect(job.take(now: 5_000_000, hasFree: true) == .later(7_000_000))
    }

    @Test func aClosedLoopHasNoMoreUnderWayThanItMay() {
        let timetable = Timetable(inFlight: 2, start: 10, end: 100)
        var job = Publishing(timetable, perEvent: 50)
        job.allow(outstanding: 0)
        #expect(job.take(now: 9, hasFree: true) == .later(10))
        #expect(job.take(now: 10, hasFree: true) == .now(Send(scheduled: 10)))
        #expect(job.take(now: 11, hasFree: false) == .waiting)
        #expect(job.take(now: 11, hasFree: true) == .now(Send(scheduled: 11)))
        #expect(job.take(now: 12, hasFree: true) == .waiting)
        job.allow(outstanding: 51)
        #expect(job.take(now: 20, hasFree: true) == .waiting, "one is missing of the first event")
        job.allow(outstanding: 50)
        #expect(job.take(now: 21, hasFree: true) == .now(Send(scheduled: 21)))
        #expect(job.take(now: 99, hasFree: true) == .waiting)
        job.allow(outstanding: 0)
        #expect(job.take(now: 100, hasFree: true) == .over)
    }

    @Test func withoutSubscribersOnlyTheConnectionsBound() {
        var job = Publishing(Timetable(inFlight: 1, start: 0, end: 100), perEvent: 0)
        job.allow(outstanding: 0)
        for _ in 0..<5 { #expect(job.take(now: 1, hasFree: true) == .now(Send(scheduled: 1))) }
        #expect(job.take(now: 1, hasFree: false) == .waiting)
    }

    @Test func channelsTakeTurns() {
        var job = Publishing(Self.timetable, perEvent: 1)
        #expect((0..<5).map { _ in job.takeChannel(of: 3) } == [0, 1, 2, 0, 1])
    }

    // MARK: Client events

    @Test func clientEventsKeepTheirTimetable() {
        var job = ClientEvents(Self.timetable, clients: 2, peers: 2)
        #expect(job.take(now: 0) == .later(5_000_000))
        #expect(job.take(now: 5_000_000) == .now(Send(scheduled: 5_000_000)))
        #expect(job.take(now: 7_000_001) == .now(Send(scheduled: 6_000_000, lateness: .late)))
        #expect(job.take(now: 8_000_000) == .now(Send(scheduled: 7_000_000)))
        #expect(job.take(now: 8_000_000) == .now(Send(scheduled: 8_000_000)))
        #expect(job.take(now: 8_000_000) == .over)
        #expect((0..<3).map { _ in job.takeClient() } == [0, 1, 0])
    }

    @Test func clientEventsInFlightAreBoundedByTheirDeliveries() {
        var job = ClientEvents(Timetable(inFlight: 2, start: 10, end: 100), clients: 5, peers: 4)
        job.allow(outstanding: 0)
        #expect(job.take(now: 9) == .later(10))
        #expect(job.take(now: 10) == .now(Send(scheduled: 10)) && job.take(now: 10) == .now(Send(scheduled: 10)))
        #expect(job.take(now: 10) == .waiting)
        job.allow(outstanding: 5)
        #expect(job.take(now: 50) == .now(Send(scheduled: 50)) && job.take(now: 50) == .waiting)
        #expect(job.take(now: 100) == .over)
        var nobody = ClientEvents(Self.timetable, clients: 0, peers: 2)
        #expect(nobody.take(now: 6_000_000) == .over)
    }

    // MARK: Memberships

    @Test func membersJoinAsTheWindowAllows() {
        var job = MembershipJob(mode: .join, window: 2, start: 10)
        #expect(job.take(now: 9, members: 3) == .later(10))
        #expect(job.take(now: 10, members: 3) == .now(.init(member: 0, round: 1, scheduled: nil)))
        job.begin()
        // One that cannot change now is passed over and not under way.
        #expect(job.take(now: 10, members: 3) == .now(.init(member: 1, round: 2, scheduled: nil)))
        #expect(job.take(now: 10, members: 3) == .now(.init(member: 2, round: 3, scheduled: nil)))
        job.begin()
        #expect(job.take(now: 10, members: 3) == .over, "each member once")
        var small = MembershipJob(mode: .churn, window: 1)
        #expect(small.take(now: 0, members: 2) == .now(.init(member: 0, round: 1, scheduled: nil)))
        small.begin()
        #expect(small.take(now: 0, members: 2) == .waiting)
        small.settle()
        #expect(small.take(now: 0, members: 2) == .now(.init(member: 1, round: 2, scheduled: nil)))
        #expect(small.take(now: 0, members: 2) == .now(.init(member: 0, round: 3, scheduled: nil)), "without end")
        #expect(small.take(now: 0, members: 0) == .over)
    }

    @Test func membersJoinAtTheirRate() {
        var job = MembershipJob(mode: .join, window: 9, ratePerSecond: 1e9 / 100, start: 1_000)
        #expect(job.take(now: 1_000, members: 5) == .now(.init(member: 0, round: 1, scheduled: 1_000)))
        job.begin()
        #expect(job.take(now: 1_050, members: 5) == .later(1_100))
        #expect(job.take(now: 1_130, members: 5) == .now(.init(member: 1, round: 2, scheduled: 1_100)))
    }

    @Test func aLeaveIsNotConfirmed() {
        var job = MembershipJob(mode: .leave, window: 1)
        for member in 0..<3 {
            #expect(job.take(now: 0, members: 3) == .now(.init(member: member, round: member + 1, scheduled: nil)))
            job.begin()
        }
        #expect(job.take(now: 0, members: 3) == .over)
    }

    @Test func churnEndsAtItsTime() {
        var job = MembershipJob(mode: .churn, window: 5, end: 100)
        #expect(job.take(now: 99, members: 3) != .over)
        #expect(job.take(now: 100, members: 3) == .over)
    }

    // MARK: Beside the load

    @Test func probesKeepTheTimeTheyWereDueAt() {
        var job = Probes(pacer: Pacer(start: 100, ratePerSecond: 1e9 / 10), end: 120)
        #expect(job.take(now: 99) == .later(100))
        #expect(job.take(now: 115) == .now(100) && job.take(now: 115) == .now(110))
        #expect(job.take(now: 115) == .over)
    }

    @Test func clientsPingInTurn() {
        var job = Pinging(pacer: Pacer(start: 100, ratePerSecond: 1e9 / 10), end: 150)
        #expect(job.take(now: 99, clients: 2) == .later(100))
        #expect((0..<5).map { _ in job.take(now: 149, clients: 2) } == [.now(0), .now(1), .now(0), .now(1), .now(0)])
        #expect(job.take(now: 149, clients: 2) == .over)
        var nobody = Pinging(pacer: Pacer(start: 0, ratePerSecond: 1), end: 9)
        #expect(nobody.take(now: 1, clients: 0) == .over)
    }
}
