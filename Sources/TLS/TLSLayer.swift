internal import COpenSSL
public import Reactor

/// TLS of one connection. Holds no buffer while it rests: what passes is in the loop's `TLSRoom`, and only what could not pass (the rest of a
/// record that the kernel did not take, records that were not asked for) is kept here. Loop thread only.
///
/// Because the BIO never refuses to write, no call of OpenSSL's is ever half done, and none has to be repeated with the same bytes. Each call
/// whose outcome is judged finds the thread's error queue empty, or another connection's error would be taken for its own.
///
///     handshaking ──▶ established ──their close_notify──▶ ended
///          └───────────────┴──── any error ──▶ failed: OpenSSL is asked nothing more
public final class TLSLayer: RecordLayer {
    /// Plaintext that one `SSL_write` takes: eight full records, which leave in one `send`.
    static let sealBytesMax = 8 * 16_384
    /// Records of its own that a peer may make us owe (alerts, mostly) without taking any.
    static let owedBytesMax = 512 * 1_024

    /// What could not leave the room, or was not asked for yet: a block of its own, which those at rest are spared.
    private final class Kept {
        var input = ByteRoom()
        var output = ByteRoom()
        deinit {
            input.free()
            output.free()
        }
    }

    let ssl: OpaquePointer
    private let room: TLSRoom
    /// OpenSSL's callbacks refer to it without a reference; a client has none.
    private let context: TLSContext?
    /// Nil while it rests.
    private var kept: Kept?
    public private(set) var isEstablished = false
    private var hasEnded = false
    private var hasSaidGoodbye = false
    /// Why it failed.
    public private(set) var failure: TLSFailure?
    /// What the peer said then (RFC 8446 §6); 0: nothing.
    private(set) var alert: UInt8 = 0

    init?(accepting context: TLSContext, in room: TLSRoom) {
        guard let ssl = Self.make(context.contexts[0], room) else { return nil }
        SSL_set_accept_state(ssl)
        (self.ssl, self.room, self.context) = (ssl, room, context)
    }

    /// The other side, which speaks first.
    /// - Parameter host: what the server is asked for and, if the context trusts somebody, has to be; an IP address is not asked for (RFC 6066 §3).
    public init?(connecting client: TLSClientContext, to host: String?, in room: TLSRoom) {
        guard let ssl = Self.make(client.context, room) else { return nil }
        SSL_set_connect_state(ssl)
        (self.ssl, self.room, context) = (ssl, room, nil)
        guard let host else { return }
        // Judged by the certificate's addresses, and otherwise by its names.
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1 { return }
        // A name's root is not said (RFC 6066 §3), and in no certificate.
        let name = host.hasSuffix(".") ? String(host.dropLast()) : host
        // Only the names that are meant for it (RFC 9525 §6.3), of which `*` is a whole label.
        SSL_set_hostflags(
            ssl, CUnsignedInt(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        let isNamed = copenssl_set_server_name(ssl, name) == 1 && (!client.isChecking || SSL_set1_host(ssl, name) == 1)
        OpenSSL.require(isNamed, "SSL_set1_host")
    }

    private static func make(_ context: OpaquePointer, _ room: TLSRoom) -> OpaquePointer? {
        ERR_clear_error()
        guard let ssl = SSL_new(context) else { return nil }
        BIO_up_ref(room.bio)
        // One reference is for both directions when they are the same.
        SSL_set_bio(ssl, room.bio, room.bio)
        return ssl
    }

    deinit {
        room.leave(self)
        SSL_free(ssl)
    }

    public var hasFailed: Bool { failure != nil }

    // MARK: Reading

    public func feed(_ bytes: UnsafeRawBufferPointer) {
        room.enter(self)
        room.input.append(bytes, slack: true)
    }

    public var incomingCount: Int {
        (kept?.input.count ?? 0) + (room.isCurrent(self) ? room.input.count : 0) + Int(SSL_pending(ssl))
    }

    /// For the BIO: what was kept is older than what is in the room.
    func readRecords(_ target: UnsafeMutableRawPointer, _ count: Int) -> Int {
        guard let kept, kept.input.count > 0 else { return room.input.take(into: target, max: count) }
        defer { forgetEmpty() }
        return kept.input.take(into: target, max: count)
    }

    private func forgetEmpty() {
        if let kept, kept.input.count + kept.output.count == 0 { self.kept = nil }
    }

    public func open(into plaintext: UnsafeMutableRawBufferPointer) -> RecordOpening {
        guard failure == nil else { return .failed }
        guard !hasEnded else { return .ended }
        room.enter(self)
        if !isEstablished {
            ERR_clear_error()
            let answer = SSL_do_handshake(ssl)
            guard answer == 1 else { return judge(answer) }
            isEstablished = true
        }
        var count = 0
        ERR_clear_error()
        let answer = SSL_read_ex(ssl, plaintext.baseAddress, plaintext.count, &count)
        guard answer == 1 else { return judge(answer) }
        return .bytes(count)
    }

    private func judge(_ answer: CInt) -> RecordOpening {
        switch SSL_get_error(ssl, answer) {
        case SSL_ERROR_WANT_READ:
            guard outgoingCount <= Self.owedBytesMax else { return fail(.record) }
            return .needsInput
        case SSL_ERROR_ZERO_RETURN:
            hasEnded = true
            return .ended
        default: return fail(takeFailure())
        }
    }

    private func takeFailure() -> TLSFailure {
        let error = OpenSSL.takeError()
        alert = TLSFailure.alert(openSSL: error)
        return TLSFailure(openSSL: error)
    }

    private func fail(_ why: TLSFailure) -> RecordOpening {
        failure = why
        ERR_clear_error()
        return .failed
    }

    // MARK: Writing

    public func seal(_ plaintext: UnsafeRawBufferPointer) -> Int {
        // To write nothing would count as an error of the connection's.
        guard isEstablished, failure == nil, !hasSaidGoodbye, plaintext.count > 0 else { return 0 }
        room.enter(self)
        var count = 0
        ERR_clear_error()
        let answer = SSL_write_ex(ssl, plaintext.baseAddress, min(plaintext.count, Self.sealBytesMax), &count)
        guard answer == 1 else {
            _ = fail(takeFailure())
            return 0
        }
        return count
    }

    public var outgoing: UnsafeRawBufferPointer {
        if let kept, kept.output.count > 0 { return kept.output.bytes }
        return room.isCurrent(self) ? room.output.bytes : UnsafeRawBufferPointer(start: nil, count: 0)
    }

    public var outgoingCount: Int { (kept?.output.count ?? 0) + (room.isCurrent(self) ? room.output.count : 0) }

    public func sent(_ count: Int) {
        guard let kept, kept.output.count > 0 else { return room.output.drop(count) }
        kept.output.drop(count)
        forgetEmpty()
    }

    /// Once, after the handshake, and not after an error: else OpenSSL takes it amiss, or sends what means nothing.
    public func sayGoodbye() {
        guard isEstablished, failure == nil, !hasSaidGoodbye else { return }
        hasSaidGoodbye = true
        room.enter(self)
        ERR_clear_error()
        // 0: ours is said. Theirs is not waited for.
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    // MARK: Sharing the room

    /// Another connection gets the room: what is left there of this one moves here.
    func takeOver() {
        guard room.input.count + room.output.count > 0 else { return }
        let kept = kept ?? Kept()
        kept.input.append(room.input.bytes, slack: false)
        room.input.drop(room.input.count)
        kept.output.append(room.output.bytes, slack: false)
        room.output.drop(room.output.count)
        self.kept = kept
    }

    // MARK: For tests and figures

    /// No memory but OpenSSL's own.
    var holdsNothing: Bool { kept == nil }

    /// `TLSv1.3 TLS_AES_128_GCM_SHA256`.
    public var spoken: String {
        let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? "-"
        return "\(String(cString: SSL_get_version(ssl))) \(cipher)"
    }

    /// Why a client's handshake failed, for people.
    public var whyNot: String {
        let result = SSL_get_verify_result(ssl)
        guard result == X509_V_OK else {
            return "the server's certificate is not trusted: \(String(cString: X509_verify_cert_error_string(result)))"
        }
        return failure?.textOfClient ?? "the server went away"
    }

    /// The peer had a ticket, and no certificate was shown.
    public var isResumed: Bool { SSL_session_reused(ssl) == 1 }
}

@available(*, unavailable) extension TLSLayer: Sendable {}
