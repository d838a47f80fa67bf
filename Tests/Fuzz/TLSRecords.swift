// TLS records of a hostile peer. First byte: what to do; the rest: the peer's bytes, or how honest records are spoilt.
internal import COpenSSL
internal import Glibc

#if canImport(TLS)
    import TLS
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 1 else { return 0 }
    let input = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    switch start[0] & 3 {
    case 0: fuzzHello(input, piece: Int(start[0] >> 2) + 1)
    case 1: fuzzHello([22, 3, 1, UInt8(input.count >> 8), UInt8(input.count & 255)] + input, piece: .max)
    default: fuzzTalk(input, isOld: start[0] & 4 != 0)
    }
    return 0
}

private final class Stage {
    let room: TLSRoom
    let clients: [TLSClientContext]

    init() {
        do throws(TLSProblem) {
            room = TLSRoom(try TLSKeeper([Stage.files()]))
            clients = [
                try TLSClientContext(.anybody), try TLSClientContext(.anybody, newest: .tls12),
            ]
        } catch { preconditionFailure(error.text) }
    }

    private static func files() -> TLSFiles {
        let files = TLSFiles(certificate: "/tmp/fuzz-\(getpid()).crt", key: "/tmp/fuzz-\(getpid()).key")
        guard let key = copenssl_new_key(), let certificate = X509_new() else { preconditionFailure("no key") }
        X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
        X509_gmtime_adj(X509_getm_notAfter(certificate), 1_000_000)
        X509_set_pubkey(certificate, key)
        X509_sign(certificate, key, EVP_sha256())
        let out = BIO_new_file(files.certificate, "w"), other = BIO_new_file(files.key, "w")
        PEM_write_bio_X509(out, certificate)
        PEM_write_bio_PKCS8PrivateKey(other, key, nil, nil, 0, nil, nil)
        BIO_free(out)
        BIO_free(other)
        X509_free(certificate)
        EVP_PKEY_free(key)
        return files
    }

    func server() -> TLSLayer {
        guard let layer = room.accept() else { preconditionFailure("no memory") }
        return layer
    }
}

nonisolated(unsafe) private let stage = Stage()

/// Opens all that there is.
private func open(_ layer: TLSLayer, _ heard: inout [UInt8]) -> RecordOpening {
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
        let answer = buffer.withUnsafeMutableBytes { layer.open(into: $0) }
        guard case .bytes(let count) = answer else { return answer }
        precondition(count > 0 && count <= buffer.count, "opened what there was no room for")
        heard += buffer[..<count]
    }
}

private func feed(_ layer: TLSLayer, _ bytes: some Collection<UInt8>) {
    Array(bytes).withUnsafeBytes { layer.feed($0) }
}

private func take(_ layer: TLSLayer) -> [UInt8] {
    var all: [UInt8] = []
    while layer.outgoingCount > 0 {
        all += layer.outgoing
        layer.sent(layer.outgoing.count)
    }
    return all
}

/// No bytes establish anything without a handshake, and what the server owes for them is bounded.
private func fuzzHello(_ input: [UInt8], piece: Int) {
    let server = stage.server(), bystander = stage.server()
    var heard: [UInt8] = []
    var at = 0
    while at < input.count {
        let end = min(input.count, at + min(piece, input.count))
        feed(server, input[at..<end])
        let answer = open(server, &heard)
        if answer == .failed { precondition(server.failure != nil, "failed without a reason") }
        precondition(!server.isEstablished && heard.isEmpty, "a handshake out of nothing")
        precondition(server.outgoingCount < 16_384, "too many words for a stranger")
        // Somebody else of the same loop is not touched.
        precondition(open(bystander, &heard) == .needsInput && bystander.outgoingCount == 0, "it reached another")
        at = end
    }
    server.sayGoodbye()
}

/// After an honest handshake records are spoilt: what is heard is a beginning of what was said, and nothing else.
private func fuzzTalk(_ script: [UInt8], isOld: Bool) {
    let server = stage.server()
    guard let client = TLSLayer(connecting: stage.clients[isOld ? 1 : 0], to: "localhost", in: stage.room) else {
        return
    }
    var (heard, answered): ([UInt8], [UInt8]) = ([], [])
    for _ in 0..<4 {
        _ = open(client, &answered)
        feed(server, take(client))
        _ = open(server, &heard)
        feed(client, take(server))
    }
    precondition(client.isEstablished && server.isEstablished, "an honest handshake failed")
    var said: [UInt8] = []
    var wire: [UInt8] = []
    for (index, byte) in script.prefix(64).enumerated() {
        let words = [UInt8](repeating: byte, count: Int(byte) + 1)
        said += words
        _ = words.withUnsafeBytes { client.seal($0) }
        wire += take(client)
        switch byte & 7 {
        case 1: wire[Int(byte) * 7 % wire.count] ^= 1 << (byte >> 5)
        case 2: wire.removeLast(min(wire.count, index + 1))
        case 3: wire += [21, 3, 3, 0, 2, 1, byte]
        case 4: wire.insert(contentsOf: [byte, 3, 3, 0, 1, 0], at: 0)
        default: break
        }
        feed(server, wire)
        wire = []
        let answer = open(server, &heard)
        precondition(said.starts(with: heard), "something was heard that was not said")
        precondition(server.outgoingCount < 16_384, "too many words for a liar")
        if answer == .failed { break }
    }
    server.sayGoodbye()
    _ = [UInt8](repeating: 0, count: 10).withUnsafeBytes { server.seal($0) }
}
