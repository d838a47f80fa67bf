@testable import Reactor
import TestSupport
import Testing

/// The decisions alone, under a clock of the test's.
@Suite("Who may shake hands now, who waits, and who has to go") struct HandshakeOrderTests {
    private var handshakes = Handshakes()
    private var now = MonotonicTime(nanoseconds: 1_000_000_000_000)
    private var turn: UInt64 = 0

    private static func token(_ slot: Int) -> EventToken { EventToken(slot: UInt32(slot), generation: 7) }

    private mutating func pass(milliseconds: UInt64) { now = now.after(nanoseconds: milliseconds * 1_000_000) }

    /// In a turn of its own.
    private mutating func course(isTLS: Bool = true) -> Handshakes.Course {
        turn += 1
        return handshakes.course(turn: turn, now: now) { isTLS }
    }

    private mutating func begin(_ slots: Range<Int>) {
        for slot in slots { handshakes.begin(Self.token(slot), now: now) }
    }

    /// As many as memory is for, all of them waited for.
    private mutating func fill(from first: Int = 0) {
        while handshakes.running.count < Handshakes.heldMax {
            let count = min(Handshakes.placesMax, Handshakes.heldMax - handshakes.running.count)
            begin(first + handshakes.running.count..<first + handshakes.running.count + count)
            pass(milliseconds: 26)
        }
    }

    /// A handshake that takes so long.
    private mutating func finish(_ slot: Int, afterMilliseconds milliseconds: UInt64) {
        handshakes.begin(Self.token(slot), now: now)
        pass(milliseconds: milliseconds)
        handshakes.end(UInt32(slot), .done, now: now)
    }

    /// Everybody who may come, with who has to go.
    private mutating func invitations() -> [(guest: UInt32, stalled: UInt32?)] {
        var all: [(guest: UInt32, stalled: UInt32?)] = []
        while let one = handshakes.nextInvitation(now: now) {
            if let stalled = one.stalled { handshakes.end(stalled.slot, .stalled, now: now) }
            all.append((one.guest.slot, one.stalled?.slot))
        }
        return all
    }

    private mutating func wait(_ slots: some Sequence<Int>) {
        for slot in slots { handshakes.wait(Self.token(slot), number: UInt32(slot)) }
    }

    // MARK: At the first byte

    @Test mutating func soManyHavePlacesAndTheFirstByteIsOnlyAskedForWhenItMatters() {
        for slot in 0..<Handshakes.placesMax {
            #expect(
                handshakes.course(turn: UInt64(slot), now: now) {
                    Issue.record("asked"); return true
                } == .begins)
            begin(slot..<slot + 1)
        }
        turn = 1_000
        #expect(course() == .waits)
        #expect(course(isTLS: false) == .begins, "a plain one needs no place")
        handshakes.end(5, .failed, now: now)
        #expect(course() == .begins)
    }

    @Test mutating func oneThatWaitsForItsPeerLeavesItsPlace() {
        begin(0..<Handshakes.placesMax)
        pass(milliseconds: 25)
        #expect(course() == .waits && handshakes.atWork(now) == Handshakes.placesMax)
        now = now.after(nanoseconds: 1)
        #expect(course() == .begins && handshakes.atWork(now) == 0)
        #expect(handshakes.running.count == Handshakes.placesMax, "and goes on")
    }

    @Test mutating func aTurnBeginsSoManyAndTheNextGoesOn() {
        for slot in 0..<Handshakes.begunPerTurn {
            #expect(handshakes.course(turn: 1, now: now) { true } == .begins)
            begin(slot..<slot + 1)
        }
        #expect(handshakes.course(turn: 1, now: now) { true } == .comesLater)
        #expect(handshakes.course(turn: 1, now: now) { false } == .begins)
        #expect(handshakes.course(turn: 2, now: now) { true } == .begins)
    }

    // MARK: Memory

    @Test mutating func whoHasStalledLongestGoesForANewcomerWhenMemoryIsUsedUp() {
        fill()
        // The youngest of the first places is 104 ms old; most that begin finish, so everybody has a quarter of a second.
        #expect(course() == .waits)
        pass(milliseconds: 250 - 104)
        #expect(course() == .waits)
        now = now.after(nanoseconds: 1)
        #expect(course() == .replaces(Self.token(Handshakes.patientMax)), "the first are patient")
        handshakes.end(UInt32(Handshakes.patientMax), .stalled, now: now)
        #expect(course() == .begins)
        begin(1_000..<1_001)
        #expect(course() == .replaces(Self.token(Handshakes.patientMax + 1)))
        pass(milliseconds: 1_000)
        #expect(course() == .replaces(Self.token(0)), "also the patience of those has an end")
    }

    @Test mutating func whenMostStallOthersAreNotWaitedForSoLong() {
        // None of sixteen and more finishes.
        for slot in 0..<40 {
            begin(slot..<slot + 1)
            handshakes.end(UInt32(slot), .stalled, now: now)
        }
        fill()
        // 4 × what one took that succeeded: fifty milliseconds.
        #expect(course() == .replaces(Self.token(Handshakes.patientMax)))
        for slot in 0..<UInt32(Handshakes.heldMax) { handshakes.end(slot, .failed, now: now) }
        // Most finish again.
        for slot in 0..<40 { finish(slot, afterMilliseconds: 1) }
        fill()
        #expect(course() == .waits)
    }

    @Test mutating func whatIsUsualHereIsNotCutOff() {
        for slot in 0..<40 {
            begin(slot..<slot + 1)
            handshakes.end(UInt32(slot), .stalled, now: now)
        }
        for slot in 0..<4 { finish(slot, afterMilliseconds: 150) }
        fill()
        pass(milliseconds: 100)
        #expect(course() == .waits, "others needed as long")
        // Nobody is given more than a second.
        for slot in 0..<UInt32(Handshakes.heldMax) { handshakes.end(slot, .failed, now: now) }
        for slot in 0..<60 { finish(slot, afterMilliseconds: 900) }
        fill()
        pass(milliseconds: 1_000)
        #expect(course() == .replaces(Self.token(0)))
    }

    @Test mutating func theEndOfOneThatIsNotRunningChangesNothing() {
        begin(0..<2)
        handshakes.end(9, .done, now: now)
        #expect(handshakes.running.map(\.token.slot) == [0, 1])
    }

    // MARK: Those who wait

    @Test mutating func theNewestOfThoseWhoWaitIsNextInWhateverOrderTheyWereRead() {
        wait([3, 1, 5, 2, 4])
        #expect(invitations().map(\.guest) == [5, 4, 3, 2, 1])
        #expect(!handshakes.areWaiting && handshakes.nextInvitation(now: now) == nil)
    }

    @Test mutating func aCrowdIsLetInNoFasterThanTurnsBegin() {
        wait(0..<100)
        let newest = (100 - Handshakes.begunPerTurn..<100).reversed()
        #expect(invitations().map(\.guest) == newest.map(UInt32.init))
        #expect(invitations().isEmpty)
        handshakes.renew(isTick: false) { _ in true }
        #expect(invitations().count == Handshakes.begunPerTurn)
    }

    @Test mutating func whoWasLetInAndHasGoneTakesNoPlace() {
        wait(0..<100)
        for _ in 0..<40 {
            #expect(handshakes.nextInvitation(now: now) != nil)
            handshakes.withdraw()
        }
        #expect(invitations().count == Handshakes.begunPerTurn)
    }

    @Test mutating func newcomersFindPlacesThatThoseWhoHaveWaitedDoNotTake() {
        begin(0..<Handshakes.placesOfWaiting - 2)
        wait(100..<110)
        handshakes.renew(isTick: true) { $0.slot != 109 }
        #expect(invitations().map(\.guest) == [108, 107])
        wait(200..<203)
        handshakes.renew(isTick: false) { _ in
            Issue.record("only a tick asks"); return false
        }
        begin(108..<110)
        #expect(invitations().map(\.guest) == [202, 201, 200], "but none of those who waited before the tick")
        #expect(handshakes.areWaiting)
    }

    @Test mutating func forEachThatIsLetInWhenMemoryIsUsedUpOneGoes() {
        fill()
        wait(1_000..<1_003)
        #expect(invitations().isEmpty, "nobody has had time enough")
        pass(milliseconds: 250)
        let all = invitations()
        #expect(all.map(\.guest) == [1_002, 1_001, 1_000] && all.map(\.stalled) == [16, 17, 18])
    }

    @Test mutating func theLoopSleepsNoLongerThanUntilSomebodyMayBeLetIn() {
        #expect(handshakes.untilInvitation(now: now) == nil)
        begin(0..<Handshakes.placesMax)
        #expect(handshakes.untilInvitation(now: now) == nil, "nobody waits")
        wait([1_000])
        #expect(handshakes.untilInvitation(now: now) == Handshakes.workNanoseconds + 1)
        pass(milliseconds: 20)
        #expect(handshakes.untilInvitation(now: now) == Handshakes.workNanoseconds - 20_000_000 + 1)
        pass(milliseconds: 10)
        #expect(handshakes.untilInvitation(now: now) == Handshakes.patienceOfTrustNanoseconds - 30_000_000 + 1)
        pass(milliseconds: 2_000)
        #expect(handshakes.untilInvitation(now: now) == .max)
    }

    // MARK: The end of the time

    @Test func whoSaidNothingIsNotCounted() {
        #expect(Handshakes.lateness(isUndecided: true, isWaiting: false) == nil)
        #expect(Handshakes.lateness(isUndecided: true, isWaiting: true) == .timeout)
        #expect(Handshakes.lateness(isUndecided: false, isWaiting: false) == .timeout)
    }
}
