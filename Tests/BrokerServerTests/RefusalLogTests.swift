#if DEBUG
    @testable import BrokerServer
    import Testing

    @Suite("Which refusals get a line") struct RefusalLogTests {
        @Test func whatWasLeftOutIsOwedUntilItIsTold() {
            let log = RefusalLog(linesPerSecond: 1)
            #expect(log.admit(.http, saying: { _ in }) == 0 && !log.isOwing)
            #expect(log.admit(.http, saying: { _ in }) == nil && log.isOwing)
            log.tellOverdue()
            #expect(log.isOwing, "not before a second has passed")
            log.tellOverdue(all: true)
            #expect(!log.isOwing)
            log.leaveOut(3, of: .message)
            #expect(log.isOwing && log.admit(.message, saying: { _ in }) == 3, "the next line says it")
            log.tellOverdue(all: true)
            #expect(!log.isOwing)
        }

        @Test(
            arguments: [
                (400, .http), (401, .auth), (403, .limit), (404, .http), (405, .http), (408, .http), (409, .http),
                (413, .limit), (414, .limit), (426, .http), (429, .limit), (431, .limit), (501, .http), (503, .limit),
                (505, .http),
            ] as [(Int, RefusalKind)])
        func anAnswersStatusIsItsKind(status: Int, kind: RefusalKind) {
            #expect(RefusalKind.http(status: status) == kind)
        }

        @Test func everyKindHasANameOfItsOwn() {
            #expect(Set(RefusalKind.allCases.map(\.name.description)).count == RefusalKind.allCases.count)
        }
    }
#endif
