/// What operators want to be told that is of no channel.
extension LoopBroker {
    /// Whether somebody does; nobody listening costs one relaxed load.
    public func isAsked(for kind: ChannelEdge.Kind, in app: App) -> Bool { app.edges.consumers(of: kind) != 0 }

    /// Tells who asked, and wakes him. With no lock held.
    /// - Parameter change: of a kind that is of no channel.
    public func report(_ change: ChannelEdge.Change, in app: App) {
        let edge = ChannelEdge(
            app: app.index, channel: [], change: change, number: app.edges.drawNumber(),
            milliseconds: time.milliseconds)
        precondition(!edge.kind.isOfChannel, "an edge of a channel is posted under the lock of its shard")
        var left = app.edges.consumers(of: edge.kind)
        while left != 0 {
            let consumer = shared.consumers[left.trailingZeroBitCount]
            if consumer.queue.push(edge) == .wasEmpty { consumer.wake() }
            left &= left - 1
        }
    }
}
