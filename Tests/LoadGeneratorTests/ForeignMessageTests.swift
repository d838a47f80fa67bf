import TestSupport
import Testing

@testable import LoadGenerator

@Suite struct MQTTTests {
    @Test func `packets of a subscriber and a publisher`() {
        // MQTT 3.1.1 §3.1, §3.8, §3.3
        #expect(MQTT.connect == [0x10, 12, 0, 4, 0x4D, 0x51, 0x54, 0x54, 4, 2, 0, 0, 0, 0])
        #expect(MQTT.subscribe("a/b") == [0x82, 8, 0, 1, 0, 3, 0x61, 0x2F, 0x62, 0])
        #expect(MQTT.publish("ab", [1, 2]) == [0x30, 6, 0, 2, 0x61, 0x62, 1, 2])
    }

    @Test(arguments: [
        Row("one byte", (127, [0x7F])), Row("two bytes", (128, [0x80, 1])), Row("their end", (16_383, [0xFF, 0x7F])),
        Row("three bytes", (16_384, [0x80, 0x80, 1])),
    ])
    func `the remaining length has seven bits a byte`(row: Row<(Int, [UInt8])>) {
        let message = [UInt8](repeating: 0, count: row.value.0 - 4)
        #expect(MQTT.publish("ab", message).dropFirst().prefix(row.value.1.count) == row.value.1[...])
    }
}

@Suite struct RESPTests {
    @Test func `a command is an array of words`() {
        #expect(String(decoding: RESP.command([[0x41, 0x42], []]), as: UTF8.self) == "*2\r\n$2\r\nAB\r\n$0\r\n\r\n")
    }

    @Test(arguments: [
        Row("a number", (":12\r\nrest", 5)), Row("a refusal", ("-ERR no\r\n", 9)), Row("a word", ("$2\r\nab\r\n", 8)),
        Row("nothing", ("$-1\r\nrest", 5)), Row("an array", ("*2\r\n$1\r\na\r\n:1\r\n$", 15)),
        Row("an empty array", ("*0\r\n", 4)), Row("no end of line", ("$2", -1)), Row("half a word", ("$5\r\nab", -1)),
        Row("half an array", ("*2\r\n:1\r\n", -1)), Row("a word without its end", ("$2\r\nab", -1)),
    ])
    func `where a value ends`(row: Row<(String, Int)>) {
        Array(row.value.0.utf8).withUnsafeBufferPointer { #expect(RESP.end($0, from: 0) ?? -1 == row.value.1) }
    }
}
