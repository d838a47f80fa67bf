internal import Wire

/// Why a request to `/app/{key}` is no WebSocket handshake, and what to change (RFC 6455 §4.2.1, PW-166).
///
/// `Upgrade` and `Connection` are for one hop only, so a proxy that was not told drops them: the commonest reason by far.
struct UpgradeFault: Equatable {
    let status: Int
    let text: String

    private init(_ status: Int, _ text: String) {
        (self.status, self.text) = (status, text)
    }

    /// Nil: it is a handshake. `trustsProxy`: the operator said that there is a proxy.
    init?(_ head: HTTPRequestHead, _ bytes: Span<UInt8>, trustsProxy: Bool) {
        if let fault = Self.method(head) ?? Self.upgrade(head, trustsProxy) ?? Self.webSocket(head, bytes) {
            self = fault
        } else {
            return nil
        }
    }

    private static func method(_ head: HTTPRequestHead) -> UpgradeFault? {
        // HEAD is answered as GET is, and must not change the protocol.
        guard head.method != .get, head.upgradesToWebSocket else { return nil }
        return UpgradeFault(426, "A WebSocket handshake is a GET request")
    }

    private static func upgrade(_ head: HTTPRequestHead, _ trustsProxy: Bool) -> UpgradeFault? {
        let isOld = head.minorVersion == 0
        guard isOld || !head.upgradesToWebSocket else { return nil }
        let cameThroughProxy = trustsProxy || isOld || head.forwardedFor != nil || head.isForwardedTLS != nil
        let found =
            switch (head.upgradeNamesWebSocket, head.connectionNamesUpgrade) {
            case (false, false): "This path is for WebSocket clients, and the request has no Upgrade: websocket header"
            case (true, false): "The request has Upgrade: websocket, but its Connection header does not name upgrade"
            case (false, true): "The request has Connection: upgrade, but no Upgrade: websocket header"
            case (true, true): "A WebSocket handshake needs HTTP/1.1, and the request is HTTP/1.0"
            }
        let who = cameThroughProxy ? "the proxy in front" : "connect with a Pusher client library; a proxy in front"
        return UpgradeFault(
            426,
            "\(found): \(who) must speak HTTP/1.1 and pass Upgrade and Connection (nginx: proxy_http_version 1.1; "
                + "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;)")
    }

    private static func webSocket(_ head: HTTPRequestHead, _ bytes: Span<UInt8>) -> UpgradeFault? {
        let passed = "a proxy in front must pass the Sec-WebSocket headers as they came"
        guard let version = head.webSocketVersion else {
            return UpgradeFault(426, "The handshake has no Sec-WebSocket-Version header, which must be 13; \(passed)")
        }
        guard bytes.equals(version, "13") else {
            return UpgradeFault(426, "Only Sec-WebSocket-Version 13 is spoken here")
        }
        guard let key = head.webSocketKey else {
            return UpgradeFault(400, "The handshake has no Sec-WebSocket-Key header; \(passed)")
        }
        guard WebSocketHandshake.isValidKey(bytes.extracting(key)) else {
            return UpgradeFault(400, "Sec-WebSocket-Key must be the base 64 of 16 bytes")
        }
        return nil
    }
}
