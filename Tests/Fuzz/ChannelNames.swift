// Channel names, client messages and identities: whatever is accepted can go out again in a frame that reads as JSON.
#if canImport(PusherProtocol)
    import PusherProtocol
    import Wire
#endif

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    name(bytes)
    message(bytes)
    if let member = try? PresenceMember.parse(bytes.span, userIDCharactersMax: 20) {
        precondition(!member.userID.isEmpty && keepsTheRule(member.userID), "a member without a good id")
        var ids: [UInt8] = []
        var hash: [UInt8] = []
        ServerFrame.appendIDFragment(userID: member.userID.span, to: &ids)
        if let info = member.userInfo {
            ServerFrame.appendHashFragment(
                userID: member.userID.span, userInfoJSON: bytes.span.extracting(info), to: &hash)
        } else {
            ServerFrame.appendHashFragment(userID: member.userID.span, userInfoJSON: nil, to: &hash)
        }
        var frame: [UInt8] = []
        let channel = Array("presence-x".utf8)
        ServerFrame.presenceSucceeded(
            channel: channel.span, count: 1, idsEscaped: ids.span, hashEscaped: hash.span, to: &frame)
        reads(frame, depthOfData: 4)
    }
    if let user = try? UserData.parse(bytes.span, watchlistMax: 3, userIDCharactersMax: 20) {
        precondition(
            user.watchlist.count <= 3 && ([user.id] + user.watchlist).allSatisfy(keepsTheRule), "beyond the limits")
        var frame: [UInt8] = []
        ServerFrame.signinSuccess(userData: bytes.span, to: &frame)
        reads(frame, depthOfData: 1)
        frame.removeAll()
        ServerFrame.watchlistEvents(online: user.watchlist, offline: [user.id], to: &frame)
        reads(frame, depthOfData: 4)
    }
    return 0
}

/// Whoever has this id can be published to.
private func keepsTheRule(_ id: [UInt8]) -> Bool {
    let name = Array("#server-to-user-".utf8) + id
    return (try? ChannelName.classify(name.span, bytesMax: 1, userIDCharactersMax: 20)) == ChannelKind(access: .user)
}

private func name(_ bytes: [UInt8]) {
    _ = SocketID.parse(bytes.span)
    guard let kind = try? ChannelName.classify(bytes.span, bytesMax: 200, userIDCharactersMax: 200) else { return }
    precondition(!bytes.isEmpty && bytes.count <= 816, "a name beyond the limit")
    // The definition again, by strings: the access class and the cache flag never depend on each other.
    let text = String(decoding: bytes, as: UTF8.self)
    let isEncrypted = text.hasPrefix("private-encrypted-")
    let access: ChannelKind.Access =
        text.hasPrefix("#")
        ? .user
        : isEncrypted
            ? .encrypted : text.hasPrefix("private-") ? .private : text.hasPrefix("presence-") ? .presence : .public
    let caches = ["private-encrypted-cache-", "private-cache-", "presence-cache-", "cache-"]
    precondition(kind == ChannelKind(access: access, isCache: caches.contains { text.hasPrefix($0) }), "wrong kind")
    var frame: [UInt8] = []
    ServerFrame.subscriptionSucceeded(channel: bytes.span, to: &frame)
    reads(frame, depthOfData: 1)
}

private func message(_ bytes: [UInt8]) {
    var scratch: [UInt8] = []
    let message: ClientMessage
    do throws(ClientMessageError) {
        message = try ClientMessage.parse(bytes.span, scratch: &scratch)
    } catch {
        guard !error.channelLiteral.isEmpty else { return }
        var frame: [UInt8] = []
        ServerFrame.subscriptionError(
            channelLiteral: scratch.span.extracting(error.channelLiteral), .auth, error: error.text, to: &frame)
        var cursor = JSONCursor()
        precondition((try? cursor.value(frame.span)) != nil && (try? cursor.finish(frame.span)) != nil, "no JSON")
        return
    }
    for place in [message.channel, message.auth.range, message.channelData.range, message.userData.range] {
        guard let place else { continue }
        precondition(UTF8Check.isValid(scratch.span.extracting(place)), "a field outside its scratch, or no text")
    }
    guard message.kind == .clientEvent, let name = message.name else { return }
    var data: [UInt8] = []
    message.appendDataLiteral(in: bytes.span, to: &data)
    _ = message.nameCharacters(in: bytes.span)
    let user = Array("u\"1".utf8), channel = Array("private-x".utf8)
    var frame: [UInt8] = []
    ServerFrame.event(
        nameLiteral: bytes.span.extracting(name.range), channel: channel.span, dataLiteral: data.span,
        to: &frame)
    ServerFrame.appendUserID(user.span, to: &frame)
    reads(frame, depthOfData: nil)
}

/// A frame is one JSON object whose `data` is a string, which holds an object unless `depthOfData` is nil.
private func reads(_ frame: [UInt8], depthOfData: Int?) {
    var cursor = JSONCursor()
    do throws(JSONError) {
        try cursor.beginObject(frame.span)
        while let (key, value) = try cursor.nextMember(frame.span) {
            precondition(value.kind == .string, "every member of these frames is a string")
            guard JSON.equals(key, "data", in: frame.span), let depthOfData else { continue }
            var data: [UInt8] = []
            let isText = JSON.appendDecoded(value, in: frame.span, to: &data)
            precondition(isText, "data of the broker's own is no text")
            // What an app put in (16 levels) stands inside the frame's own.
            var inner = JSONCursor(depthMax: 16 + depthOfData)
            let object = try inner.value(data.span)
            try inner.finish(data.span)
            precondition(object.kind == .object, "data is no object")
        }
        try cursor.finish(frame.span)
    } catch {
        preconditionFailure("a frame does not read: \(error.text)")
    }
}
