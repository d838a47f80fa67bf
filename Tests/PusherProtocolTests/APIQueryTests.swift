#if DEBUG
    import Glibc
    @testable import PusherProtocol
    import TestSupport
    import Testing

    /// The query against a decoder that does one thing after the other.
    @Suite("Queries of the HTTP API") struct APIQueryTests {
        struct Naive {
            var pairs: [(name: [UInt8], value: [UInt8])] = []

            init(_ raw: [UInt8], plusAsSpace: Bool = false) {
                for part in raw.split(separator: UInt8(ascii: "&")) {
                    let equals = part.firstIndex(of: UInt8(ascii: "="))
                    let name = Self.decoded(Array(part[..<(equals ?? part.endIndex)]), plusAsSpace)
                    let value = equals.map { Self.decoded(Array(part[($0 + 1)...]), plusAsSpace) } ?? []
                    pairs.append((name.map { 0x41...0x5A ~= $0 ? $0 + 0x20 : $0 }, value))
                }
            }

            /// A text with a broken escape stays as it is, its `+` too.
            static func decoded(_ text: [UInt8], _ plusAsSpace: Bool) -> [UInt8] {
                func digit(_ offset: Int) -> UInt8? {
                    guard offset < text.count else { return nil }
                    return Character(Unicode.Scalar(text[offset])).hexDigitValue.map { UInt8($0) }
                }
                var (out, offset): ([UInt8], Int) = ([], 0)
                while offset < text.count {
                    if text[offset] == UInt8(ascii: "%") {
                        guard let high = digit(offset + 1), let low = digit(offset + 2) else { return text }
                        out.append(high * 16 + low)
                        offset += 3
                    } else {
                        out.append(plusAsSpace && text[offset] == UInt8(ascii: "+") ? 0x20 : text[offset])
                        offset += 1
                    }
                }
                return out
            }

            func value(_ name: String) -> [UInt8]? { pairs.first { $0.name == Array(name.utf8) }?.value }

            /// All parameters but the signature by name, those of one name in their order.
            var canonical: [UInt8] {
                let named = pairs.filter { $0.name != Array("auth_signature".utf8) }
                let sorted = named.enumerated().sorted { a, b in
                    let (first, second) = (a.element.name, b.element.name)
                    return first == second ? a.offset < b.offset : first.lexicographicallyPrecedes(second)
                }
                let lines = sorted.map { $0.element.name + [UInt8(ascii: "=")] + $0.element.value }
                return Array(lines.joined(separator: [UInt8(ascii: "&")]))
            }

            /// The `k` of `k[]` and `k[12]`.
            static func base(_ name: [UInt8]) -> [UInt8]? {
                guard name.last == UInt8(ascii: "]"), let open = name.lastIndex(of: UInt8(ascii: "[")), open > 0,
                    name[(open + 1)...].dropLast().allSatisfy({ 0x30...0x39 ~= $0 })
                else { return nil }
                return Array(name[..<open])
            }

            /// Elements are appended to the first line of their list's name; lines by name, those of one name in their order.
            var collapsed: [UInt8] {
                var lines: [(name: [UInt8], text: [UInt8])] = []
                for pair in pairs where pair.name != Array("auth_signature".utf8) {
                    let base = Self.base(pair.name)
                    if let base, let known = lines.firstIndex(where: { $0.name == base }) {
                        lines[known].text += [UInt8(ascii: ",")] + pair.value
                    } else {
                        lines.append((base ?? pair.name, (base ?? pair.name) + [UInt8(ascii: "=")] + pair.value))
                    }
                }
                let sorted = lines.enumerated().sorted { a, b in
                    let (first, second) = (a.element.name, b.element.name)
                    return first == second ? a.offset < b.offset : first.lexicographicallyPrecedes(second)
                }
                return Array(sorted.map(\.element.text).joined(separator: [UInt8(ascii: "&")]))
            }
        }

        private func check(_ raw: [UInt8], _ query: APIQuery, _ naive: Naive) {
            let shown = String(decoding: raw, as: UTF8.self)
            #expect(query.pairs.map { Array(query.storage[$0.name]) } == naive.pairs.map(\.name), "\(shown)")
            #expect(query.pairs.map { Array(query.storage[$0.value]) } == naive.pairs.map(\.value), "\(shown)")
            #expect(query.value("auth_key") == naive.value("auth_key"), "\(shown)")
            #expect(query.value("info") == naive.value("info"), "\(shown)")
            var canonical: [UInt8] = [7]
            query.appendCanonical(to: &canonical)
            #expect(canonical == [7] + naive.canonical, "\(shown)")
            var collapsed: [UInt8] = [7]
            query.appendCollapsed(to: &collapsed)
            #expect(collapsed == [7] + naive.collapsed, "\(shown)")
            #expect(query.hasElements == naive.pairs.contains { Naive.base($0.name) != nil }, "\(shown)")
        }

        /// The processor time that reading E takes of so many parameters with different names, in the order given.
        private func collapseNanoseconds(_ names: [String]) -> UInt64 {
            let query = APIQuery(Array(names.map { $0 + "[]=" }.joined(separator: "&").utf8).span)
            var (best, out): (UInt64, [UInt8]) = (.max, [])
            for _ in 0..<5 {
                out.removeAll(keepingCapacity: true)
                let start = threadNanoseconds()
                query.appendCollapsed(to: &out)
                best = min(best, threadNanoseconds() - start)
            }
            return best
        }

        private func threadNanoseconds() -> UInt64 {
            var now = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
            return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
        }

        @Test("A stranger's list of names costs its length, not its square", arguments: [true, false])
        func longLists(isShuffled: Bool) {
            func names(_ count: Int) -> [String] {
                var random = SeededRandom(seed: count)
                let ordered = (0..<count).map { String(100_000 + $0) }
                return isShuffled ? ordered.shuffled(using: &random) : ordered
            }
            let (few, many) = (collapseNanoseconds(names(500)), collapseNanoseconds(names(16_000)))
            // 32 times as many: the square would be 1,024 times the time.
            #expect(many < 200 * few, "\(few) ns for 500, \(many) ns for 16,000")
        }

        private static let words = [
            "auth_key", "Auth_Key", "AUTH%5FKEY", "info", "INFO", "auth_signature", "AUTH_SIGNATURE",
            "auth%5fsignature",
            "channels[]", "channels[0]", "channels", "CHANNELS[12]", "a[]", "a[]", "a[7]", "[]", "a[x]", "a[1]]", "[1]",
            "a", "ab", "b+c", "b%2bc", "%", "%4", "%zz", "%41+", "+", "%00", "%FF", "é",
            "1.0",
            "long-enough-to-be-more-than-a-word", "",
        ]

        private func randomQuery(_ random: inout SeededRandom) -> [UInt8] {
            var raw: [UInt8] = []
            for _ in 0..<random.int(0...12) {
                switch random.int(0...9) {
                case 0: raw += random.bytes(random.int(0...3))
                case 1: raw += Array("&&".utf8)
                case 2: raw += Array("==".utf8)
                default:
                    raw += Array(random.pick(Self.words).utf8)
                    if !random.oneIn(6) { raw += Array("=".utf8) + Array(random.pick(Self.words).utf8) }
                    if !random.oneIn(8) { raw += Array("&".utf8) }
                }
            }
            return raw
        }

        @Test(arguments: 0..<200) func agreesWithTheNaiveDecoder(seed: Int) {
            var random = SeededRandom(seed: seed)
            var again = APIQuery()
            for _ in 0..<20 {
                let raw = randomQuery(&random)
                let fresh = APIQuery(raw.span)
                check(raw, fresh, Naive(raw))
                #expect(fresh.hasPlus == raw.contains(UInt8(ascii: "+")))
                check(raw, fresh.withPlusAsSpace, Naive(raw, plusAsSpace: true))
                // The memory of another query leaves no trace.
                again.read(raw.span)
                check(raw, again, Naive(raw))
            }
        }
    }
#endif
