import BrokerCore
import Glibc
import Synchronization
import TestSupport
import Testing

/// Consumers of edges in the stress test: two are told everything, one has a small queue. Taken on one thread of their own.
final class EdgeListener: @unchecked Sendable {
    // SAFETY: what is no atomic is touched by the thread of `listen`, and by the test when that has ended.

    /// A consumer and what it got.
    struct Ear {
        var consumer: EdgeConsumer
        var heard: [ChannelEdge] = []
        var lost: UInt64 = 0

        mutating func take() {
            var (edges, missing): ([ChannelEdge], UInt64) = ([], 0)
            let last = consumer.take { edge, lost in
                edges.append(edge)
                missing += lost
            }
            heard += edges
            lost += missing + last
        }
    }

    private(set) var ears: [Ear]
    private let loopsRunning: Atomic<Int>

    init(shared: SharedBroker, loops: Int) {
        loopsRunning = Atomic(loops)
        ears = [64 << 20, 64 << 20, 8 << 10].map { bytesMax in
            guard let consumer = shared.registerConsumer(queueBytesMax: bytesMax, wake: {}) else {
                preconditionFailure("five consumers can register")
            }
            for app in shared.apps { consumer.setInterest(Set(ChannelEdge.Kind.allCases), in: app) }
            return Ear(consumer: consumer)
        }
    }

    func loopHasEnded() { loopsRunning.wrappingSubtract(1, ordering: .releasing) }

    /// Takes what comes until every loop has ended.
    func listen() {
        while loopsRunning.load(ordering: .acquiring) > 0 {
            takeAll()
            sched_yield()
        }
    }

    func takeAll() {
        for at in ears.indices { ears[at].take() }
    }

    /// What the edges say in the end.
    func check() throws -> EdgeBook {
        var book = EdgeBook()
        for edge in ears[0].heard {
            if let fault = book.add(edge) { Issue.record("\(fault): \(edge)") }
        }
        let (first, second, small) = (byChannel(ears[0]), byChannel(ears[1]), byChannel(ears[2]))
        #expect(ears[0].lost == 0 && ears[1].lost == 0)
        #expect(first == second, "two consumers hear one order of each channel")
        for (channel, numbers) in small {
            let all = first[channel] ?? []
            #expect(
                numbers == numbers.sorted() && Set(numbers).isSubset(of: all), "what is lost leaves the rest in order")
        }
        #expect(ears[2].heard.count + Int(ears[2].lost) == ears[0].heard.count, "what is lost is counted")
        let dropped = ChannelEdge.Kind.allCases.reduce(0) { $0 + ears[2].consumer.dropped($1) }
        #expect(dropped == ears[2].lost)
        for ear in ears { #expect(ear.consumer.queuedBytes == 0) }
        return book
    }

    private func byChannel(_ ear: Ear) -> [EdgeBook.Place: [UInt64]] {
        Dictionary(grouping: ear.heard) {
            EdgeBook.Place(app: $0.app, channel: String(decoding: $0.channel, as: UTF8.self))
        }.mapValues { $0.map(\.number) }
    }
}
