internal import PusherProtocol
internal import Wire

/// Who is in a presence channel: users, each with the number of its connections (PW-068…PW-081).
///
/// Every member keeps its two snapshot fragments already escaped, so that a snapshot is a concatenation and a join costs
/// no more than the bytes that must be sent.
///
/// A class, so that a record can hold it although its tables cannot be copied. Reached under its shard's lock.
final class Roster {
    struct Member: Vacant {
        // SAFETY: written when it is made, and only read afterwards.
        nonisolated(unsafe) static let vacant = makeVacant()

        var connections = 0
        /// As given by the first connection; it wins until the user has left completely. `nil`: none was given.
        var userInfo: [UInt8]?
        var fragments = Fragments()

        /// Bytes of the texts.
        var heldBytes: Int { (userInfo?.count ?? 0) + fragments.id.count + fragments.hash.count }
    }

    /// A member's part of a snapshot.
    struct Fragments: Equatable {
        /// `\"u1\"`
        var id: [UInt8] = []
        /// `\"u1\":{…}`
        var hash: [UInt8] = []
    }

    private(set) var index: NameTable
    private(set) var members = PagedList<Member>()
    /// Loops whose subscribers were not told everything; empty but for the time after a queue was full.
    var views: [LoopView] = []
    private let hashing: NameHashing

    init(hashing: NameHashing) {
        self.hashing = hashing
        index = NameTable(hashing: hashing, bytesPerName: 256)
    }

    /// Distinct users.
    var count: Int { index.count }

    func find(_ userID: Span<UInt8>) -> UInt32? { index.find(userID) }

    func userID(of member: UInt32) -> [UInt8] { index.names[Int(member)] }

    /// One more connection of a user.
    /// - Returns: the member's number, and whether the user was not here before.
    func join(_ userID: [UInt8], userInfo: [UInt8]?) -> (member: UInt32, isNew: Bool) {
        let hash = index.hash(of: userID.span)
        if let known = index.find(userID.span, hash: hash) {
            members[Int(known)].connections += 1
            return (known, false)
        }
        let id = index.insert(userID, hash: hash)
        let (idFragment, hashFragment) = ServerFrame.fragments(userID: userID.span, userInfoJSON: userInfo)
        let fresh = Member(
            connections: 1, userInfo: userInfo, fragments: Fragments(id: idFragment, hash: hashFragment))
        hashing.hold(bytes: fresh.heldBytes)
        members.take(Int(id))
        members[Int(id)] = fresh
        return (id, true)
    }

    /// One connection fewer.
    /// - Returns: who the user was when that was the last one.
    func leave(_ member: UInt32) -> (userID: [UInt8], fragments: Fragments)? {
        members[Int(member)].connections -= 1
        guard members[Int(member)].connections == 0 else { return nil }
        let gone = (userID: index.names[Int(member)], fragments: members[Int(member)].fragments)
        index.remove(member)
        hashing.hold(bytes: -members[Int(member)].heldBytes)
        members[Int(member)] = Member()
        members.free(Int(member))
        if index.hasUnused { releaseUnused() }
        return gone
    }

    private func releaseUnused() {
        index.releaseUnused()
        members.releasePages()
    }

    /// `ids` and `hash` of a snapshot for a member's connection on a loop, escaped for the inside of a JSON string.
    /// - Returns: how many members it names.
    func appendSnapshot(for loop: Int, asking member: UInt32, ids: inout [UInt8], hash: inout [UInt8]) -> Int {
        if let view = views.first(where: { $0.loop == loop }) {
            return appendSnapshot(of: view, asking: member, ids: &ids, hash: &hash)
        }
        // Measured first, so that each is written in one go.
        var (idBytes, hashBytes, listed) = (0, 0, 0)
        for number in members.indices {
            idBytes += members[number].fragments.id.count + 1
            hashBytes += members[number].fragments.hash.count + 1
        }
        ids.append(bytesMax: idBytes) { idPen in
            hash.append(bytesMax: hashBytes) { hashPen in
                for number in members.indices {
                    if listed > 0 {
                        idPen.write(text: ",")
                        hashPen.write(text: ",")
                    }
                    listed += 1
                    idPen.write(bytes: members[number].fragments.id.span)
                    hashPen.write(bytes: members[number].fragments.hash.span)
                }
            }
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
        members.indices.map { index.names[$0] }
    }

    /// Each user with its number of connections: for tests.
    var connectionsByUser: [[UInt8]: Int] {
        var all: [[UInt8]: Int] = [:]
        for id in members.indices { all[index.names[id]] = members[id].connections }
        return all
    }
}
