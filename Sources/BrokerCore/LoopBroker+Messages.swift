internal import PusherProtocol
internal import Wire

extension LoopBroker {
    /// Acts on one text message of a client. Effects: its answers, and loops to wake.
    ///
    /// Nothing a client sends closes its connection here: what cannot be read is answered by `pusher:error` (PW-030…PW-032).
    public func receive(slot: UInt32, message bytes: Span<UInt8>) {
        guard isOpen(slot) else { return }
        let noted = effects.notes.count
        var decoded = Scratch.take(&scratch.decoded)
        do throws(ClientMessageError) {
            let message = try ClientMessage.parse(bytes, scratch: &decoded)
            act(on: message, slot: slot, bytes: bytes, texts: decoded.span)
            if effects.notes.count > noted {
                effects.notes.complete(from: noted, channel: decoded.span.extracting(message.channel))
            }
        } catch {
            answer(error, slot: slot, texts: decoded.span)
        }
        scratch.decoded = decoded
    }

    /// A command that cannot be read fails like one that is refused (Pusher protocol §3.4, §5.1).
    private func answer(_ error: ClientMessageError, slot: UInt32, texts: Span<UInt8>) {
        switch error.kind {
        case .subscribe:
            let refusal = SubscriptionRefusal.unreadable(error.text)
            // There is no name to answer for, unless it is a string that is no text.
            guard error.channelLiteral.isEmpty else {
                return refuse(slot: slot, channelLiteral: texts.extracting(error.channelLiteral), refusal)
            }
            refuse(slot: slot, channel: texts.extracting(0..<0), refusal)
        case .signin: refuse(slot: slot, SignInRefusal.unreadable(error.text))
        case .ping, .pong, .unsubscribe, .clientEvent, .ignored, nil:
            refuse(slot: slot, MessageRefusal.unreadable(error.text))
        }
    }

    private func act(on message: ClientMessage, slot: UInt32, bytes: Span<UInt8>, texts: Span<UInt8>) {
        switch message.kind {
        case .ping: effects.frame(to: slot) { ServerFrame.pong(to: &$0) }
        case .pong, .ignored: break
        case .subscribe:
            subscribe(
                slot: slot, name: texts.extracting(message.channel), auth: message.auth,
                channelData: message.channelData, texts: texts)
        case .unsubscribe: unsubscribe(slot: slot, name: texts.extracting(message.channel))
        case .signin: signIn(slot: slot, auth: message.auth, userData: message.userData, texts: texts)
        case .clientEvent:
            guard let name = message.name, let data = message.data else { return }
            let app = app(of: slot)
            // Characters are counted only where the bytes do not settle it.
            let isShort = name.decodedBytes <= app.settings.limits.eventNameCharactersMax
            let characters = isShort ? name.decodedBytes : message.nameCharacters(in: bytes)
            let channel = texts.extracting(message.channel)
            // A string goes on as it lies in the message; anything else has to be written as one first.
            if data.kind == .string {
                return clientEvent(
                    slot: slot, app: app, eventLiteral: bytes.extracting(name.range), nameCharacters: characters,
                    channel: channel, dataLiteral: bytes.extracting(data.range), dataBytes: message.dataBytes)
            }
            var written = Scratch.take(&scratch.literal)
            written.removeAll(keepingCapacity: true)
            message.appendDataLiteral(in: bytes, to: &written)
            clientEvent(
                slot: slot, app: app, eventLiteral: bytes.extracting(name.range), nameCharacters: characters,
                channel: channel, dataLiteral: written.span, dataBytes: message.dataBytes)
            scratch.literal = written
        }
    }
}
