internal import Reactor
internal import Wire

/// A request that cannot stay among the connection's input: its body comes in chunks, so that the head's bytes are consumed before the
/// body is whole, or it is answered in a later turn.
final class KeptRequest {
    /// What a connection may hold of a request or message that is not whole although everybody together holds too much.
    static let graceBytes = LoopOptions().inputGraceBytes

    let bytes: [UInt8]
    let head: HTTPRequestHead
    let stage: RequestView.Stage
    private(set) var body: [UInt8]
    private var decoder = HTTPChunkedDecoder()
    private let budget: ProcessBudget
    private var bytesHeld = 0

    init(
        bytes: [UInt8], head: HTTPRequestHead, body: [UInt8] = [], stage: RequestView.Stage = .whole,
        budget: ProcessBudget
    ) {
        (self.bytes, self.head, self.body, self.stage, self.budget) = (bytes, head, body, stage, budget)
    }

    /// A copy of a request as it is answered; it will be asked about from its head.
    convenience init(copying request: RequestView, budget: ProcessBudget) {
        self.init(
            bytes: Array(request.headBytes), head: request.head, body: Array(request.body), budget: budget)
    }

    deinit { budget.give(bytesHeld) }

    /// Takes more of a chunked body.
    /// - Returns: whether it is whole.
    func feed(
        _ input: UnsafeBufferPointer<UInt8>, from offset: inout Int, bodyBytesMax: Int
    ) throws(HTTPFailure) -> Bool {
        try decoder.feed(input.span, from: &offset, into: &body, bodyBytesMax: bodyBytesMax)
    }

    /// Takes from the budget what the request holds by now; false, and counted, when that is used up.
    func takeHeldBytes() -> Bool {
        let holds = bytes.count + body.capacity
        guard holds > bytesHeld else { return true }
        guard budget.acquire(holds - bytesHeld, withinGrace: holds <= Self.graceBytes) else {
            budget.countRefusal()
            return false
        }
        bytesHeld = holds
        return true
    }

    /// Shows the request to `use`, as one that is here as a whole.
    func withView<Result>(_ use: (inout RequestView) -> Result) -> Result {
        bytes.withUnsafeBufferPointer { head in
            body.withUnsafeBufferPointer { body in
                var view = RequestView(bytes: head, head: self.head, body: body, stage: stage)
                return use(&view)
            }
        }
    }
}
