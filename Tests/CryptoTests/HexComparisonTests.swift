import Crypto
import TestSupport
import Testing

@Suite("Digests given as hex (PW-060)") struct HexComparisonTests {
    private func isSame(_ digest: [UInt8], _ text: [UInt8]) -> Bool {
        ConstantTime.equals(digest.span, hex: text.span)
    }

    @Test(arguments: 0..<16) func everySingleChangeIsSeenAndCaseIsNot(seed: Int) {
        var random = SeededRandom(seed: seed)
        let digest = random.bytes([4, 16, 20, 32][seed % 4])
        let lower = Array(hex(digest.span).utf8), upper = Array(hex(digest.span).uppercased().utf8)
        let mixed = zip(lower, upper).map { random.oneIn(2) ? $0 : $1 }
        var faults: [String] = []
        for text in [lower, upper, mixed] {
            if !isSame(digest, text) { faults.append("not its own digits") }
            for position in text.indices {
                var changed = text
                for value in UInt8.min...UInt8.max {
                    changed[position] = value
                    let isDigit = value == lower[position] || value == upper[position]
                    if isSame(digest, changed) != isDigit { faults.append("\(value) at \(position)") }
                }
            }
            for count in 0..<text.count where isSame(digest, Array(text[..<count])) { faults.append("\(count) digits") }
            if isSame(digest, text + [0x30]) { faults.append("a digit more") }
        }
        #expect(faults.isEmpty, "\(faults.prefix(5))")
    }

    @Test func everyByteHasItsTwoDigits() {
        for byte in UInt8.min...UInt8.max {
            let digest: [UInt8] = [byte, ~byte, byte, byte &+ 1]
            #expect(isSame(digest, Array(hex(digest.span).utf8)))
        }
    }

    @Test(arguments: 0..<50) func aDigestWritesTheDigitsItAccepts(seed: Int) {
        var random = SeededRandom(seed: seed)
        let text = random.bytes(random.int(0...100))
        let digest = Digest.sha256(text.span)
        var digits: [UInt8] = [1]
        digest.appendHex(to: &digits)
        #expect(digits == [1] + Array(hex(digest).utf8))
        let own = Array(digits[1...])
        let isOwn = digest.equalsHex(own.span)
        #expect(isOwn)
    }
}
