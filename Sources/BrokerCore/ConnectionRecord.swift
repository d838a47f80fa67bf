internal import PusherProtocol

/// What the broker keeps of one connection; the loop's array of these is indexed by slot.
struct ConnectionRecord: Vacant {
    // SAFETY: written when it is made, and only read afterwards.
    nonisolated(unsafe) static let vacant = makeVacant()

    /// The app's number; -1 while the slot is free.
    var app = -1
    var socketID = SocketID(high: 0, low: 0)
    var subscriptions = RawList<Subscription>()
    var user: SignedInUser?
    /// Client events: thousandths of an event that may be sent now, and when that was true.
    var clientEventTokens: UInt32 = 0
    var clientEventRefillMilliseconds: UInt32 = 0
    /// Signed in, or joined a channel that needs authorization (PW-122).
    var isAuthorized = false
    /// Its close is among the effects; it is not told twice.
    var isEnding = false

    /// Channels the client subscribed to: its user channel and its watchlist are subscriptions it did not ask for.
    var channelCount: Int { subscriptions.count - (user.map { 1 + $0.watching } ?? 0) }
}

/// A signed-in user on one connection (Pusher protocol §5.1).
final class SignedInUser {
    let id: [UInt8]
    var userInfo: [UInt8]?
    /// How many users this connection watches; each is a subscription with the role `watch`.
    var watching = 0

    init(id: [UInt8], userInfo: [UInt8]?) {
        self.id = id
        self.userInfo = userInfo
    }
}

/// A short list of plain values that costs nothing when empty. Its owner releases it.
struct RawList<Element: BitwiseCopyable> {
    private var memory: UnsafeMutablePointer<Element>?
    private(set) var storedCount: UInt32 = 0
    private var capacity: UInt32 = 0

    var count: Int { Int(storedCount) }

    subscript(index: Int) -> Element {
        get {
            guard let memory, index < count else { preconditionFailure("index past the end") }
            return memory[index]
        }
        set {
            guard let memory, index < count else { preconditionFailure("index past the end") }
            memory[index] = newValue
        }
    }

    mutating func append(_ element: Element) {
        if storedCount == capacity { resize(to: capacity == 0 ? 2 : capacity * 2) }
        guard let memory else { preconditionFailure("resize allocates") }
        (memory + count).initialize(to: element)
        storedCount += 1
    }

    /// Removes by putting the last element in the place.
    mutating func swapRemove(at index: Int) {
        guard let memory, index < count else { preconditionFailure("index past the end") }
        storedCount -= 1
        memory[index] = memory[count]
        if storedCount == 0 { release() } else if storedCount * 4 <= capacity, capacity > 8 { resize(to: capacity / 2) }
    }

    /// Empties the list and keeps its memory.
    mutating func removeAll() { storedCount = 0 }

    /// The elements where they lie; valid until the list changes.
    var elements: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: memory, count: count) }

    mutating func release() {
        memory?.deallocate()
        (memory, storedCount, capacity) = (nil, 0, 0)
    }

    private mutating func resize(to wanted: UInt32) {
        let fresh = UnsafeMutablePointer<Element>.allocate(capacity: Int(wanted))
        if let memory {
            fresh.update(from: memory, count: count)
            memory.deallocate()
        }
        (memory, capacity) = (fresh, wanted)
    }
}
