/// What the subscribers of a loop hold of a roster when the loop was not told of every change; see `LoopBroker+Owed`.
extension Roster {
    /// What they hold of one user.
    enum Held: Equatable {
        case nothing
        case member(Fragments)
    }

    /// The users of whom the subscribers of one loop may hold something else than the roster. Everybody else is the same in both, so
    /// there are never more than the roster had members when the loop fell behind, and has now.
    struct LoopView {
        let loop: Int
        var held: [[UInt8]: Held] = [:]
    }

    /// One difference, as the loop's subscribers must be told it.
    struct Change {
        var userID: [UInt8]
        /// They hold the user, and no longer rightly.
        var isGone: Bool
        /// The number of the user as it is now; `.max`: it is not there.
        var member = UInt32.max
        var userInfo: [UInt8]?
    }

    func hasView(of loop: Int) -> Bool { views.contains { $0.loop == loop } }

    /// The loop has no subscriber left.
    func forgetView(of loop: Int) {
        if !views.isEmpty { views.removeAll { $0.loop == loop } }
    }

    /// A user came or went, and the loop is not told.
    /// - Parameter held: what its subscribers hold of the user, unless something is known of that already.
    func note(_ userID: [UInt8], held: Held, by loop: Int) {
        if !hasView(of: loop) { views.append(LoopView(loop: loop)) }
        guard let at = views.firstIndex(where: { $0.loop == loop }) else { return }
        if let known = views[at].held[userID] {
            // It came and went unseen.
            if known == .nothing, find(userID.span) == nil { views[at].held[userID] = nil }
        } else {
            views[at].held[userID] = held
        }
    }

    /// Takes one difference out of a loop's view; nil when there is none left, and the view is forgotten.
    func takeChange(of loop: Int) -> Change? {
        guard let at = views.firstIndex(where: { $0.loop == loop }) else { return nil }
        while let (userID, held) = views[at].held.popFirst() {
            let member = find(userID.span)
            switch (held, member) {
            case (.nothing, nil): continue
            case (.member, nil): return Change(userID: userID, isGone: true)
            case (.member(let fragments), let member?) where fragments == members[Int(member)].fragments: continue
            case (let held, let member?):
                return Change(
                    userID: userID, isGone: held != .nothing, member: member, userInfo: members[Int(member)].userInfo)
            }
        }
        views.remove(at: at)
        return nil
    }

    /// What the loop's other subscribers hold, and the asking member as it is.
    func appendSnapshot(of view: LoopView, asking asker: UInt32, ids: inout [UInt8], hash: inout [UInt8]) -> Int {
        var listed = 0
        for id in members.indices where members[id].connections > 0 {
            switch id == Int(asker) ? nil : view.held[index.names[id]] {
            case nil: Self.append(members[id].fragments, number: &listed, ids: &ids, hash: &hash)
            case .member(let fragments): Self.append(fragments, number: &listed, ids: &ids, hash: &hash)
            case .nothing: break
            }
        }
        for (userID, held) in view.held {
            guard case .member(let fragments) = held, find(userID.span) == nil else { continue }
            Self.append(fragments, number: &listed, ids: &ids, hash: &hash)
        }
        return listed
    }
}
