import PusherProtocol
import TestSupport
import Testing
import Wire

/// What is only passed on arrives as the publisher's engine had it: a JavaScript string, which may be cut through a character.
/// The judge is a reader of JSON that knows UTF-16 and shares nothing with Wire.
@Suite("Pass-through of strings that are no text (RFC 8259 §8.2)") struct PassThroughTests {
    /// A string as JavaScript holds it.
    typealias Units = [UInt16]

    /// Texts, halves of pairs, whole pairs, and what escaping has to do with.
    private func units(_ random: inout SeededRandom, most: Int) -> Units {
        (0..<random.int(0...most)).flatMap { _ -> Units in
            switch random.int(0...9) {
            case 0: [UInt16(random.int(0xD800...0xDBFF))]
            case 1: [UInt16(random.int(0xDC00...0xDFFF))]
            case 2: [UInt16(random.int(0xD800...0xDBFF)), UInt16(random.int(0xDC00...0xDFFF))]
            case 3: random.pick([[0x22], [0x5C], [0x2F], [0x5C, 0x75], [0x7F]])
            case 4: [UInt16(random.int(0...0x1F))]
            case 5: [UInt16(random.int(0x80...0xD7FF))]
            case 6: [UInt16(random.int(0xE000...0xFFFF))]
            default: [UInt16(random.int(0x20...0x7E))]
            }
        }
    }

    /// A literal of the string: bare where it can be, escaped where it must or as chance wants.
    private func literal(_ units: Units, _ random: inout SeededRandom) -> [UInt8] {
        var out: [UInt8] = [0x22]
        var index = 0
        while index < units.count {
            let unit = units[index]
            let isPair = Self.isPair(units, at: index)
            let isLone = 0xD800...0xDFFF ~= unit && !isPair
            if isLone || unit < 0x20 || unit == 0x22 || unit == 0x5C || random.oneIn(5) {
                var hex = String(unit, radix: 16, uppercase: random.oneIn(2))
                while hex.count < 4 { hex = "0" + hex }
                out += Array("\\u\(hex)".utf8)
                if isPair {
                    out += Array("\\u\(String(units[index + 1], radix: 16))".utf8)
                    index += 1
                }
            } else {
                let character: Units = isPair ? [unit, units[index + 1]] : [unit]
                out += Array(String(decoding: character, as: UTF16.self).utf8)
                if isPair { index += 1 }
            }
            index += 1
        }
        return out + [0x22]
    }

    private static func isPair(_ units: Units, at index: Int) -> Bool {
        0xD800...0xDBFF ~= units[index] && index + 1 < units.count && 0xDC00...0xDFFF ~= units[index + 1]
    }

    /// `JSON.parse` of a string literal.
    private func parsed(_ literal: some Collection<UInt8>) throws -> Units {
        let text = Array(try #require(String(validating: Array(literal), as: UTF8.self)).utf16)
        try #require(text.count >= 2 && text.first == 0x22 && text.last == 0x22)
        var (out, index): (Units, Int) = ([], 1)
        while index < text.count - 1 {
            let unit = text[index]
            try #require(unit != 0x22 && unit >= 0x20, "a bare quote or control")
            index += 1
            guard unit == 0x5C else {
                out.append(unit)
                continue
            }
            let escape = text[index]
            index += 1
            switch escape {
            case 0x62: out.append(0x08)
            case 0x66: out.append(0x0C)
            case 0x6E: out.append(0x0A)
            case 0x72: out.append(0x0D)
            case 0x74: out.append(0x09)
            case 0x75:
                let digits = String(decoding: text[index..<index + 4], as: UTF16.self)
                out.append(try #require(UInt16(digits, radix: 16)))
                index += 4
            default:
                try #require([0x22, 0x5C, 0x2F].contains(escape))
                out.append(escape)
            }
        }
        return out
    }

    /// The `data` literal of a frame.
    private func data(of frame: [UInt8]) throws -> ArraySlice<UInt8> {
        var cursor = JSONCursor()
        try cursor.beginObject(frame.span)
        while let (key, value) = try cursor.nextMember(frame.span) {
            if JSON.equals(key, "data", in: frame.span) { return frame[value.range] }
        }
        throw JSONMissing()
    }

    private struct JSONMissing: Error {}

    @Test("The judge: a literal says what was written", arguments: 0..<20) func theJudge(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 {
            let units = units(&random, most: 12)
            #expect(try parsed(literal(units, &random)) == units)
        }
    }

    @Test("Client events: a string as it is, anything else as its text", arguments: 0..<50) func clientEvents(seed: Int)
        throws
    {
        var random = SeededRandom(seed: seed)
        var (scratch, written): ([UInt8], [UInt8]) = ([], [])
        for _ in 0..<100 {
            let units = units(&random, most: 12), text = literal(units, &random)
            let isString = random.oneIn(2)
            let value = isString ? text : Array("{ ".utf8) + text + Array(": [ ".utf8) + text + Array(" ] }".utf8)
            let message = Array(#"{"event":"client-x","channel":"private-c","data":"#.utf8) + value + [0x7D]
            let read = try ClientMessage.parse(message.span, scratch: &scratch)
            written.removeAll()
            read.appendDataLiteral(in: message.span, to: &written)
            let heard = try parsed(written)
            if isString {
                #expect(heard == units && written == text)
            } else {
                let inner = String(decoding: text, as: UTF8.self)
                #expect(heard == Array("{\(inner):[\(inner)]}".utf16), "seed \(seed)")
            }
        }
    }

    @Test("API events: the same, in batches too, and measured in bytes", arguments: 0..<50) func apiEvents(seed: Int)
        throws
    {
        var random = SeededRandom(seed: seed)
        let none: [UInt8] = []
        for _ in 0..<50 {
            let units = units(&random, most: 12), text = literal(units, &random)
            let isString = random.oneIn(2)
            let value = isString ? text : Array("[ ".utf8) + text + Array(" ]".utf8)
            let item = Array(#"{"name":"e","channel":"c","x":"#.utf8) + text + Array(#","data":"#.utf8) + value + [0x7D]
            let batch = Array(#"{"batch":["#.utf8) + item + Array("]}".utf8)
            let one = try PublishRequest.parse(body: item.span, query: APIQuery(none.span), limits: PayloadLimits())
            let first = try #require(try BatchRequest.parse(body: batch.span, limits: PayloadLimits()).events.first)
            for (event, body) in [(one, item), (first, batch)] {
                var frame: [UInt8] = []
                event.appendFrame(channel: 0, body: body.span, to: &frame)
                let heard = try parsed(try data(of: frame))
                let wanted = isString ? units : Array(("[" + String(decoding: text, as: UTF8.self) + "]").utf16)
                #expect(heard == wanted, "seed \(seed)")
                // As a browser's TextEncoder would count it: three bytes for the half of a pair.
                #expect(event.dataBytes == String(decoding: wanted, as: UTF16.self).utf8.count)
            }
        }
    }

    @Test("user_info: in the snapshot and in member_added", arguments: 0..<50) func userInfo(seed: Int) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<50 {
            let info = literal(units(&random, most: 12), &random)
            let channelData = Array(#"{"user_id":"u","user_info":{"t":"#.utf8) + info + Array("}}".utf8)
            let member = try PresenceMember.parse(channelData.span, userIDCharactersMax: 128)
            let place = try #require(member.userInfo)
            let (user, channel) = (member.userID, Array("presence-c".utf8))
            var (ids, hash, snapshot, added): ([UInt8], [UInt8], [UInt8], [UInt8]) = ([], [], [], [])
            ServerFrame.appendIDFragment(userID: user.span, to: &ids)
            ServerFrame.appendHashFragment(
                userID: user.span, userInfoJSON: channelData.span.extracting(place), to: &hash)
            ServerFrame.presenceSucceeded(
                channel: channel.span, count: 1, idsEscaped: ids.span, hashEscaped: hash.span, to: &snapshot)
            ServerFrame.memberAdded(
                channel: channel.span, userID: user.span, userInfoJSON: channelData.span.extracting(place), to: &added)
            let text = String(decoding: info, as: UTF8.self)
            let inSnapshot = #"{"presence":{"count":1,"ids":["u"],"hash":{"u":{"t":\#(text)}}}}"#
            #expect(try parsed(data(of: snapshot)) == Array(inSnapshot.utf16), "seed \(seed)")
            #expect(try parsed(data(of: added)) == Array(#"{"user_id":"u","user_info":{"t":\#(text)}}"#.utf16))
            // And what signed in is echoed to the letter.
            var echo: [UInt8] = []
            ServerFrame.signinSuccess(userData: channelData.span, to: &echo)
            let heard = String(decoding: try parsed(data(of: echo)), as: UTF16.self)
            #expect(heard.hasPrefix(#"{"user_data":"#))
            #expect(
                try parsed(Array(heard.utf8.dropFirst(13).dropLast()))
                    == Array(String(decoding: channelData, as: UTF8.self).utf16))
        }
    }
}
