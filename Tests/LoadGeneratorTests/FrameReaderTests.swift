import TestSupport
import Testing

@testable import LoadGenerator

@Suite("What a server says to a client") struct FrameReaderTests {
    private static let stamp = Stamp(scheduled: 77, delay: 3, channel: 1, publisher: 2, sequence: 9)

    private static func frame(_ text: [UInt8], opcode: UInt8 = 1) -> [UInt8] {
        let length: [UInt8] =
            text.count < 126 ? [UInt8(text.count)] : [126, UInt8(text.count >> 8), UInt8(text.count & 255)]
        return [0x80 | opcode] + length + text
    }

    private static func event(_ padding: Int = 0) -> [UInt8] {
        var data: [UInt8] = []
        stamp.append(to: &data)
        data += repeatElement(0x78, count: padding)
        return Array("{\"event\":\"bench\",\"data\":\"".utf8) + data + Array("\"}".utf8)
    }

    private func read(_ reader: inout FrameReader, _ bytes: [UInt8], skipping: Int = 0) -> Heard {
        bytes.withUnsafeBufferPointer { reader.frame($0, at: skipping, length: bytes.count - skipping) }
    }

    @Test(arguments: [
        Row("a greeting", ("{\"event\":\"pusher:connection_established\",\"data\":\"{}\"}", "greeting")),
        Row("a confirmation", ("{\"event\":\"pusher_internal:subscription_succeeded\"}", "subscribed")),
        Row("its name last", ("{\"data\":\"{}\",\"event\":\"pusher_internal:subscription_succeeded\"}", "subscribed")),
        Row("a member", ("{\"event\":\"pusher_internal:member_added\"}", "memberChange")),
        Row("another", ("{\"event\":\"pusher_internal:member_removed\"}", "memberChange")),
        Row("a ping", ("{\"event\":\"pusher:ping\"}", "ping")), Row("a pong", ("{\"event\":\"pusher:pong\"}", "pong")),
        Row("an error", ("{\"event\":\"pusher:error\",\"data\":{}}", "complaint")),
        Row("a refusal", ("{\"event\":\"pusher:subscription_error\"}", "complaint")),
        Row("an event of others", ("{\"event\":\"news\",\"data\":\"~SL~short\"}", "other")),
        Row("an unknown one of the protocol", ("{\"event\":\"pusher:news\"}", "other")), Row("nothing", ("", "other")),
    ]) func messagesAreToldApart(_ row: Row<(String, String)>) {
        var reader = FrameReader()
        let payload = 2..<2 + row.value.0.utf8.count
        let expected: Heard =
            switch row.value.1 {
            case "greeting": .greeting(payload)
            case "complaint": .complaint(payload)
            case "subscribed": .subscribed
            case "memberChange": .memberChange
            case "ping": .ping
            case "pong": .pong
            default: .other
            }
        #expect(read(&reader, Self.frame(Array(row.value.0.utf8))) == expected)
    }

    /// Found by its mark once, by its place from then on, whatever the length of the header and where the frame begins.
    @Test(arguments: [0, 200]) func aDeliveryIsRecognised(padding: Int) {
        var reader = FrameReader()
        let bytes = Self.frame(Self.event(padding))
        #expect(read(&reader, bytes) == .delivery(Self.stamp))
        #expect(read(&reader, [1, 2, 3] + bytes, skipping: 3) == .delivery(Self.stamp))
        #expect(read(&reader, Self.frame(Array("{\"event\":\"pusher:ping\"}".utf8))) == .ping)
        let long = Array("{\"event\":\"pusher:error\",\"data\":\"\(String(repeating: "x", count: 80))\"}".utf8)
        #expect(read(&reader, Self.frame(long)) == .complaint(2..<2 + long.count))
        #expect(
            read(&reader, Self.frame(Self.event(200 - padding))) == .delivery(Self.stamp), "another length of header")
    }

    /// By its place and not by its mark: what stands before it may look like one.
    @Test func aKnownPlaceNeedsNoSearch() {
        var reader = FrameReader()
        let event = Self.event()
        #expect(read(&reader, Self.frame(event)) == .delivery(Self.stamp))
        let disguised = Array("{\"event\":\"~SL~x\"".utf8) + event[16...]
        #expect(disguised.count == event.count && read(&reader, Self.frame(disguised)) == .delivery(Self.stamp))
    }

    @Test func framesThatAreNoTextAreToldApart() {
        var reader = FrameReader()
        #expect(read(&reader, Self.frame([1, 2, 3], opcode: 9)) == .controlPing(2..<5))
        #expect(read(&reader, Self.frame([1, 2, 3], opcode: 10)) == .nothing)
        #expect(read(&reader, Self.frame([0x03, 0xE8] + Array("bye".utf8), opcode: 8)) == .closing(4..<7))
        #expect(read(&reader, Self.frame([], opcode: 8)) == .closing(2..<2))
        #expect(read(&reader, Self.frame([0x20, 2, 0, 0], opcode: 2)) == .greeting(2..<6))
        #expect(read(&reader, Self.frame([0x90, 3, 0, 1, 0], opcode: 2)) == .subscribed)
        #expect(read(&reader, Self.frame([0xD0, 0], opcode: 2)) == .other)
        #expect(read(&reader, Self.frame([], opcode: 2)) == .nothing)
        let publish = MQTT.publish("bench", Self.event())
        #expect(read(&reader, Self.frame(publish, opcode: 2)) == .delivery(Self.stamp))
        #expect(read(&reader, Self.frame(publish, opcode: 2)) == .delivery(Self.stamp))
    }

    @Test func valuesOfRedisAreToldApart() {
        var reader = FrameReader()
        func value(_ bytes: [UInt8]) -> Heard {
            bytes.withUnsafeBufferPointer { reader.value($0, 0..<bytes.count) }
        }
        let message = RESP.command([Array("message".utf8), Array("bench".utf8), Self.event()])
        #expect(value(message) == .delivery(Self.stamp) && value(message) == .delivery(Self.stamp))
        #expect(value(Array("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n".utf8)) == .reply(isRefusal: false))
        #expect(value(Array("-ERR no\r\n".utf8)) == .reply(isRefusal: true))
    }

    @Test(arguments: [
        Row("escaped", (#"{"data":"{\"socket_id\":\"12.34\",\"activity_timeout\":120}"}"#, "12.34")),
        Row("not escaped", (#"{"data":{"socket_id":"5.6"}}"#, "5.6")), Row("none", (#"{"data":"{}"}"#, "")),
        Row("no number", (#"{"socket_id":"#, "")),
    ]) func theSocketIDIsRead(_ row: Row<(String, String)>) {
        Array(row.value.0.utf8).withUnsafeBufferPointer {
            #expect(String(decoding: FrameReader.socketID($0, 0..<$0.count), as: UTF8.self) == row.value.1)
        }
    }
}
