internal import PusherProtocol

/// Who is in a presence channel: users, each with the number of its connections (PW-068…PW-081).
///
/// Every member keeps its two snapshot fragments already escaped, so that a snapshot is a concatenation and a join costs
/// no more than the bytes that must be sent.
struct Roster {
    struct Member {
        var connections: Int
        /// As given by the first connection; it wins until the user has left completely. `nil`: none was given.
        var userInfo: [UInt8]?
        var fragments = Fragments()
    }

    /// A member's part of a snapshot.
    struct Fragments: Equatable {
        /// `\"u1\"`
        var id: [UInt8] = []
        /// `\"u1\":{…}`
        var hash: [UInt8] = []
    }

    private(set) var index: NameTable
    private(set) var members: [Member] = []
    /// Loops whose subscribers were not told everything; empty but for the time after a queue was full.
    var views: [LoopView] = []

    init(seed: UInt64) { index = NameTable(seed: seed) }

    /// Distinct users.
    var count: Int { index.count }

    func find(_ userID: Span<UInt8>) -> UInt32? { index.find(userID) }

    func userID(of member: UInt32) -> [UInt8] { index.names[Int(member)] }

    /// One more connection of a user.
    /// - Returns: the member's number, and whether the user was not here before.
    mutating func join(_ userID: [UInt8], userInfo: [UInt8]?) -> (member: UInt32, isNew: Bool) {
        if let known = index.find(userID.span) {
            members[Int(known)].connections += 1
            return (known, false)
        }
        let id = index.insert(userID)
        var fresh = Member(connections: 1, userInfo: userInfo)
        ServerFrame.appendIDFragment(userID: userID.span, to: &fresh.fragments.id)
        if let userInfo {
            ServerFrame.appendHashFragment(userID: userID.span, userInfoJSON: userInfo.span, to: &fresh.fragments.hash)
        } else {
            ServerFrame.appendHashFragment(userID: userID.span, userInfoJSON: nil, to: &fresh.fragments.hash)
        }
        if Int(id) == members.count { members.append(fresh) } else { members[Int(id)] = fresh }
        return (id, true)
    }

    /// One connection fewer.
    /// - Returns: who the user was when that was the last one.
    mutating func leave(_ member: UInt32) -> (userID: [UInt8], fragments: Fragments)? {
        members[Int(member)].connections -= 1
        guard members[Int(member)].connections == 0 else { return nil }
        let gone = (userID: index.names[Int(member)], fragments: members[Int(member)].fragments)
        index.remove(member)
        members[Int(member)] = Member(connections: 0, userInfo: nil)
        if index.releaseUnused(kept: 32) { members = Array(members[..<index.names.count]) }
        return gone
    }

    /// `ids` and `hash` of a snapshot for a member's connection on a loop, escaped for the inside of a JSON string.
    /// - Returns: how many members it names.
    func appendSnapshot(for loop: Int, asking member: UInt32, ids: inout [UInt8], hash: inout [UInt8]) -> Int {
        if let view = views.first(where: { $0.loop == loop }) {
            return appendSnapshot(of: view, asking: member, ids: &ids, hash: &hash)
        }
        var listed = 0
        for member in members where member.connections > 0 {
            Self.append(member.fragments, number: &listed, ids: &ids, hash: &hash)
        }
        return listed
    }

    static func append(_ fragments: Fragments, number: inout Int, ids: inout [UInt8], hash: inout [UInt8]) {
        if number > 0 {
            ids.append(UInt8(ascii: ","))
            hash.append(UInt8(ascii: ","))
        }
        number += 1
        ids.append(contentsOf: fragments.id)
        hash.append(contentsOf: fragments.hash)
    }

    /// The ids of all users.
    var userIDs: [[UInt8]] {
        var all: [[UInt8]] = []
        all.reserveCapacity(count)
        for id in members.indices where members[id].connections > 0 { all.append(index.names[id]) }
        return all
    }

    /// Each user with its number of connections: for tests.
    var connectionsByUser: [[UInt8]: Int] {
        var all: [[UInt8]: Int] = [:]
        for (id, member) in members.enumerated() where member.connections > 0 {
            all[index.names[id]] = member.connections
        }
        return all
    }
}
