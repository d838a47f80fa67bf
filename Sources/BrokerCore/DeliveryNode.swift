/// One delivery on its way to one loop: a header, the owner's headroom, then the JSON text, in one block of memory.
struct DeliveryNode {
    var next: UnsafeMutablePointer<DeliveryNode>?
    var sequence: UInt64
    var channel: LocalChannelID
    /// `fanOut`: the connection that gets nothing. `single`: the one that gets it. `member`: the slot is the member's number.
    var connection: ConnectionTag
    /// Headroom and text.
    var byteCount: UInt32
    var kind: DeliveryKind
    /// Bytes before the text, which are not the broker's: 0 without a text.
    var headroomBytes: UInt8
    /// `BrokerTime.stamp` of the publish; 0 for what is no event.
    var stamp: UInt32

    /// The headroom and the text.
    static func message(of node: UnsafeMutablePointer<DeliveryNode>) -> Message {
        Message(
            bytes: UnsafeMutableRawBufferPointer(start: node + 1, count: Int(node.pointee.byteCount)),
            headroomBytes: Int(node.pointee.headroomBytes))
    }
}

/// Where a loop gets the nodes it posts and puts those it has processed, so that a small event costs no malloc.
///
/// A loop's own. A node made by one loop ends in the pool of the loop that took it; each keeps a bounded number.
struct DeliveryPool {
    /// Blocks of this size are kept; a node whose frame needs more is allocated and freed.
    static let blockBytes = 512
    /// 128 KiB.
    static let blocksMax = 256

    private let headroomBytes: Int
    private var top: UnsafeMutablePointer<DeliveryNode>?
    /// Blocks kept.
    private(set) var count = 0

    /// - Parameter headroomBytes: kept free before each text.
    init(headroomBytes: Int = 0) { self.headroomBytes = headroomBytes }

    /// Makes a node that carries `json`.
    mutating func make(
        _ kind: DeliveryKind, to channel: LocalChannelID, sequence: UInt64, connection: ConnectionTag,
        json: Span<UInt8>,
        stamp: UInt32 = 0
    ) -> UnsafeMutablePointer<DeliveryNode> {
        let headroom = json.isEmpty ? 0 : headroomBytes
        let total = headroom + json.count
        let node = take(bytes: MemoryLayout<DeliveryNode>.stride + total)
        node.initialize(
            to: DeliveryNode(
                next: nil, sequence: sequence, channel: channel, connection: connection, byteCount: UInt32(total),
                kind: kind, headroomBytes: UInt8(truncatingIfNeeded: headroom), stamp: stamp))
        json.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            (UnsafeMutableRawPointer(node + 1) + headroom).copyMemory(from: base, byteCount: source.count)
        }
        return node
    }

    /// Takes back a processed node.
    mutating func give(_ node: UnsafeMutablePointer<DeliveryNode>) {
        guard count < Self.blocksMax, Self.isBlock(Self.bytesNeeded(for: node)) else { return node.deallocate() }
        node.pointee.next = top
        top = node
        count += 1
    }

    mutating func release() {
        while let node = top {
            top = node.pointee.next
            node.deallocate()
        }
        count = 0
    }

    /// The memory a node occupies.
    static func heldBytes(of node: UnsafeMutablePointer<DeliveryNode>) -> Int {
        max(blockBytes, bytesNeeded(for: node))
    }

    private static func bytesNeeded(for node: UnsafeMutablePointer<DeliveryNode>) -> Int {
        MemoryLayout<DeliveryNode>.stride + Int(node.pointee.byteCount)
    }

    /// What a node's size says about the block it lies in: every small one has a whole block.
    private static func isBlock(_ bytes: Int) -> Bool { bytes <= blockBytes }

    private mutating func take(bytes: Int) -> UnsafeMutablePointer<DeliveryNode> {
        if Self.isBlock(bytes), let node = top {
            top = node.pointee.next
            count -= 1
            return node
        }
        // Without memory this traps as every growing array does; what may wait is bounded long before (`queueBytesMax`).
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: Self.isBlock(bytes) ? Self.blockBytes : bytes, alignment: MemoryLayout<DeliveryNode>.alignment)
        return block.bindMemory(to: DeliveryNode.self, capacity: 1)
    }
}
