import PusherProtocol
import Testing

@Suite("Channel names (Pusher protocol §3.1)") struct ChannelNameTests {
    private func classify(_ name: [UInt8], bytesMax: Int = 200) -> Result<ChannelKind, ChannelNameError> {
        Result { () throws(ChannelNameError) in
            try ChannelName.classify(name.span, bytesMax: bytesMax, userIDCharactersMax: 128)
        }
    }

    private func kind(_ name: String) -> ChannelKind? { try? classify(Array(name.utf8)).get() }

    struct Row: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let access: ChannelKind.Access
        let isCache: Bool

        init(_ name: String, _ access: ChannelKind.Access, cache: Bool = false) {
            (testDescription, self.access, isCache) = (name, access, cache)
        }
    }

    static let kinds = [
        Row("private-encrypted-cache-x", .encrypted, cache: true), Row("private-encrypted-x", .encrypted),
        Row("private-cache-x", .private, cache: true), Row("private-x", .private), Row("private-", .private),
        Row("presence-cache-x", .presence, cache: true), Row("presence-x", .presence),
        Row("cache-x", .public, cache: true), Row("x", .public), Row("#server-to-user-u1", .user),
        Row("private-encryptedx", .private), Row("private-cachex", .private), Row("presence-cachex", .presence),
        Row("private-encrypted-cachex", .encrypted), Row("private", .public), Row("cache", .public),
    ]

    @Test("PW-066: access and cache flag are independent", arguments: kinds)
    func everyPrefixHasItsMeaning(_ row: Row) {
        #expect(kind(row.testDescription) == ChannelKind(access: row.access, isCache: row.isCache))
    }

    @Test(
        "PW-052: look-alikes of a prefix are plain public and uncached",
        arguments: ["privateers", "my-private-x", "presenceful", "xcache-y", "Private-x", "presence_x", "cached-x"])
    func prefixesAreAnchored(_ name: String) {
        #expect(kind(name) == ChannelKind(access: .public))
    }

    @Test("PW-048: 200 bytes are accepted, 201 are not; 164 and 165 in strict mode", arguments: [200, 164])
    func lengthIsBounded(_ bytesMax: Int) {
        let longest = Array(repeating: UInt8(ascii: "a"), count: bytesMax)
        #expect((try? classify(longest, bytesMax: bytesMax).get()) != nil)
        #expect(classify(longest + [0x61], bytesMax: bytesMax) == .failure(.tooLong(bytesMax: bytesMax)))
        #expect(classify([]) == .failure(.empty))
    }

    @Test("PW-049: every byte outside the charset is refused, wherever it stands; PW-050: every one inside is accepted")
    func charset() {
        let allowed = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;".utf8)
        for byte in UInt8.min...UInt8.max {
            let name = [0x61, byte, 0x61]
            if allowed.contains(byte) {
                #expect((try? classify(name).get()) != nil, "byte \(byte)")
            } else {
                #expect(classify(name) == .failure(.illegalByte(byte, at: 1)), "byte \(byte)")
            }
        }
    }

    @Test("PW-049: names with space, colon, slash, star, non-ASCII or a leading # are refused with a text that says so")
    func refusalsExplainThemselves() {
        for name in ["a b", "a:b", "a/b", "a*b", "ä", "#x", "#", "#server-to-user-", "#Server-to-user-1"] {
            guard case .failure(let error) = classify(Array(name.utf8)) else {
                Issue.record("\(name) was accepted")
                continue
            }
            #expect(!error.text.isEmpty)
        }
        #expect(
            ChannelNameError.illegalByte(0x3A, at: 3).text
                == "':' at position 3 is not allowed in a channel name (A-Z a-z 0-9 _ - = @ , . ;)")
        #expect(ChannelNameError.illegalByte(0xC3, at: 0).text.hasPrefix("byte 0xC3 at position 0"))
    }

    @Test("PW-112: a user channel's id keeps the rule of user ids: printable UTF-8, counted in characters")
    func userChannels() {
        for id in ["u1", "a b/c:d", "ann+x@example.org", "Jürgen", "\"quoted\\"] {
            let name = Array("#server-to-user-\(id)".utf8)
            #expect(kind(string(name)) == ChannelKind(access: .user))
            let place = ChannelName.userID(in: name.span)
            #expect(string(name[place]) == id)
        }
        let prefix = Array("#server-to-user-".utf8)
        #expect(classify(prefix + [0x0A]) == .failure(.illegalByte(0x0A, at: 16)))
        #expect(classify(prefix + [0x61, 0xFF]) == .failure(.illegalByte(0xFF, at: 17)))
        for character in ["a", "é", "€", "😀"] {
            #expect((try? classify(prefix + Array(String(repeating: character, count: 128).utf8)).get()) != nil)
            #expect(
                classify(prefix + Array(String(repeating: character, count: 129).utf8))
                    == .failure(.userIDTooLong(charactersMax: 128)))
        }
        let open = Array("server-to-user-1".utf8), none = ChannelName.userID(in: open.span)
        #expect(none.isEmpty)
    }

    @Test(
        "PW-099: client events are for private and presence channels only; PW-181: presence has no subscription count")
    func consequences() {
        #expect(
            ChannelKind.Access.allCases.filter { ChannelKind(access: $0).acceptsClientEvents } == [.private, .presence])
        #expect(
            ChannelKind.Access.allCases.filter { ChannelKind(access: $0).needsAuthorization }
                == [.private, .presence, .encrypted])
        #expect(
            ChannelKind.Access.allCases.filter { ChannelKind(access: $0).reportsSubscriptionCount }
                == [.public, .private, .encrypted])
        #expect(ChannelKind(access: .presence, isCache: true).isPresence)
    }

    @Test("PW-051: case matters") func caseMatters() {
        #expect(kind("PRIVATE-x")?.access == .public)
        #expect(kind("private-X")?.access == .private)
    }
}
