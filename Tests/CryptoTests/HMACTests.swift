import Crypto
import Testing

@Suite("HMAC-SHA256 (RFC 2104, RFC 4231)") struct HMACTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String, key: [UInt8], message: [UInt8], digest: String
    }

    static let rows = [
        Row(
            testDescription: "RFC 4231 case 1", key: Array(repeating: 0x0B, count: 20), message: Array("Hi There".utf8),
            digest: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        Row(
            testDescription: "RFC 4231 case 2, short key", key: Array("Jefe".utf8),
            message: Array("what do ya want for nothing?".utf8),
            digest: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        Row(
            testDescription: "RFC 4231 case 6, key above one block", key: Array(repeating: 0xAA, count: 131),
            message: Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            digest: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"),
        Row(
            testDescription: "empty key and message", key: [], message: [],
            digest: "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
        Row(
            testDescription: "Pusher vector A2 (PW-055)", key: Array("7ad3773142a6692b25b8".utf8),
            message: Array("1234.1234:private-foobar".utf8),
            digest: "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
    ]

    @Test(arguments: rows) func vectorsAreSignedTheSameEveryTime(_ row: Row) {
        let key = HMACKey(secret: row.key.span)
        for _ in 0..<3 {
            let digest = key.sign(row.message.span)
            var text: [UInt8] = []
            digest.appendHex(to: &text)
            #expect(String(decoding: text, as: UTF8.self) == row.digest)
            #expect(equalsHex(digest, String(decoding: text, as: UTF8.self)))
        }
    }

    @Test func manyKeysServeInTurn() {
        let keys = Self.rows.map { HMACKey(secret: $0.key.span) }
        for _ in 0..<3 {
            for (key, row) in zip(keys, Self.rows) {
                let digest = key.sign(row.message.span)
                #expect(hex(digest) == row.digest)
            }
        }
    }

    @Test func oneKeyServesManyThreads() async {
        let row = Self.rows[4], key = HMACKey(secret: row.key.span)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<2_000).allSatisfy { _ in
                        hex(key.sign(row.message.span)) == row.digest
                    }
                }
            }
            for await isRight in group { #expect(isRight) }
        }
    }

    @Test("PW-060: upper-case hex is accepted; anything that is not the 64 digits is not")
    func hexComparison() {
        let row = Self.rows[4], key = HMACKey(secret: row.key.span)
        let digest = key.sign(row.message.span)
        #expect(equalsHex(digest, row.digest.uppercased()))
        for wrong in ["", "58", row.digest + "00", String(row.digest.dropLast()) + "g", String(row.digest.reversed())] {
            #expect(!equalsHex(digest, wrong), "\(wrong)")
        }
        let again = key.sign(row.message.span)
        let other = key.sign([0].span)
        #expect(digest == again)
        #expect(digest != other)
    }

    private func equalsHex(_ digest: SHA256Digest, _ text: String) -> Bool {
        let text = Array(text.utf8)
        return digest.equalsHex(text.span)
    }
}
