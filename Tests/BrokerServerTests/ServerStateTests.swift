#if DEBUG
    import BrokerCore
    @testable import BrokerServer
    import Configuration
    import Crypto
    @testable import Reactor
    import Testing
    import Wire

    @Suite("What the loops of a server share") struct ServerStateTests {
        private func state(_ change: (inout ServerSettings) -> Void = { _ in }) -> ServerState {
            var settings = ServerSettings()
            change(&settings)
            let secrets = BrokerSecrets(names: SecretKey(1, 2), socketIDs: SecretKey(3, 4))
            return ServerState(
                settings: settings,
                broker: SharedBroker(settings: [], loopCount: 1, secrets: secrets, headroomBytes: 0),
                webSocketsMax: 2, secrets: SecretFilter(secrets: [String]()))
        }

        @Test func aPlaceThatIsRefusedIsNotTaken() {
            let state = state()
            #expect(state.acquireWebSocket() && state.acquireWebSocket())
            for _ in 0..<3 { #expect(!state.acquireWebSocket()) }
            #expect(state.webSocketCount == 2)
            state.releaseWebSocket()
            #expect(state.acquireWebSocket() && !state.acquireWebSocket())
        }

        @Test(arguments: [(1_000, 5_000, 100), (1_000, 100, 8_000)])
        func theLargestLegalRequestFitsWhateverTheTotal(head: Int, body: Int, message: Int) {
            let state = state {
                ($0.requestHeadBytesMax, $0.requestBodyBytesMax, $0.messageBytesMax) = (head, body, message)
                $0.inputTotalBytesMax = 1
            }
            #expect(state.inputBudget.limitBytes == 2 * max(head + body, message))
        }

        @Test func aBodyMayGrowToItsLengthBehindItsHead() throws {
            let bytes = Array("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe".utf8)
            var (reader, offset, view) = (RequestReader(), 0, RequestView())
            try bytes.withUnsafeBufferPointer { (bytes) throws(HTTPFailure) in
                guard case .head(left: 3) = try reader.next(bytes, from: &offset, HTTPLimits(), into: &view) else {
                    Issue.record("its body is not here")
                    return
                }
                let (consumed, inputBytesMax) = reader.admitBody(of: view, budget: ProcessBudget())
                #expect(consumed == 0 && inputBytesMax == bytes.count + 3)
            }
        }
    }
#endif
