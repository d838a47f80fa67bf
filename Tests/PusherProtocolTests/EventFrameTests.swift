import PusherProtocol
import TestSupport
import Testing
import Wire

@Suite("Event frames with texts that need escaping") struct EventFrameTests {
    /// What `JSON.stringify` writes, byte by byte.
    private func quoted(_ text: [UInt8]) -> [UInt8] {
        let short: [UInt8: Character] = [
            0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: "\"", 0x5C: "\\",
        ]
        var out = Array("\"".utf8)
        for byte in text {
            if let letter = short[byte] {
                out += Array("\\\(letter)".utf8)
            } else if byte < 0x20 {
                out += Array("\\u00\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8)
            } else {
                out.append(byte)
            }
        }
        return out + Array("\"".utf8)
    }

    private func check(_ random: inout SeededRandom, channel: [UInt8], userID: [UInt8]?) {
        let name = quoted(random.text(random.int(0...20))), data = quoted(random.text(random.int(0...40)))
        let before = random.bytes(random.int(0...9))
        var wanted = before + Array("{\"event\":".utf8) + name + Array(",\"channel\":".utf8) + quoted(channel)
        wanted += Array(",\"data\":".utf8) + data
        if let userID { wanted += Array(",\"user_id\":".utf8) + quoted(userID) }
        wanted += Array("}".utf8)
        var out = before
        ServerFrame.event(nameLiteral: name.span, channel: channel.span, dataLiteral: data.span, to: &out)
        if let userID { ServerFrame.appendUserID(userID.span, to: &out) }
        #expect(out == wanted, "channel \(channel), user \(userID ?? [])")
    }

    @Test(arguments: 0..<200) func theFrameIsItsPartsQuoted(seed: Int) {
        var random = SeededRandom(seed: seed)
        let userChannel = Array("#server-to-user-".utf8) + random.text(random.int(1...60))
        for channel in [userChannel, Array("presence-room_1".utf8)] {
            check(&random, channel: channel, userID: nil)
            check(&random, channel: channel, userID: random.text(random.int(0...60)))
        }
    }

    /// Each byte grows to six: what is reserved has to be enough for the worst.
    @Test(arguments: [0, 1, 7, 8, 9, 64, 1_000]) func nothingIsLongerThanWhatIsReserved(length: Int) {
        var random = SeededRandom(seed: length)
        for byte in [0x00, 0x01, 0x1F, 0x22, 0x5C, 0x0A, 0x7F] as [UInt8] {
            let text = [UInt8](repeating: byte, count: length)
            check(&random, channel: Array("#server-to-user-".utf8) + text, userID: text)
        }
    }
}
