internal import Reactor

/// The sessions of one loop's clients, by the slot the reactor gave each.
///
/// Behind pointers, because to reach one for writing is part of every message, and `Array` takes thirty instructions for it.
/// In pages that come with their first client and go after their last, so that a client with a late slot keeps one page.
struct SessionTable: ~Copyable {
    static let pageSize = 64
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) private static let free: UnsafeMutablePointer<Session> = {
        let made = UnsafeMutablePointer<Session>.allocate(capacity: 1)
        made.initialize(to: Session())
        return made
    }()
    /// A page's sessions are all initialized; nil where no slot is open.
    private var directory = UnsafeMutableBufferPointer<UnsafeMutablePointer<Session>?>.allocate(capacity: 0)
    /// Open sessions of each page.
    private var openCounts: [Int] = []
    private var hasEmptyPage = false

    deinit {
        for page in directory.indices { Self.freePage(directory[page]) }
        directory.deallocate()
    }

    /// To read a slot that nobody has gives a free session.
    subscript(slot: UInt32) -> Session {
        // Addresses, because coroutines that are not inlined allocate their frames.
        @inline(__always) unsafeAddress { UnsafePointer(address(slot) ?? Self.free) }
        @inline(__always) unsafeMutableAddress {
            guard let session = address(slot) else { preconditionFailure("a slot that is not open") }
            return session
        }
    }

    @inline(__always)
    private func address(_ slot: UInt32) -> UnsafeMutablePointer<Session>? {
        let page = Int(slot) / Self.pageSize
        guard page < directory.count, let base = directory[page] else { return nil }
        return base + Int(slot) % Self.pageSize
    }

    /// Starts a session.
    mutating func open(_ slot: UInt32, milliseconds: UInt32, peer: PeerAddress = PeerAddress()) {
        let page = Int(slot) / Self.pageSize
        if page >= directory.count { resize(to: max(page + 1, directory.count * 2)) }
        if directory[page] == nil {
            let sessions = UnsafeMutablePointer<Session>.allocate(capacity: Self.pageSize)
            sessions.initialize(repeating: Session(), count: Self.pageSize)
            directory[page] = sessions
        }
        if self[slot].phase == .free { openCounts[page] += 1 }
        self[slot] = Session(openedMilliseconds: milliseconds, peer: peer)
    }

    /// Ends a session.
    mutating func close(_ slot: UInt32) {
        guard self[slot].phase != .free else { return }
        self[slot] = Session()
        openCounts[Int(slot) / Self.pageSize] -= 1
        if openCounts[Int(slot) / Self.pageSize] == 0 { hasEmptyPage = true }
    }

    /// Gives back the memory of pages without an open session.
    mutating func releaseUnused() {
        guard hasEmptyPage else { return }
        hasEmptyPage = false
        for page in directory.indices where openCounts[page] == 0 {
            Self.freePage(directory[page])
            directory[page] = nil
        }
        let kept = openCounts.lastIndex { $0 > 0 }.map { $0 + 1 } ?? 0
        if kept * 2 <= directory.count { resize(to: kept) }
    }

    /// Pages in memory, for tests and figures.
    var pageCount: Int { directory.count { $0 != nil } }

    /// Sessions that are open.
    var openCount: Int { openCounts.reduce(0, +) }

    func slots(in phase: Session.Phase) -> [UInt32] {
        let slots = 0..<UInt32(directory.count * Self.pageSize)
        return slots.filter { self[$0].phase == phase }
    }

    private mutating func resize(to count: Int) {
        let resized = UnsafeMutableBufferPointer<UnsafeMutablePointer<Session>?>.allocate(capacity: count)
        for page in resized.indices { resized[page] = page < directory.count ? directory[page] : nil }
        openCounts = resized.indices.map { $0 < openCounts.count ? openCounts[$0] : 0 }
        directory.deallocate()
        directory = resized
    }

    private static func freePage(_ page: UnsafeMutablePointer<Session>?) {
        page?.deinitialize(count: pageSize)
        page?.deallocate()
    }
}
