#if DEBUG
    @testable import BrokerServer
    import Reactor
    import Testing
    @testable import Wire

    @Suite("Sessions by slot") struct SessionTableTests {
        @Test func aSlotOpenedAgainStartsAfresh() {
            var sessions = SessionTable()
            sessions.open(3, milliseconds: 10)
            sessions[3].becomeWebSocket(milliseconds: 15, seconds: 1)
            sessions[3].debt.isPaused = true
            #expect(sessions.slots(in: .webSocket) == [3])
            #expect(sessions.slots(in: .free).starts(with: [0, 1, 2]))
            sessions.open(3, milliseconds: 20)
            #expect(sessions[3].phase == .http)
            #expect(!sessions[3].debt.isPaused)
            #expect(sessions[3].deadline == RequestDeadline(now: 20))
        }

        @Test func whatGrowsKeepsItsSessions() {
            var sessions = SessionTable()
            for slot in UInt32(0)..<100 {
                sessions.open(slot, milliseconds: slot)
                sessions[slot].reader.keep(
                    KeptRequest(bytes: [UInt8(slot)], head: HTTPRequestHead(), budget: ProcessBudget()))
            }
            for slot in UInt32(0)..<100 {
                #expect(sessions[slot].deadline == RequestDeadline(now: slot))
                #expect(sessions[slot].reader.takeKept()?.bytes == [UInt8(slot)])
            }
        }

        @Test(arguments: [UInt32(0), 63, 64, 9_999])
        func onlyThePageOfWhoStaysIsKept(survivor: UInt32) {
            var sessions = SessionTable()
            for slot in UInt32(0)..<10_000 { sessions.open(slot, milliseconds: slot) }
            for slot in UInt32(0)..<10_000 where slot != survivor {
                _ = sessions[slot].end()
                sessions.close(slot)
                sessions.close(slot)
            }
            #expect(sessions.slots(in: .http) == [survivor] && sessions.slots(in: .ending).isEmpty)
            sessions.releaseUnused()
            #expect(sessions.pageCount == 1)
            #expect(sessions[survivor].deadline == RequestDeadline(now: survivor))
            #expect(sessions[survivor ^ 1].phase == .free && sessions[5_000].phase == .free)
            sessions.open(5_000, milliseconds: 7)
            sessions.releaseUnused()
            #expect(sessions.slots(in: .http) == [survivor, 5_000].sorted() && sessions.pageCount == 2)
        }
    }
#endif
