import PusherProtocol
import Testing

@Suite("Socket ids and codes (Pusher protocol §1.3, §1.5, §2.2)") struct SocketIDTests {
    private func parse(_ text: String) -> SocketID? {
        let bytes = Array(text.utf8)
        return SocketID.parse(bytes.span)
    }

    private func isWellFormed(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return SocketID.isWellFormed(bytes.span)
    }

    @Test("PW-003: what is given out has the form digits.digits and reads back", arguments: 0..<200)
    func roundTrip(seed: Int) {
        var state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1
        state ^= state >> 29
        let id = SocketID(high: UInt32(truncatingIfNeeded: state), low: UInt32(truncatingIfNeeded: state >> 32))
        let shown = text { id.append(to: &$0) }
        #expect(isWellFormed(shown))
        #expect(parse(shown) == id)
    }

    @Test("PW-146: an unknown id is well formed, anything else is not")
    func forms() {
        #expect(parse("0.0") == SocketID(high: 0, low: 0))
        #expect(parse("4294967295.4294967295") == SocketID(high: .max, low: .max))
        for unknown in ["4294967296.1", "1.99999999999", "01.2", "1.00", "12345678901234567890.1"] {
            #expect(isWellFormed(unknown), "\(unknown)")
            #expect(parse(unknown) == nil, "\(unknown)")
        }
        let long = String(repeating: "1", count: 41)
        for wrong in ["", ".", "1", "1.", ".1", "1.2.3", "abc", "-1.2", "1.2 ", "1e3.4", "１.2", long + "." + long] {
            #expect(!isWellFormed(wrong), "\(wrong)")
            #expect(parse(wrong) == nil, "\(wrong)")
        }
    }

    @Test("PW-018: every code has a text that fits a close frame, and the advice of its class")
    func codes() {
        for code in PusherErrorCode.allCases {
            #expect(1...123 ~= code.text.utf8.count)
            #expect((code.advice == .stay) == (code.rawValue >= 4300))
        }
        #expect(PusherErrorCode.unknownKey.advice == .stop)
        #expect(PusherErrorCode.overCapacity.advice == .backOff)
        #expect(PusherErrorCode.noPong.advice == .reconnectNow)
        #expect(PusherErrorCode.clientEventRejected.advice == .stay)
        #expect(PusherErrorCode(rawValue: 4009) == .unauthorized)
        #expect(SubscriptionFailure.auth.status == 401 && SubscriptionFailure.auth.type == "AuthError")
        #expect(SubscriptionFailure.presenceFull.status == 4100)
    }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, text: String?, isStrict: Bool, expected: Result<Int, PusherErrorCode>
    }

    static let versions = [
        Row(testDescription: "PW-007: 5", text: "5", isStrict: false, expected: .success(5)),
        Row(testDescription: "PW-007: 6", text: "6", isStrict: true, expected: .success(6)),
        Row(testDescription: "PW-007: 7", text: "7", isStrict: false, expected: .success(7)),
        Row(testDescription: "PW-007: missing is 7", text: nil, isStrict: false, expected: .success(7)),
        Row(testDescription: "missing, strict", text: nil, isStrict: true, expected: .failure(.missingProtocol)),
        Row(testDescription: "PW-008: 3", text: "3", isStrict: false, expected: .failure(.unsupportedProtocol)),
        Row(testDescription: "PW-008: 99", text: "99", isStrict: false, expected: .failure(.unsupportedProtocol)),
        Row(testDescription: "PW-008: abc", text: "abc", isStrict: false, expected: .failure(.malformedVersion)),
        Row(testDescription: "a sign", text: "-7", isStrict: false, expected: .failure(.malformedVersion)),
        Row(
            testDescription: "more digits than a machine word", text: String(repeating: "9", count: 60),
            isStrict: false,
            expected: .failure(.unsupportedProtocol)),
    ]

    @Test(arguments: versions) func protocolVersion(_ row: Row) {
        let found = Result { () throws(PusherErrorCode) in
            try ProtocolVersion.parse(row.text.map { Array($0.utf8) }, isStrict: row.isStrict)
        }
        #expect(found == row.expected)
    }
}
