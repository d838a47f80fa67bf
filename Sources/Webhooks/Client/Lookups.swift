internal import Reactor
internal import Wire

/// The names that are being looked up, and what is known of others. On one loop's thread.
///
/// ```
/// ask ─▶ known (60 s), unknown (1 s)                                 ▶ answered at once
///    └─▶ under way already, or waiting                               ▶ answered with it
///    └─▶ waiting ─▶ under way: at most 4, of slow names at most 2 ─▶ takeAnswers
/// ```
/// Whoever asked may have given up: the lookup goes on, because nobody can end one, keeps its place among the four, and what it brings is
/// remembered for the next who asks. A name that was slow once may not keep the quick ones from being looked up, and that is what two
/// places are for which no slow name gets.
struct Lookups {
    enum Answer: Equatable {
        case known([IPAddress])
        case failed(AttemptFailure)
        case pending
    }

    /// Nanoseconds.
    static let keptLong: UInt64 = 60_000_000_000
    static let failureKept: UInt64 = 1_000_000_000
    /// A lookup that takes longer is slow.
    static let slowAfter: UInt64 = 2_000_000_000
    static let underWayMax = 4
    static let slowMax = 2
    static let waitingMax = 1_024
    static let keptMax = 4_096

    private struct Kept {
        var answer: Answer
        var until: MonotonicTime
    }

    private let resolver: any NameResolver
    private let mailbox: LookupMailbox
    private var kept: [String: Kept] = [:]
    /// And since when.
    private var underWay: [String: MonotonicTime] = [:]
    private var waiting: [String] = []
    /// Names that were slow when they were last looked up.
    private var slow: Set<String> = []
    /// Lookups that were begun, and those that brought no address.
    private(set) var begun: UInt64 = 0
    private(set) var failed: UInt64 = 0

    init(_ resolver: any NameResolver, wake: @escaping @Sendable () -> Void) {
        (self.resolver, mailbox) = (resolver, LookupMailbox(wake: wake))
    }

    var underWayCount: Int { underWay.count }
    var hasAnswers: Bool { mailbox.hasSome }

    /// What a name stands for; `.pending`: `takeAnswers` will say.
    mutating func ask(_ name: String, now: MonotonicTime) -> Answer {
        if let known = kept[name] {
            if now < known.until { return known.answer }
            kept[name] = nil
        }
        guard underWay[name] == nil, !waiting.contains(name) else { return .pending }
        guard waiting.count < Self.waitingMax else {
            return .failed(AttemptFailure(.name, "\(name): \(waiting.count) other names wait to be looked up"))
        }
        waiting.append(name)
        beginSome(now: now)
        return .pending
    }

    /// Nobody was to be reached there: next time it is looked up anew.
    mutating func forget(_ name: String) { kept[name] = nil }

    /// What has been found since.
    mutating func takeAnswers(now: MonotonicTime) -> [(name: String, answer: Answer)] {
        let answers = mailbox.take().map { one in (one.name, settle(one, now)) }
        if !answers.isEmpty { beginSome(now: now) }
        return answers
    }

    /// About each 100 ms.
    mutating func tick(now: MonotonicTime) {
        if kept.contains(where: { now >= $0.value.until }) { kept = kept.filter { now < $0.value.until } }
        beginSome(now: now)
    }

    private mutating func settle(_ found: LookupMailbox.Found, _ now: MonotonicTime) -> Answer {
        let began = underWay.removeValue(forKey: found.name) ?? now
        if now.nanosecondsSince(began) <= Self.slowAfter {
            slow.remove(found.name)
        } else if slow.count < Self.keptMax {
            slow.insert(found.name)
        }
        let answer: Answer
        switch found.result {
        case .success(let addresses): answer = .known(addresses)
        case .failure(let problem):
            failed += 1
            answer = .failed(AttemptFailure(.name, "The name cannot be looked up: \(problem.text)"))
        }
        let time = if case .known = answer { Self.keptLong } else { Self.failureKept }
        if kept.count < Self.keptMax {
            kept[found.name] = Kept(answer: answer, until: now.after(nanoseconds: time))
        }
        return answer
    }

    private mutating func beginSome(now: MonotonicTime) {
        while underWay.count < Self.underWayMax, !waiting.isEmpty {
            let slowOnes = underWay.filter { slow.contains($0.key) || now.nanosecondsSince($0.value) > Self.slowAfter }
            let mayBeSlow = slowOnes.count < Self.slowMax
            guard let place = waiting.firstIndex(where: { mayBeSlow || !slow.contains($0) }) else { return }
            begin(waiting.remove(at: place), now)
        }
    }

    private mutating func begin(_ name: String, _ now: MonotonicTime) {
        underWay[name] = now
        begun += 1
        resolver.resolve(name) { [mailbox] in mailbox.put(name, $0) }
    }
}
