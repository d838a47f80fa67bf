internal import BrokerCore
internal import Reactor
internal import Telemetry

/// What one loop has counted since it started, copied for a scrape; or several of them, added up.
struct LoopReport: Sendable {
    var statistics = LoopStatistics()
    var turns = DurationHistogram()
    var lag = DurationHistogram()
    var sends = DurationHistogram()
    var counts = ConnectionCounts()
    var broker = BrokerMeter()
    /// By number; a loop has rows up to the last app that did something on it.
    var apps: [AppMeter] = []
    /// Apps that have no row of their own.
    var otherApps = AppMeter()

    /// Adds another loop; its turns and lag stay its own.
    mutating func add(_ other: LoopReport) {
        statistics.add(other.statistics)
        sends.add(other.sends)
        counts += other.counts
        broker += other.broker
        while apps.count < other.apps.count { apps.append(AppMeter()) }
        for (app, meter) in other.apps.enumerated() { apps[app] += meter }
        otherApps += other.otherApps
    }
}

/// What a loop counts of its connections, where nobody needs a lock. Plain numbers of the loop's thread.
struct ConnectionCounts: Sendable, Equatable {
    var refusals = RefusalCounts()
    var http = HTTPCounts()
    var closes = CloseCounts()
    /// Of refusals of kind `tls` the reasons.
    var handshakeFailures = HandshakeCounts()
    var proxyFaults = ProxyFaultCounts()
    var addressHits = AddressHits()

    static func += (sum: inout ConnectionCounts, other: ConnectionCounts) {
        sum.refusals += other.refusals
        sum.http += other.http
        sum.closes += other.closes
        sum.handshakeFailures += other.handshakeFailures
        sum.proxyFaults += other.proxyFaults
        sum.addressHits += other.addressHits
    }
}

extension LoopStatistics {
    fileprivate mutating func add(_ other: LoopStatistics) {
        accepted &+= other.accepted
        acceptsRefused &+= other.acceptsRefused
        acceptErrors &+= other.acceptErrors
        rests &+= other.rests
        shortages = max(shortages, other.shortages)
        handshakes &+= other.handshakes
        preambles &+= other.preambles
        handshakesFailed &+= other.handshakesFailed
        bytesIn &+= other.bytesIn
        bytesOut &+= other.bytesOut
        shortWrites &+= other.shortWrites
        overflows &+= other.overflows
        overflowsOfProcess &+= other.overflowsOfProcess
        overflowsOfMemory &+= other.overflowsOfMemory
        backlogBytes += other.backlogBytes
        backlogMemoryBytes += other.backlogMemoryBytes
        inputBytes += other.inputBytes
        connections += other.connections
    }
}
