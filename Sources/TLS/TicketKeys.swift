internal import COpenSSL
internal import Glibc
internal import Synchronization

/// What session tickets are sealed with: keys of our own, because OpenSSL's are as old as its context, and whoever learns one reads every
/// session since. One for all contexts of a server, so that a ticket outlives a change of certificates. Safe from any thread.
///
///     hours   0 ─────── 12 ─────── 24 ─────── 36
///     key A   seals     opens      forgotten
///     key B             seals      opens      forgotten
final class TicketKeys: Sendable {
    static let lifeSeconds: UInt64 = 12 * 3_600

    /// Name, key of the cipher, key of the MAC.
    struct Key: Sendable {
        static let nameBytes = 16
        let bytes: [UInt8]
        let madeSeconds: UInt64

        init(seconds: UInt64) {
            var fresh = [UInt8](repeating: 0, count: Self.nameBytes + 32 + 32)
            OpenSSL.require(RAND_bytes(&fresh, CInt(fresh.count)) == 1, "RAND_bytes")
            (bytes, madeSeconds) = (fresh, seconds)
        }

        var name: ArraySlice<UInt8> { bytes[..<Self.nameBytes] }
        var cipher: ArraySlice<UInt8> { bytes[Self.nameBytes..<Self.nameBytes + 32] }
        var mac: ArraySlice<UInt8> { bytes[(Self.nameBytes + 32)...] }
    }

    private struct Pair: Sendable {
        var newest: Key
        var previous: Key?
    }

    private let keys: Mutex<Pair>
    private let now: @Sendable () -> UInt64

    /// - Parameter now: seconds of a clock that only goes forward.
    init(now: @escaping @Sendable () -> UInt64 = TicketKeys.bootSeconds) {
        self.now = now
        keys = Mutex(Pair(newest: Key(seconds: now())))
    }

    /// The key that seals now. Replaces one whose time is over.
    func sealing() -> Key {
        let seconds = now()
        return keys.withLock { pair in
            Self.rotate(&pair, seconds)
            return pair.newest
        }
    }

    /// The key of a ticket; nil when it is none of ours or too old.
    /// - Returns: also whether the ticket should be replaced by a new one.
    func opening(name: UnsafeRawBufferPointer) -> (key: Key, isOld: Bool)? {
        let seconds = now()
        return keys.withLock { pair in
            Self.rotate(&pair, seconds)
            if pair.newest.name.elementsEqual(name) { return (pair.newest, false) }
            if let previous = pair.previous, previous.name.elementsEqual(name) { return (previous, true) }
            return nil
        }
    }

    private static func rotate(_ pair: inout Pair, _ seconds: UInt64) {
        let age = seconds &- pair.newest.madeSeconds
        guard age >= lifeSeconds else { return }
        pair = Pair(newest: Key(seconds: seconds), previous: age < 2 * lifeSeconds ? pair.newest : nil)
    }

    static let bootSeconds: @Sendable () -> UInt64 = {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return UInt64(time.tv_sec)
    }

    /// Prepares the cipher and the MAC of one ticket, as OpenSSL asks for it (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)).
    /// - Returns: 1: done; 2: done, and a new ticket is due; 0: unknown; -1: failed.
    func prepare(
        name: UnsafeMutablePointer<UInt8>, iv: UnsafeMutablePointer<UInt8>, cipher: OpaquePointer, mac: OpaquePointer,
        isSealing: Bool
    ) -> CInt {
        var answer: CInt = 1
        let key: Key
        if isSealing {
            key = sealing()
            guard RAND_bytes(iv, 16) == 1 else { return -1 }
            for (index, byte) in key.name.enumerated() { name[index] = byte }
        } else {
            guard let found = opening(name: UnsafeRawBufferPointer(start: name, count: Key.nameBytes)) else { return 0 }
            key = found.key
            if found.isOld { answer = 2 }
        }
        let hasCipher = Array(key.cipher).withUnsafeBufferPointer {
            EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nil, $0.baseAddress, iv, isSealing ? 1 : 0)
        }
        let hasMAC = Array(key.mac).withUnsafeBufferPointer {
            copenssl_prepare_mac(mac, $0.baseAddress, $0.count)
        }
        return hasCipher == 1 && hasMAC == 1 ? answer : -1
    }
}
