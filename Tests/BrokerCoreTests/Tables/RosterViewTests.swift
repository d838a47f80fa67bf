#if DEBUG
    @testable import BrokerCore
    import Testing

    @Suite("What a loop that is behind holds of a roster") struct RosterViewTests {
        private static let loop = 1

        /// A roster with the users a and b, of whose changes the loop is not told from now on.
        private struct Behind {
            let roster = Roster(seed: 3)
            var members: [String: UInt32] = [:]

            init() {
                for user in ["a", "b"] {
                    members[user] = roster.join(Array(user.utf8), userInfo: Array("1".utf8)).member
                }
            }

            mutating func come(_ user: String, info: String = "1") {
                let id = Array(user.utf8)
                members[user] = roster.join(id, userInfo: Array(info.utf8)).member
                roster.note(id, held: .nothing, by: loop)
            }

            mutating func go(_ user: String) {
                guard let member = members.removeValue(forKey: user), let gone = roster.leave(member) else { return }
                roster.note(gone.userID, held: .member(gone.fragments), by: loop)
            }

            /// What the loop is told in the end.
            mutating func told() -> Set<String> {
                var all: Set<String> = []
                while let change = roster.takeChange(of: loop) {
                    let user = String(decoding: change.userID, as: UTF8.self)
                    let info = change.userInfo.map { String(decoding: $0, as: UTF8.self) }
                    all.insert(
                        (change.isGone ? "-" + user : "") + (change.member == .max ? "" : "+\(user)=\(info ?? "")"))
                }
                return all
            }

            /// The ids and infos of a snapshot on the loop.
            mutating func snapshot(asking user: String? = nil) -> [String] {
                var (ids, hash): ([UInt8], [UInt8]) = ([], [])
                let asker = user.flatMap { members[$0] } ?? .max
                let count = roster.appendSnapshot(for: loop, asking: asker, ids: &ids, hash: &hash)
                let listed = String(decoding: hash, as: UTF8.self).split(separator: ",").map { entry in
                    String(entry.filter { $0 != "\\" && $0 != "\"" })
                }
                #expect(count == listed.count && ids.split(separator: UInt8(ascii: ",")).count == count)
                return listed.sorted()
            }
        }

        @Test func onlyTheDifferenceIsTold() {
            var behind = Behind()
            behind.go("a")
            behind.come("c")
            behind.come("d")
            behind.go("d")
            #expect(behind.told() == ["-a", "+c=1"])
            #expect(!behind.roster.hasView(of: Self.loop) && behind.told().isEmpty)
        }

        @Test func whoComesAndGoesUnseenLeavesNothingBehind() {
            var behind = Behind()
            for number in 0..<1_000 {
                behind.come("u\(number)")
                behind.go("u\(number)")
                #expect(behind.roster.views.allSatisfy { $0.held.isEmpty })
            }
            #expect(behind.told().isEmpty)
        }

        @Test func whoCameBackUnchangedIsNotToldAndWhoChangedIsToldAnew() {
            var behind = Behind()
            for info in ["2", "1"] {
                behind.go("a")
                behind.come("a", info: info)
            }
            behind.go("b")
            behind.come("b", info: "7")
            #expect(behind.told() == ["-b+b=7"])
        }

        @Test func aSnapshotIsWhatTheOthersHoldAndTheAskerAsItIs() {
            var behind = Behind()
            behind.go("a")
            behind.come("c", info: "5")
            behind.go("b")
            behind.come("b", info: "9")
            #expect(behind.snapshot() == ["a:1", "b:1"])
            #expect(behind.snapshot(asking: "c") == ["a:1", "b:1", "c:5"])
            #expect(behind.snapshot(asking: "b") == ["a:1", "b:9"])
            _ = behind.told()
            #expect(behind.snapshot() == ["b:9", "c:5"])
        }

        @Test func otherLoopsAreNotBehind() {
            var behind = Behind()
            behind.come("c")
            #expect(behind.roster.hasView(of: Self.loop) && !behind.roster.hasView(of: 0))
            var (ids, hash): ([UInt8], [UInt8]) = ([], [])
            #expect(behind.roster.appendSnapshot(for: 0, asking: .max, ids: &ids, hash: &hash) == 3)
            behind.roster.forgetView(of: Self.loop)
            #expect(behind.snapshot() == ["a:1", "b:1", "c:1"])
        }
    }
#endif
