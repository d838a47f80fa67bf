import Reactor
import Testing

@testable import LoadGenerator

@Suite("The connections of a worker") struct ConnectionsTests {
    @Test func aClientIsFoundWhileItIsReady() {
        var connections = Connections(clients: 3, workers: 2)
        connections.add(7, .client, number: 5, since: 100)
        #expect(connections[7].phase == .dialing && connections.connectedClients == [])
        connections.open(7)
        #expect(connections.connectedClients == [7] && connections.ready(2) == nil)
        connections[7].phase = .ready
        #expect(connections.ready(2) == 7 && connections.ready(0) == nil)
        let gone = connections.remove(7)
        #expect(gone.number == 5 && gone.since == 100 && gone.phase == .ready)
        #expect(connections.ready(2) == nil && connections[7].phase == .free && connections.clientCount == 3)
    }

    /// The slot of one that fails while it is dialed was never a client's.
    @Test func whatWasNeverOpenedTakesNobodysPlace() {
        var connections = Connections(clients: 1, workers: 1)
        connections.add(3, .client, number: 0, since: 0)
        connections.open(3)
        connections.add(4, .client, number: 0, since: 0)
        _ = connections.remove(4)
        #expect(connections.connectedClients == [3])
        connections.add(5, .publisher, number: 0, since: 0)
        connections.open(5)
        _ = connections.remove(5)
        connections.add(6, .probe, number: 9, since: 0)
        connections.open(6)
        _ = connections.remove(6)
        #expect(connections.connectedClients == [3])
    }
}

@Suite("API connections") struct APICallsTests {
    static let call = APICall(scheduled: 1, sent: 2, events: 3, expected: 4)

    private func read(_ calls: inout APICalls, _ text: String, complaint: (String) -> Void = { _ in }) throws
        -> [APICall?]
    {
        try Array(text.utf8).withUnsafeBufferPointer { bytes in
            var (offset, found) = (0, [APICall?]())
            while let answer = try calls.next(1, bytes, from: &offset, complaint: complaint) {
                found.append(answer.call)
            }
            return found
        }
    }

    @Test func aConnectionIsFreeUntilItCallsAndAfterItsAnswer() throws {
        var calls = APICalls()
        #expect(!calls.hasFree && !calls.contains(1))
        calls.open(1)
        #expect(calls.contains(1) && calls.takeFree() == 1 && !calls.hasFree)
        calls.begin(Self.call, on: 1)
        #expect(try read(&calls, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == [Self.call])
        #expect(calls.takeFree() == 1)
    }

    /// A server may say why it closes an idle connection.
    @Test func whatComesUnaskedAnswersNothing() throws {
        var calls = APICalls()
        calls.open(1)
        var complaints = 0
        #expect(try read(&calls, "HTTP/1.1 408 x\r\nContent-Length: 0\r\n\r\n") { _ in complaints += 1 } == [nil])
        #expect(complaints == 0 && calls.takeFree() == 1 && calls.takeFree() == nil, "and it is not free twice")
    }

    @Test func aConnectionThatEndsIsNotGivenAnotherCall() throws {
        var calls = APICalls()
        calls.open(1)
        _ = calls.takeFree()
        calls.begin(Self.call, on: 1)
        #expect(try read(&calls, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n") == [Self.call])
        #expect(!calls.hasFree && calls.close(1) == nil && !calls.contains(1))
    }

    @Test func aCallWhoseConnectionClosesIsToldOnce() {
        var calls = APICalls()
        calls.open(1)
        calls.open(2)
        _ = calls.takeFree()
        calls.begin(Self.call, on: 2)
        #expect(calls.close(2) == Self.call && calls.close(2) == nil)
        #expect(calls.close(1) == nil && !calls.hasFree, "the free one is forgotten with its connection")
    }

    @Test func theEndOfTheConnectionMayBeTheAnswer() throws {
        var calls = APICalls()
        calls.open(1)
        #expect(calls.endOfStream(1) == nil)
        _ = calls.takeFree()
        calls.begin(Self.call, on: 1)
        #expect(try read(&calls, "HTTP/1.1 200 OK\r\n\r\n{}") == [])
        #expect(calls.endOfStream(1)?.call == Self.call && !calls.hasFree)
    }

    @Test func aCallMayEndWithoutAnAnswer() {
        var calls = APICalls()
        calls.open(1)
        #expect(calls.finish(1) == nil)
        _ = calls.takeFree()
        calls.begin(Self.call, on: 1)
        #expect(calls.finish(1) == Self.call && calls.takeFree() == 1)
    }
}

@Suite("What a worker counts") struct TallyTests {
    static let call = APICall(scheduled: 100_000, sent: 150_000, events: 2, expected: 20)

    @Test func onlyWhatWasDueInTheWindowIsMeasured() {
        for (scheduled, isMeasured) in [(99_999, false), (100_000, true), (199_999, true), (200_000, false)] {
            var tally = Tally()
            tally.window = 100_000..<200_000
            let stamp = Stamp(
                scheduled: UInt64(scheduled), delay: 10_000, channel: 0, publisher: 0, sequence: 0)
            tally.delivered(stamp, UInt64(scheduled) + 50_000)
            #expect(tally.counters.deliveries == 1 && tally.interval.total == 1)
            #expect(tally.latencies.delivery.total == (isMeasured ? 1 : 0))
            guard isMeasured else { continue }
            #expect(tally.latencies.delivery.maximum == 50_000 && tally.latencies.deliveryService.maximum == 40_000)
        }
    }

    @Test func aCallIsAcceptedOrExcused() {
        var tally = Tally()
        tally.window = 0..<1_000_000
        tally.called(Self.call)
        tally.called(Self.call)
        #expect(tally.counters.published == 4 && tally.counters.calls == 2 && tally.counters.outstanding == 40)
        tally.replied(Self.call, isOnly: true, 250_000)
        #expect(tally.counters.accepted == 2 && tally.counters.replies == 1 && tally.counters.calls == 1)
        #expect(tally.latencies.reply.maximum == 150_000 && tally.latencies.replyService.maximum == 100_000)
        #expect(tally.interval.total == 1)
        tally.failed(Self.call)
        #expect(tally.counters.rejected == 2 && tally.counters.calls == 0 && tally.counters.outstanding == 20)
        tally.replied(Self.call, isOnly: false, 2_000_000)
        #expect(tally.interval.total == 1)
    }

    @Test func lateSendsAreTold() {
        var tally = Tally()
        for lateness: Send.Lateness in [.none, .late, .late, .queued] {
            tally.sent(Send(scheduled: 0, lateness: lateness))
        }
        #expect(tally.counters.late == 2 && tally.counters.queued == 1)
    }

    @Test func joinsOutsideAWindowCountWhenThereIsNone() {
        var tally = Tally()
        tally.joined(since: 5_000, isOnly: false, 9_000)
        #expect(tally.counters.joins == 1 && tally.latencies.join.total == 1 && tally.interval.total == 0)
        tally.window = 10_000..<20_000
        tally.joined(since: 5_000, isOnly: true, 9_000)
        #expect(tally.counters.joins == 2 && tally.latencies.join.total == 1 && tally.interval.total == 1)
    }

    @Test func arrivalsOutOfLineAreCounted() {
        var tally = Tally()
        for arrival: DeliveryTracker.Arrival in [.inOrder, .afterGap, .reordered, .duplicate, .duplicate] {
            tally.arrived(arrival)
        }
        #expect(tally.counters.reordered == 1 && tally.counters.duplicated == 2)
    }
}

@Suite("Deliveries of a worker") struct DeliveriesTests {
    /// Two workers, 8 subscribers in 4 channels, two of them each; two publishers.
    static func plan() throws -> Plan {
        var plan = Plan(target: Target(address: try #require(PeerAddress.parse(host: "127.0.0.1")), host: "h"))
        (plan.workers, plan.subscribers, plan.channels, plan.channelsPerClient, plan.publishers) = (2, 8, 4, 2, 2)
        return plan
    }

    private func stamp(_ channel: Int, _ publisher: Int, _ sequence: UInt32) -> Stamp {
        Stamp(
            scheduled: 0, delay: 0, channel: UInt32(channel), publisher: UInt32(publisher), sequence: sequence)
    }

    @Test func whatDidNotComeIsLostWhereItWasDue() throws {
        var deliveries = Deliveries(plan: try Self.plan(), worker: 1)
        // Worker 1 has the clients 1, 3, 5, 7, which take the channels 2 and 3.
        let sent: [UInt32] = [9, 9, 9, 9, 2, 1, 0, 3]
        #expect(deliveries.lost(sent: sent) == 4 * (2 + 1 + 0 + 3))
        for client in [1, 3, 5, 7] {
            #expect(deliveries.arrived(stamp(2, 0, 0), client: client) == .inOrder)
            #expect(deliveries.arrived(stamp(3, 1, 1), client: client) == .afterGap)
        }
        #expect(deliveries.lost(sent: sent) == 4 * (1 + 1 + 0 + 2))
        #expect(deliveries.arrived(stamp(3, 1, 0), client: 5) == .reordered)
        #expect(deliveries.arrived(stamp(3, 1, 0), client: 5) == .duplicate)
        #expect(deliveries.lost(sent: sent) == 4 * (1 + 1 + 0 + 2) - 1)
        deliveries.forget()
        #expect(deliveries.lost(sent: sent) == 4 * (2 + 1 + 0 + 3))
        #expect(deliveries.lost(sent: []) == 0, "nothing was published")
    }

    @Test func whatNobodyAskedForIsTold() throws {
        var deliveries = Deliveries(plan: try Self.plan(), worker: 1)
        #expect(deliveries.arrived(stamp(0, 0, 0), client: 1) == nil, "a channel it never asked for")
        #expect(deliveries.arrived(stamp(9, 0, 0), client: 1) == nil, "a channel nobody knows")
        #expect(deliveries.arrived(stamp(2, 2, 0), client: 1) == nil, "a publisher nobody knows")
        #expect(deliveries.arrived(stamp(2, 0, 0), client: 8) == nil, "a member, which counts no events")
    }

    @Test func peersDoNotMissTheirOwnEvents() throws {
        var plan = try Self.plan()
        (plan.channelsPerClient, plan.peersPublish) = (1, true)
        // Channel c has the peers c and c + 4: publishers 0 and 1. Worker 0 has the clients 0, 2, 4, 6.
        let deliveries = Deliveries(plan: plan, worker: 0)
        #expect(deliveries.lost(sent: [1, 10, 0, 0, 100, 1_000, 0, 0]) == 10 + 1 + 1_000 + 100)
    }

    @Test func sequencesCountForEachChannelAndPublisher() throws {
        var deliveries = Deliveries(plan: try Self.plan(), worker: 2)
        deliveries.restartSequences()
        #expect(deliveries.takeSequence(1, 0) == 0 && deliveries.takeSequence(1, 0) == 1)
        #expect(deliveries.takeSequence(1, 1) == 0 && deliveries.sequences == [0, 0, 2, 1, 0, 0, 0, 0])
        #expect(deliveries.lost(sent: [5, 5, 5, 5, 5, 5, 5, 5]) == 0, "behind the workers nobody subscribes")
    }

    @Test(arguments: 1...4) func everyClientHasOneWorker(workers: Int) throws {
        var plan = try Self.plan()
        (plan.workers, plan.members) = (workers, 3)
        var clients: [Int] = []
        for worker in 0...workers {
            clients += (0..<plan.clients(of: worker)).map { plan.client($0, of: worker) }
            // Those that subscribe come first.
            #expect(
                (0..<plan.clients(of: worker)).allSatisfy {
                    (plan.client($0, of: worker) < plan.subscribers) == ($0 < plan.subscribers(of: worker))
                })
        }
        #expect(clients.sorted() == Array(0..<11))
    }
}
