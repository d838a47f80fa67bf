#if DEBUG
    @testable import BrokerServer
    import Reactor
    import Testing
    @testable import Wire

    @Suite("Sessions by slot") struct SessionTableTests {
        @Test func aSlotOpenedAgainStartsAfresh() {
            var sessions = SessionTable()
            sessions.open(3, milliseconds: 10)
            sessions[3].phase = .webSocket
            sessions[3].isPaused = true
            #expect(sessions.slots(in: .webSocket) == [3])
            #expect(sessions.slots(in: .free).starts(with: [0, 1, 2]))
            sessions.open(3, milliseconds: 20)
            #expect(sessions[3].phase == .http)
            #expect(!sessions[3].isPaused)
            #expect(sessions[3].heardMilliseconds == 20)
        }

        @Test func whatGrowsKeepsItsSessions() {
            var sessions = SessionTable()
            for slot in UInt32(0)..<100 {
                sessions.open(slot, milliseconds: slot)
                sessions[slot].chunked = ChunkedRequest(
                    bytes: [UInt8(slot)], head: HTTPRequestHead(), budget: ProcessBudget())
            }
            for slot in UInt32(0)..<100 {
                #expect(sessions[slot].sinceMilliseconds == slot)
                #expect(sessions[slot].chunked?.bytes == [UInt8(slot)])
            }
        }

        @Test(arguments: [UInt32(0), 63, 64, 9_999])
        func onlyThePageOfWhoStaysIsKept(survivor: UInt32) {
            var sessions = SessionTable()
            for slot in UInt32(0)..<10_000 { sessions.open(slot, milliseconds: slot) }
            for slot in UInt32(0)..<10_000 where slot != survivor {
                sessions[slot].phase = .ending
                sessions.close(slot)
                sessions.close(slot)
            }
            #expect(sessions.slots(in: .http) == [survivor] && sessions.slots(in: .ending).isEmpty)
            sessions.releaseUnused()
            #expect(sessions.pageCount == 1)
            #expect(sessions[survivor].sinceMilliseconds == survivor)
            #expect(sessions[survivor ^ 1].phase == .free && sessions[5_000].phase == .free)
            sessions.open(5_000, milliseconds: 7)
            sessions.releaseUnused()
            #expect(sessions.slots(in: .http) == [survivor, 5_000].sorted() && sessions.pageCount == 2)
        }
    }
#endif
