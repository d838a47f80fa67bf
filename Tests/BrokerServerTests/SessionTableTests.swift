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
                    bytes: [UInt8(slot)], head: HTTPRequestHead(), budget: ByteBudget())
            }
            for slot in UInt32(0)..<100 {
                #expect(sessions[slot].sinceMilliseconds == slot)
                #expect(sessions[slot].chunked?.bytes == [UInt8(slot)])
            }
        }

        @Test func onlySlotsBehindTheCountAreForgottenAndNotUntilTheyAreTheMost() {
            var sessions = SessionTable()
            for slot in UInt32(0)..<8 { sessions.open(slot, milliseconds: 0) }
            sessions.shrink(to: 4)
            #expect(sessions.slots(in: .http) == Array(0..<8))
            sessions.shrink(to: 3)
            #expect(sessions.slots(in: .http) == [0, 1, 2])
            sessions.open(3, milliseconds: 0)
            #expect(sessions.slots(in: .http) == [0, 1, 2, 3])
        }
    }
#endif
