import Testing
import Wire

@Suite("HTTP responses") struct HTTPResponseTests {
    @Test func aResponseIsExact() {
        #expect(
            response(200, "application/json", body: "{}")
                == "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        )
        #expect(
            response(400, "text/plain", extra: "Allow: GET\r\n", body: "no\n", keepAlive: false)
                == "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
                + "Allow: GET\r\n\r\nno\n")
    }

    @Test func aHeadAnswerSaysTheLengthOnly() {
        let text = response(200, nil, body: "12345", omitBody: true)
        #expect(text.hasSuffix("Content-Length: 5\r\n\r\n"))
    }

    @Test func aHeadOfUnknownLengthIsExact() {
        let date = HTTPDate(unixSeconds: 784_111_777)
        func open(isChunked: Bool, keepAlive: Bool) -> String {
            var out: [UInt8] = []
            HTTPResponse.appendOpenHead(
                date: date, contentType: "text/plain", extraHeaders: "Allow: GET\r\n", isChunked: isChunked,
                keepAlive: keepAlive, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let line = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
        #expect(
            open(isChunked: true, keepAlive: true)
                == "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\(line)Transfer-Encoding: chunked\r\nAllow: GET\r\n\r\n"
        )
        #expect(
            open(isChunked: false, keepAlive: false)
                == "HTTP/1.1 200 OK\r\nConnection: close\r\n\(line)Allow: GET\r\n\r\n")
    }

    @Test(arguments: [101, 204, 304]) func someStatusesHaveNeitherBodyNorLength(status: Int) {
        let text = response(status, "text/plain", body: "x")
        #expect(text.hasSuffix("\r\n\r\n") && !text.contains("Content-"))
    }

    @Test func continueIsExact() {
        var out: [UInt8] = []
        HTTPResponse.appendContinue(to: &out)
        #expect(String(decoding: out, as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
    }

    @Test func everyStatusHasAReason() {
        for status in 100..<600 { #expect(HTTPResponse.reason(status).utf8CodeUnitCount > 0) }
    }

    private func response(
        _ status: Int, _ type: StaticString?, extra: String = "", body: String, keepAlive: Bool = true,
        omitBody: Bool = false
    ) -> String {
        let body = Array(body.utf8)
        var out: [UInt8] = []
        HTTPResponse.append(
            status: status, date: HTTPDate(unixSeconds: 784_111_777), contentType: type, extraHeaders: extra,
            body: body.span, keepAlive: keepAlive,
            omitBody: omitBody,
            to: &out)
        return String(decoding: out, as: UTF8.self)
    }
}
