@testable import Reactor
import TestSupport

/// A layer as TLS is one, for tests: records of a length, a kind and bytes that are changed; a handshake; now and then a new key, without
/// which nothing can be written ("write wants read") and which the other side has to be sent at once ("read wants write").
///
/// ```
/// | length, 2 bytes | kind | payload xor key |        kinds: hello, data, goodbye, asks for a key, gives one
/// ```
final class XorLayer: RecordLayer {
    enum Kind: UInt8 { case hello = 1, data, goodbye, keyRequest, key }
    static let payloadMax = 16_384

    private let isClient: Bool
    private var random: SeededRandom
    /// One in so many records wants a new key first; 0: none.
    private let rekeyOneIn: Int
    /// The kernel is shown at most so much of a record at once.
    private let pieceMax: Int
    private var hasGreeted = false
    private(set) var isEstablished = false
    private var key: UInt8 = 0x55
    private var incoming: [UInt8] = []
    private var opened: [UInt8] = []
    private(set) var hasFailed = false
    private var isAsking = false
    private let out: UnsafeMutableRawBufferPointer
    private var (outStart, outEnd) = (0, 0)
    /// For the tests.
    private(set) var recordSizes: [Int] = []
    private(set) var isTold = false
    private(set) var keys = 0
    private(set) var goodbyes = 0
    /// What the peer writes in its key record is read, but nothing is answered.
    var isDeaf = false

    init(isClient: Bool, seed: Int = 0, rekeyOneIn: Int = 0, pieceMax: Int = .max) {
        (self.isClient, self.rekeyOneIn, self.pieceMax) = (isClient, rekeyOneIn, pieceMax)
        random = SeededRandom(seed: seed)
        out = .allocate(byteCount: 1 << 20, alignment: 16)
    }

    deinit { out.deallocate() }

    var incomingCount: Int { incoming.count + opened.count }
    var outgoing: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(out)[outStart..<min(outEnd, outStart + pieceShown)])
    }
    private var pieceShown: Int { min(pieceMax, outEnd - outStart) }

    func sent(_ count: Int) {
        outStart += count
        if outStart == outEnd { (outStart, outEnd) = (0, 0) }
    }

    private func put(_ kind: Kind, _ payload: some Collection<UInt8>) {
        precondition(outEnd + 3 + payload.count <= out.count, "only one record waits, and few of the layer's own")
        let head = [UInt8(payload.count >> 8), UInt8(payload.count & 255), kind.rawValue]
        for byte in head {
            out[outEnd] = byte
            outEnd += 1
        }
        for byte in payload {
            out[outEnd] = byte ^ key
            outEnd += 1
        }
    }

    func feed(_ bytes: UnsafeRawBufferPointer) {
        incoming += bytes
        var start = 0
        while incoming.count - start >= 3 {
            let length = Int(incoming[start]) << 8 | Int(incoming[start + 1])
            guard let kind = Kind(rawValue: incoming[start + 2]), length <= Self.payloadMax else {
                hasFailed = true
                return
            }
            guard incoming.count - start >= 3 + length else { break }
            heard(kind, incoming[start + 3..<start + 3 + length].map { $0 ^ 0x55 })
            start += 3 + length
        }
        incoming.removeFirst(start)
    }

    private func heard(_ kind: Kind, _ payload: [UInt8]) {
        switch kind {
        case .hello:
            greet()
            isEstablished = true
        case .data: opened += payload
        case .goodbye: isTold = true
        case .keyRequest: if !isDeaf { put(.key, [1, 2, 3]) }
        case .key:
            isAsking = false
            keys += 1
        }
    }

    private func greet() {
        guard !hasGreeted else { return }
        hasGreeted = true
        put(.hello, Array("xor".utf8))
    }

    func open(into plaintext: UnsafeMutableRawBufferPointer) -> RecordOpening {
        if isClient { greet() }
        if hasFailed { return .failed }
        if !opened.isEmpty, isEstablished {
            let count = min(opened.count, plaintext.count, random.int(1...20_000))
            plaintext.copyBytes(from: opened[..<count])
            opened.removeFirst(count)
            return .bytes(count)
        }
        return isTold ? .ended : .needsInput
    }

    func seal(_ plaintext: UnsafeRawBufferPointer) -> Int {
        guard isEstablished, !isAsking else { return 0 }
        if rekeyOneIn > 0, random.oneIn(rekeyOneIn) {
            isAsking = true
            put(.keyRequest, [])
            return 0
        }
        let count = min(plaintext.count, Self.payloadMax)
        put(.data, plaintext[..<count])
        recordSizes.append(count)
        return count
    }

    func sayGoodbye() {
        goodbyes += 1
        put(.goodbye, [])
    }
}
