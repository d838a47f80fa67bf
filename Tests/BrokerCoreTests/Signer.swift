import BrokerCore
import Crypto
import PusherProtocol

/// An app's backend: it signs what its clients may do.
struct Signer {
    let key: AppKey

    init(_ settings: AppSettings) { self.init(AppKey(key: settings.keys[0].key, secret: settings.keys[0].secret)) }

    init(_ key: AppKey) { self.key = key }

    func sign(_ text: String) -> String {
        var out = key.key + [UInt8(ascii: ":")]
        let bytes = Array(text.utf8)
        key.secret.sign(bytes.span).appendHex(to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    func channel(_ name: String, socket: String, data: String? = nil) -> String {
        sign(socket + ":" + name + (data.map { ":" + $0 } ?? ""))
    }

    func user(_ userData: String, socket: String) -> String { sign(socket + "::user::" + userData) }
}
