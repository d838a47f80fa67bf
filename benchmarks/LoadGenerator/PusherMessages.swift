internal import Crypto
internal import PusherProtocol
internal import Wire

/// The bytes a Pusher client and an API client send. One per worker; every function leaves its bytes in `bytes`.
final class PusherMessages {
    private let target: Target
    private let signer: HMACKey
    private var text: [UInt8] = []
    private var body: [UInt8] = []
    private var unixSeconds = ""
    private var maskKey: UInt32 = 0x9E37_79B9
    /// What the last call made.
    private(set) var bytes: [UInt8] = []

    init(target: Target) {
        self.target = target
        signer = HMACKey(secret: Array(target.secret.utf8).span)
    }

    /// Unix time for signatures; about each second.
    func setTime(unixSeconds: Int) { self.unixSeconds = String(unixSeconds) }

    // MARK: WebSocket

    /// The opening handshake (RFC 6455 §4.1). The key need not be secret, so one serves all.
    func upgrade(channel: String) {
        bytes.removeAll(keepingCapacity: true)
        let path =
            target.raw.map { Self.filled($0.subscribePath, channel: channel) }
            ?? "\(target.pathPrefix)/app/\(target.key)?protocol=7&client=bench&version=1"
        add("GET \(path) HTTP/1.1\r\nHost: \(target.host)\r\n")
        add("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n")
        add(
            "Sec-WebSocket-Version: 13\r\n\(target.raw?.language == .mqtt ? "Sec-WebSocket-Protocol: mqtt\r\n" : "")\r\n"
        )
    }

    /// A raw client's subscription, if the path does not say it.
    func addRawSubscribe(_ channel: String, _ raw: RawDialect) {
        guard !raw.subscribeFrame.isEmpty else { return }
        text = Array(Self.filled(raw.subscribeFrame, channel: channel).utf8)
        addFrame()
    }

    /// `{channel}` and `{data}` replaced.
    private static func filled(_ template: String, channel: String, data: String = "") -> String {
        var out = ""
        var rest = template[...]
        while let open = rest.firstIndex(of: "{") {
            out += rest[..<open]
            rest = rest[open...]
            if rest.hasPrefix("{channel}") {
                out += channel
                rest = rest.dropFirst(9)
            } else if rest.hasPrefix("{data}") {
                out += data
                rest = rest.dropFirst(6)
            } else {
                out.append("{")
                rest = rest.dropFirst()
            }
        }
        return out + rest
    }

    /// Starts a message of several frames; `addSubscribe` and the like add to it.
    func begin() { bytes.removeAll(keepingCapacity: true) }

    /// `channelData` is the text of a presence channel's member.
    func addSubscribe(_ channel: String, socketID: [UInt8], isSigned: Bool, channelData: String?) {
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: "{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"\(channel)\"".utf8)
        if isSigned {
            var signed = socketID
            signed.append(UInt8(ascii: ":"))
            signed.append(contentsOf: channel.utf8)
            if let channelData { signed.append(contentsOf: ":\(channelData)".utf8) }
            text.append(contentsOf: ",\"auth\":\"\(target.key):".utf8)
            signer.sign(signed.span).appendHex(to: &text)
            text.append(UInt8(ascii: "\""))
            if let channelData {
                text.append(contentsOf: ",\"channel_data\":".utf8)
                let data = Array(channelData.utf8)
                JSON.appendQuoted(data.span, to: &text)
            }
        }
        text.append(contentsOf: "}}".utf8)
        addFrame()
    }

    func addUnsubscribe(_ channel: String) {
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"\(channel)\"}}".utf8)
        addFrame()
    }

    func addClientEvent(_ channel: String, _ stamp: Stamp, payloadBytes: Int) {
        text.removeAll(keepingCapacity: true)
        if let raw = target.raw {
            var payload: [UInt8] = []
            Self.appendPayload(stamp, payloadBytes, to: &payload)
            let data = String(decoding: payload, as: UTF8.self)
            text = Array(Self.filled(raw.publishFrame, channel: channel, data: data).utf8)
            return addFrame()
        }
        text.append(contentsOf: "{\"event\":\"client-bench\",\"channel\":\"".utf8)
        text.append(contentsOf: channel.utf8)
        text.append(contentsOf: "\",\"data\":\"".utf8)
        Self.appendPayload(stamp, payloadBytes, to: &text)
        text.append(contentsOf: "\"}".utf8)
        addFrame()
    }

    func addPing() {
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: "{\"event\":\"pusher:ping\",\"data\":{}}".utf8)
        addFrame()
    }

    func addPong() {
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: "{\"event\":\"pusher:pong\",\"data\":{}}".utf8)
        addFrame()
    }

    func addBinary(_ payload: [UInt8]) {
        WebSocketFrame.appendMasked(.binary, payload: payload.span, key: nextMask(), to: &bytes)
    }

    /// The answer to a WebSocket ping (RFC 6455 §5.5.2).
    func addControlPong(_ payload: UnsafeBufferPointer<UInt8>) {
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: payload)
        let text = text
        WebSocketFrame.appendMasked(.pong, payload: text.span, key: nextMask(), to: &bytes)
    }

    private func addFrame() {
        let text = text
        WebSocketFrame.appendMasked(.text, payload: text.span, key: nextMask(), to: &bytes)
    }

    /// Masks protect proxies from pages, not us: any changing number will do.
    private func nextMask() -> UInt32 {
        maskKey = maskKey &* 1_664_525 &+ 1_013_904_223
        return maskKey
    }

    // MARK: API

    /// Starts the body of a call that publishes; `isBatch` chooses the path.
    func beginPublish(isBatch: Bool) {
        body.removeAll(keepingCapacity: true)
        if isBatch { body.append(contentsOf: "{\"batch\":[".utf8) }
    }

    func addEvent(_ channel: String, _ stamp: Stamp, payloadBytes: Int, isBatch: Bool) {
        if body.last == UInt8(ascii: "}") { body.append(UInt8(ascii: ",")) }
        body.append(
            contentsOf: (isBatch ? "{\"name\":\"bench\",\"channel\":\"" : "{\"name\":\"bench\",\"channels\":[\"").utf8)
        body.append(contentsOf: channel.utf8)
        body.append(contentsOf: (isBatch ? "\",\"data\":\"" : "\"],\"data\":\"").utf8)
        Self.appendPayload(stamp, payloadBytes, to: &body)
        body.append(contentsOf: "\"}".utf8)
    }

    /// Ends the body and makes the signed request.
    func endPublish(isBatch: Bool) {
        if isBatch { body.append(contentsOf: "]}".utf8) }
        sign("POST", isBatch ? "/batch_events" : "/events", info: "")
    }

    /// Posts one event to a server that is no Pusher server: what a Pusher server would send to its clients, so that as many bytes travel.
    func rawPublish(_ channel: String, _ stamp: Stamp, payloadBytes: Int, _ raw: RawDialect) {
        body.removeAll(keepingCapacity: true)
        body.append(contentsOf: "{\"event\":\"bench\",\"channel\":\"\(channel)\",\"data\":\"".utf8)
        Self.appendPayload(stamp, payloadBytes, to: &body)
        body.append(contentsOf: "\"}".utf8)
        bytes.removeAll(keepingCapacity: true)
        switch raw.language {
        case .frames: break
        case .mqtt: return addBinary(MQTT.publish(channel, body))
        case .redis:
            bytes = RESP.command([Array("PUBLISH".utf8), Array(channel.utf8), body])
            return
        }
        add("POST \(Self.filled(raw.publishPath, channel: channel)) HTTP/1.1\r\nHost: \(target.host)\r\n")
        add("Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n")
        bytes.append(contentsOf: body)
    }

    /// A state query: the channels of the app, or one channel.
    func query(_ path: String, info: String) {
        body.removeAll(keepingCapacity: true)
        sign("GET", path, info: info)
    }

    private func sign(_ method: String, _ path: String, info: String) {
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: method.utf8)
        text.append(UInt8(ascii: "\n"))
        let pathStart = text.count
        text.append(contentsOf: "\(target.pathPrefix)/apps/\(target.appID)\(path)".utf8)
        let pathEnd = text.count
        text.append(UInt8(ascii: "\n"))
        let queryStart = text.count
        text.append(contentsOf: "auth_key=\(target.key)&auth_timestamp=\(unixSeconds)&auth_version=1.0".utf8)
        if !body.isEmpty {
            text.append(contentsOf: "&body_md5=".utf8)
            let signed = body
            let digest = Digest.md5(signed.span)
            Hex.appendLowercase(digest.span, to: &text)
        }
        if !info.isEmpty { text.append(contentsOf: "&info=\(info)".utf8) }
        let signed = text
        let signature = signer.sign(signed.span)
        bytes.removeAll(keepingCapacity: true)
        add(method)
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: text[pathStart..<pathEnd])
        bytes.append(UInt8(ascii: "?"))
        bytes.append(contentsOf: text[queryStart...])
        add("&auth_signature=")
        signature.appendHex(to: &bytes)
        add(" HTTP/1.1\r\nHost: \(target.host)\r\n")
        if !body.isEmpty { add("Content-Type: application/json\r\nContent-Length: \(body.count)\r\n") }
        add("\r\n")
        bytes.append(contentsOf: body)
    }

    private func add(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private static func appendPayload(_ stamp: Stamp, _ count: Int, to out: inout [UInt8]) {
        stamp.append(to: &out)
        if count > Stamp.byteCount {
            out.append(contentsOf: repeatElement(UInt8(ascii: "x"), count: count - Stamp.byteCount))
        }
    }
}

@available(*, unavailable) extension PusherMessages: Sendable {}
