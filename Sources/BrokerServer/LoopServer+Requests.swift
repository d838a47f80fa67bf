internal import Configuration
internal import Reactor
internal import Telemetry
internal import Wire

/// HTTP requests from bytes to whole requests: framing, bodies, deadlines. Pipelined requests are answered in order.
extension LoopServer {
    func receiveRequests(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
        var offset = 0
        do throws(HTTPFailure) {
            while offset < bytes.count, sessions[slot].phase == .http, !sessions[slot].isPostponed,
                canAnswerMore(slot, waiting: bytes.count - offset)
            {
                offset += skip(slot, available: bytes.count - offset)
                guard offset < bytes.count else { break }
                let rest = UnsafeMutableBufferPointer(rebasing: bytes[offset...])
                let taken = try receiveRequest(slot, rest)
                guard taken > 0 else { break }
                offset += taken
            }
        } catch {
            refuse(slot, error)
        }
        switch sessions[slot].phase {
        case .webSocket:
            // Frames may follow the handshake in the same read (PW-017).
            return offset + receiveFrames(slot, UnsafeMutableBufferPointer(rebasing: bytes[offset...]))
        case .http: return offset
        case .ending, .free: return bytes.count
        }
    }

    /// Takes one request, or one piece of a chunked one.
    /// - Returns: bytes consumed; 0 when more are needed.
    private func receiveRequest(_ slot: UInt32, _ bytes: UnsafeMutableBufferPointer<UInt8>) throws(HTTPFailure) -> Int {
        let input = UnsafeBufferPointer(bytes)
        if let chunked = sessions[slot].chunked { return try receiveChunks(slot, chunked, input) }
        if input.first == 0x16 { throw tlsOnPlaintext(slot) }
        guard input.count >= sessions[slot].bytesAwaited else { return 0 }
        guard let head = try HTTPRequestParser.parse(input.span, limits: httpLimits) else {
            if HTTPRequestParser.hasBegun(input.span) { markReceiving(slot) }
            loop.inputLimit(slot, bytes: httpLimits.headBytesMax + 4)
            return 0
        }
        guard !head.hasUnknownExpectation else {
            throw HTTPFailure(status: 417, text: "Only Expect: 100-continue is understood")
        }
        switch head.body {
        case .none: return finish(slot, head, input, bodyBytes: 0)
        case .length(let length):
            let total = head.headBytes + length
            guard input.count >= total else {
                guard wantsBody(slot, head, input, left: total - input.count) else { return input.count }
                markReceiving(slot)
                sessions[slot].bytesAwaited = total
                loop.inputLimit(slot, bytes: total)
                continueIfExpected(slot, head)
                return 0
            }
            return finish(slot, head, input, bodyBytes: length)
        case .chunked:
            guard wantsBody(slot, head, input, left: nil) else { return input.count }
            markReceiving(slot)
            continueIfExpected(slot, head)
            let kept = Array(input[..<head.headBytes])
            sessions[slot].chunked = ChunkedRequest(bytes: kept, head: head, budget: state.inputBudget)
            return head.headBytes
        }
    }

    /// Answers by the head whatever the head decides, so that nothing is kept for a sender who is not known (and who waits for
    /// `100 Continue` gets the answer instead).
    ///
    /// After such an answer a small rest of the body is passed over; before a large one, or one of unknown length, the
    /// connection ends: `finish` reads on for a while, so that the answer is not lost to a reset (RFC 9112 §9.6).
    /// - Parameter left: bytes of the body that are not here yet; nil when nobody knows.
    /// - Returns: whether the body is wanted.
    private func wantsBody(
        _ slot: UInt32, _ head: HTTPRequestHead, _ input: UnsafeBufferPointer<UInt8>, left: Int?
    ) -> Bool {
        guard !sessions[slot].isBodyAdmitted else { return true }
        var head = head
        let isSmall = left.map { $0 <= Self.skippedBytesMax } ?? false
        if !isSmall || head.expectsContinue { head.keepAlive = false }
        let noBody = UnsafeBufferPointer(rebasing: input[..<0])
        answer(slot, RequestView(bytes: input, head: head, body: noBody, isBodyAwaited: true))
        guard !sessions[slot].isBodyAdmitted else { return true }
        requestEnded(slot)
        if sessions[slot].phase == .http {
            sessions[slot].bytesToSkip = left ?? 0
            markReceiving(slot)
        }
        return false
    }

    /// Passes over what is here of a body that nobody wants.
    private func skip(_ slot: UInt32, available: Int) -> Int {
        guard sessions[slot].bytesToSkip > 0 else { return 0 }
        let skipped = min(sessions[slot].bytesToSkip, available)
        sessions[slot].bytesToSkip -= skipped
        if sessions[slot].bytesToSkip == 0 { requestEnded(slot) }
        return skipped
    }

    private func receiveChunks(
        _ slot: UInt32, _ chunked: ChunkedRequest, _ input: UnsafeBufferPointer<UInt8>
    ) throws(HTTPFailure) -> Int {
        var offset = 0
        let isWhole = try chunked.decoder.feed(
            input.span, from: &offset, into: &chunked.body, bodyBytesMax: httpLimits.bodyBytesMax)
        guard chunked.takeHeldBytes() else {
            state.inputBudget.countRefusal()
            inputRefused(slot)
            return input.count
        }
        guard isWhole else { return offset }
        sessions[slot].chunked = nil
        answer(slot, chunked)
        return offset
    }

    /// Answers a whole request that is no longer among the connection's input.
    func answer(_ slot: UInt32, _ kept: ChunkedRequest) {
        kept.bytes.withUnsafeBufferPointer { head in
            kept.body.withUnsafeBufferPointer { body in
                answer(slot, RequestView(bytes: head, head: kept.head, body: body))
            }
        }
        requestEnded(slot)
    }

    private func finish(
        _ slot: UInt32, _ head: HTTPRequestHead, _ input: UnsafeBufferPointer<UInt8>, bodyBytes: Int
    ) -> Int {
        let total = head.headBytes + bodyBytes
        let body = UnsafeBufferPointer(rebasing: input[head.headBytes..<total])
        answer(slot, RequestView(bytes: input, head: head, body: body))
        requestEnded(slot)
        return total
    }

    private func requestEnded(_ slot: UInt32) {
        sessions[slot].bytesAwaited = 0
        sessions[slot].hasContinued = false
        sessions[slot].isBodyAdmitted = false
        guard sessions[slot].phase == .http else { return }
        // A keep-alive timer that is set already is early at worst, and sets itself anew then; the one of this request may be late.
        if sessions[slot].isReceiving { loop.setTimer(slot, after: UInt64(keepAliveMilliseconds) * 1_000_000) }
        sessions[slot].isReceiving = false
        sessions[slot].sinceMilliseconds = milliseconds
    }

    private func continueIfExpected(_ slot: UInt32, _ head: HTTPRequestHead) {
        guard head.expectsContinue, !sessions[slot].hasContinued else { return }
        sessions[slot].hasContinued = true
        response.removeAll(keepingCapacity: true)
        HTTPResponse.appendContinue(to: &response)
        loop.outbox.send(response, to: slot)
    }

    // MARK: Deadlines

    private func markReceiving(_ slot: UInt32) {
        guard !sessions[slot].isReceiving else { return }
        sessions[slot].isReceiving = true
        sessions[slot].sinceMilliseconds = milliseconds
        loop.setTimer(slot, after: UInt64(Self.requestMilliseconds) * 1_000_000)
    }

    /// A request that does not become whole is refused. A connection without one is closed after a while, and without a word: what is
    /// said unasked would be taken for the answer to the next request.
    func requestTimer(_ slot: UInt32) {
        let age = milliseconds &- sessions[slot].sinceMilliseconds
        let limit = sessions[slot].isReceiving ? Self.requestMilliseconds : keepAliveMilliseconds
        guard age >= limit else { return loop.setTimer(slot, after: UInt64(limit - age) * 1_000_000) }
        // A body that is passed over has had its answer.
        if sessions[slot].isReceiving, sessions[slot].bytesToSkip == 0 {
            refuse(slot, HTTPFailure(status: 408, text: "The request was not whole after \(limit / 1_000) seconds"))
        } else {
            end(slot, .idle)
            loop.finish(slot, lingerNanoseconds: Self.second)
        }
    }

    // MARK: Refusals

    /// Answers a request that cannot be read, and closes: where the next one starts is unknown.
    func refuse(_ slot: UInt32, _ failure: HTTPFailure) {
        respondError(slot, status: failure.status, failure.text, keepAlive: false)
    }

    private func tlsOnPlaintext(_ slot: UInt32) -> HTTPFailure {
        // With a proxy that speaks TLS in front, nobody but the proxy should come here, and a client must not give up TLS.
        if state.settings.trustsProxy || state.settings.publicAddress.scheme == .https {
            Log.logOncePer(
                seconds: 10, .warning,
                "somebody spoke TLS to the plaintext port; the proxy in front must speak plain HTTP to it, and clients TLS to the proxy",
                ("port", state.settings.port))
        } else {
            Log.logOncePer(
                seconds: 10, .warning,
                "a client spoke TLS to the plaintext port; set forceTLS: false (useTLS: false) in the client, or put a TLS proxy in front",
                ("port", state.settings.port))
        }
        return HTTPFailure(status: 400, text: "This port speaks plain HTTP and WebSocket, not TLS")
    }

    /// Sends one response. With `keepAlive` false the connection ends after it.
    func respond(
        _ slot: UInt32, status: Int, contentType: StaticString?, extraHeaders: String = "", body: Span<UInt8>,
        keepAlive: Bool, omitBody: Bool = false
    ) {
        response.removeAll(keepingCapacity: true)
        date.set(unixSeconds: unixSeconds)
        HTTPResponse.append(
            status: status, date: date, contentType: contentType, extraHeaders: extraHeaders, body: body,
            keepAlive: keepAlive, omitBody: omitBody, to: &response)
        loop.outbox.send(response, to: slot)
        readThrottle.answeredBytes += response.count
        guard !keepAlive else { return }
        end(slot, .answered)
        // Long enough for a sender who has not read the answer yet, because it is still sending.
        loop.finish(slot, lingerNanoseconds: Self.lingerNanoseconds)
    }
}
