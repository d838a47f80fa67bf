internal import PusherProtocol
internal import Wire

extension LoopBroker {
    /// Acts on one text message of a client; the answers are in `effects`.
    ///
    /// Nothing a client sends closes its socket here: what cannot be read is answered by `pusher:error` (PW-030…PW-032).
    public func receive(slot: UInt32, message bytes: Span<UInt8>) {
        guard isOpen(slot) else { return }
        let noted = effects.notes.count
        var scratch = take(&decoded)
        do throws(ClientMessageError) {
            let message = try ClientMessage.parse(bytes, scratch: &scratch)
            act(on: message, slot: slot, bytes: bytes, scratch: scratch)
            if effects.notes.count > noted {
                effects.notes.complete(from: noted, channel: scratch.span.extracting(message.channel))
            }
        } catch {
            fail(slot: slot, code: nil, error.text)
        }
        decoded = scratch
    }

    private func act(on message: ClientMessage, slot: UInt32, bytes: Span<UInt8>, scratch: [UInt8]) {
        let texts = scratch.span
        switch message.kind {
        case .ping: effects.frame(to: slot) { ServerFrame.pong(to: &$0) }
        case .pong, .ignored: break
        case .subscribe:
            subscribe(
                slot: slot, name: texts.extracting(message.channel), auth: texts.extracting(message.auth),
                channelData: texts.extracting(message.channelData))
        case .unsubscribe: unsubscribe(slot: slot, name: texts.extracting(message.channel))
        case .signin:
            signIn(slot: slot, auth: texts.extracting(message.auth), userData: texts.extracting(message.userData))
        case .clientEvent:
            guard let name = message.name, let data = message.data else { return }
            // Characters are counted only where the bytes do not settle it.
            let isShort = name.decodedBytes <= app(of: slot).settings.limits.eventNameCharactersMax
            let characters = isShort ? name.decodedBytes : message.nameCharacters(in: bytes)
            let channel = texts.extracting(message.channel)
            // A string goes on as it lies in the message; anything else has to be written as one first.
            if data.kind == .string {
                return clientEvent(
                    slot: slot, eventLiteral: bytes.extracting(name.range), nameCharacters: characters,
                    channel: channel, dataLiteral: bytes.extracting(data.range), dataBytes: message.dataBytes)
            }
            var written = take(&literal)
            written.removeAll(keepingCapacity: true)
            message.appendDataLiteral(in: bytes, to: &written)
            clientEvent(
                slot: slot, eventLiteral: bytes.extracting(name.range), nameCharacters: characters,
                channel: channel, dataLiteral: written.span, dataBytes: message.dataBytes)
            literal = written
        }
    }
}
