/// What the loop has counted, for whoever scrapes it; and where the owner counts what the broker does not see.
extension LoopBroker {
    /// Where an app's numbers on this loop are kept, as long as the broker lives. On the loop's thread.
    public func meter(of app: Int) -> UnsafeMutablePointer<AppMeter> { appMeters.row(app) }

    /// A copy of the apps' numbers: of those below `count` one by one, of the others together.
    public func appCounts(upTo count: Int) -> (apps: [AppMeter], others: AppMeter) { appMeters.copy(upTo: count) }
}
