import TestSupport
import Testing

@testable import LoadGenerator

@Suite("What the API answers the generator") struct APIReplyTests {
    /// Responses, each with whether it is a success and whether the connection goes on, and what was complained about.
    struct Case: Sendable {
        var text: String
        var expected: [(isSuccess: Bool, keepAlive: Bool)]
        var complaints: [String] = []
        var endsByClose = false
    }

    static let refusal = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nwrong"

    @Test(arguments: [
        Row("one", Case(text: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", expected: [(true, true)])),
        Row("a refusal", Case(text: refusal, expected: [(false, true)], complaints: [refusal])),
        Row(
            "in chunks, then a refusal",
            Case(
                text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + refusal,
                expected: [(true, true), (false, true)], complaints: [refusal])),
        Row(
            "the last one",
            Case(
                text: "HTTP/1.1 202 x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", expected: [(true, false)])),
        Row("up to the close", Case(text: "HTTP/1.1 200 x\r\n\r\n{}", expected: [(true, false)], endsByClose: true)),
        Row("not whole", Case(text: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", expected: [])),
    ]) func repliesAreCounted(_ row: Row<Case>) throws {
        let bytes = Array(row.value.text.utf8)
        for cut in [bytes.count, bytes.count / 2, 1] {
            var (reply, found, complaints) = (APIReply(), [APIReply.Outcome](), [String]())
            var kept: [UInt8] = []
            for piece in [bytes[..<cut], bytes[cut...]] {
                kept += piece
                var offset = 0
                try kept.withUnsafeBufferPointer { input in
                    while let outcome = try reply.next(input, from: &offset, complaint: { complaints.append($0) }) {
                        found.append(outcome)
                    }
                }
                kept.removeFirst(offset)
            }
            if row.value.endsByClose { #expect(found.isEmpty) }
            if let last = reply.endOfStream() { found.append(last) }
            #expect(found.map(\.isSuccess) == row.value.expected.map(\.isSuccess))
            #expect(found.map(\.keepAlive) == row.value.expected.map(\.keepAlive))
            // What a refusal says is told as far as it came with its head.
            #expect(complaints.count == row.value.complaints.count)
            for (told, whole) in zip(complaints, row.value.complaints) { #expect(whole.hasPrefix(told)) }
            if cut == bytes.count { #expect(complaints == row.value.complaints) }
        }
    }

    @Test func aLongComplaintIsCut() throws {
        let text = "HTTP/1.1 500 x\r\nContent-Length: 900\r\n\r\n" + String(repeating: "x", count: 900)
        let bytes = Array(text.utf8)
        var (reply, offset, complaint) = (APIReply(), 0, "")
        let outcome = try bytes.withUnsafeBufferPointer {
            try reply.next($0, from: &offset, complaint: { complaint = $0 })
        }
        #expect(outcome?.isSuccess == false && complaint.utf8.elementsEqual(bytes.prefix(500)))
    }
}
