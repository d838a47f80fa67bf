import Crypto
import PusherProtocol
import Testing
import Wire

/// The credentials of every vector in Pusher protocol, appendix A.
let vectorKeyText = "278d425bdf160c739803"
let vectorKey = AppKey(key: vectorKeyText, secret: "7ad3773142a6692b25b8")
let otherKey = AppKey(key: "other-key", secret: "other-secret")

/// What an encoder appended, as text.
func text(_ encode: (inout [UInt8]) -> Void) -> String {
    var out: [UInt8] = []
    encode(&out)
    return String(decoding: out, as: UTF8.self)
}

func string(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }

/// HMAC-SHA256 as hex with the vectors' secret, or another key's.
func hexSignature(_ message: String, _ key: AppKey = vectorKey) -> String {
    let message = Array(message.utf8), digest = key.secret.sign(message.span)
    return text { digest.appendHex(to: &$0) }
}

func md5(_ body: String) -> String {
    let bytes = Array(body.utf8), digest = Digest.md5(bytes.span)
    return text { Hex.appendLowercase(digest.span, to: &$0) }
}

/// The members of a JSON object by name: strings decoded, other values as raw text. Fails when the text is not one object.
func members(_ json: String) throws -> [String: String] {
    let bytes = Array(json.utf8)
    var found: [String: String] = [:], cursor = JSONCursor()
    try cursor.beginObject(bytes.span)
    while let (key, value) = try cursor.nextMember(bytes.span) {
        var name: [UInt8] = [], text: [UInt8] = []
        let isNamed = JSON.appendDecoded(key, in: bytes.span, to: &name)
        // A string cut through a character has no text: its literal stands for it.
        let isText = value.kind == .string && JSON.appendDecoded(value, in: bytes.span, to: &text)
        #expect(isNamed)
        found[string(name)] = string(isText ? text : Array(bytes[value.range]))
    }
    try cursor.finish(bytes.span)
    return found
}
