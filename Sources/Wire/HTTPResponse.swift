/// Writing responses.
public enum HTTPResponse {
    /// Appends a whole response.
    ///
    /// `extraHeaders`: complete lines, each ending in CR LF; the caller answers for their content. `omitBody`: for HEAD, the
    /// header still says the length. A 1xx, 204 or 304 has neither body nor length (RFC 9112 §6.3).
    public static func append(
        status: Int, date: HTTPDate, contentType: StaticString?, extraHeaders: String = "", body: Span<UInt8>,
        keepAlive: Bool, omitBody: Bool = false, to out: inout [UInt8]
    ) {
        assert(extraHeaders.isEmpty || extraHeaders.utf8.last == Byte.lineFeed, "extra headers are whole lines")
        let isBodiless = status < 200 || status == 204 || status == 304
        let reason = reason(status)
        let ownBytesMax = 256 + reason.utf8CodeUnitCount + (contentType?.utf8CodeUnitCount ?? 0)
        out.append(bytesMax: ownBytesMax) { pen in
            pen.write(text: "HTTP/1.1 ")
            pen.write(integer: status)
            pen.write(text: " ")
            pen.write(text: reason)
            pen.write(text: keepAlive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n")
            date.write(to: &pen)
            if !isBodiless {
                if let contentType {
                    pen.write(text: "Content-Type: ")
                    pen.write(text: contentType)
                    pen.write(text: "\r\n")
                }
                pen.write(text: "Content-Length: ")
                pen.write(integer: body.count)
                pen.write(text: "\r\n")
            }
        }
        out.append(contentsOf: extraHeaders.utf8)
        out.append(text: "\r\n")
        if !isBodiless, !omitBody { out.append(bytes: body) }
    }

    /// Appends the head of a 200 whose length is not known yet: the body follows in chunks, or up to the end of the connection
    /// where the client speaks HTTP/1.0 (RFC 9112 §6.3).
    public static func appendOpenHead(
        date: HTTPDate, contentType: StaticString, extraHeaders: String, isChunked: Bool, keepAlive: Bool,
        to out: inout [UInt8]
    ) {
        assert(extraHeaders.isEmpty || extraHeaders.utf8.last == Byte.lineFeed, "extra headers are whole lines")
        assert(isChunked || !keepAlive, "only the end of the connection ends a body without chunks")
        out.append(text: "HTTP/1.1 200 OK")
        out.append(text: keepAlive ? "\r\nConnection: keep-alive\r\n" : "\r\nConnection: close\r\n")
        date.append(to: &out)
        out.append(text: "Content-Type: ")
        out.append(text: contentType)
        out.append(text: "\r\n")
        if isChunked { out.append(text: "Transfer-Encoding: chunked\r\n") }
        out.append(contentsOf: extraHeaders.utf8)
        out.append(text: "\r\n")
    }

    /// Appends one chunk (RFC 9112 §7.1). One without bytes would end the body: it is left out.
    public static func appendChunk(_ bytes: ArraySlice<UInt8>, to out: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        out.append(contentsOf: String(bytes.count, radix: 16).utf8)
        out.append(text: "\r\n")
        out.append(contentsOf: bytes)
        out.append(text: "\r\n")
    }

    /// Appends the end of a body in chunks.
    public static func appendLastChunk(to out: inout [UInt8]) { out.append(text: "0\r\n\r\n") }

    /// Appends the interim answer to `Expect: 100-continue`.
    public static func appendContinue(to out: inout [UInt8]) {
        out.append(text: "HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// The reason phrase of a status (RFC 9110 §15); a class name for one that is not listed.
    public static func reason(_ status: Int) -> StaticString {
        switch status {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 202: "Accepted"
        case 204: "No Content"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 411: "Length Required"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 500...: "Server Error"
        case 400...: "Client Error"
        case 300...: "Redirection"
        case 200...: "Success"
        default: "Informational"
        }
    }
}
