internal import Reactor
internal import Synchronization
public import Wire

/// Why a name has no address.
public struct LookupProblem: Error, Sendable, Equatable {
    /// `hooks.example: Name or service not known`.
    public var text: String

    public init(text: String) { self.text = text }
}

public typealias LookupResult = Result<[IPAddress], LookupProblem>

/// Who finds the addresses of names.
public protocol NameResolver: AnyObject, Sendable {
    /// Begins to look a name up, without waiting. `answer` is called once, on any thread.
    func resolve(_ name: String, _ answer: @escaping @Sendable (LookupResult) -> Void)
}

/// The machine's own way, getaddrinfo(3), which blocks: a thread for each lookup that is under way, of which its caller sees to it that there
/// are few.
public final class SystemResolver: NameResolver {
    public init() {}

    public func resolve(_ name: String, _ answer: @escaping @Sendable (LookupResult) -> Void) {
        do throws(IOError) {
            try LoopThread.start(name: "name lookup") { answer(Self.look(name)) }.detach()
        } catch {
            answer(.failure(LookupProblem(text: "\(name): \(error)")))
        }
    }

    private static func look(_ name: String) -> LookupResult {
        do throws(IOError) {
            let found = try NameLookup.addresses(of: name).map { address in
                address.family == .ipv4
                    ? IPAddress(ipv4: UInt32(truncatingIfNeeded: address.low))
                    : IPAddress(high: address.high, low: address.low)
            }
            return found.isEmpty ? .failure(LookupProblem(text: "\(name): it has no address")) : .success(found)
        } catch {
            return .failure(LookupProblem(text: "\(error)"))
        }
    }
}

/// Where answers wait for the loop. Any thread puts, the loop takes.
final class LookupMailbox: Sendable {
    struct Found: Sendable {
        var name: String
        var result: LookupResult
    }

    private let wake: @Sendable () -> Void
    private let waiting = Mutex<[Found]>([])
    private let areWaiting = Atomic<Bool>(false)

    init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    func put(_ name: String, _ result: LookupResult) {
        waiting.withLock {
            $0.append(Found(name: name, result: result))
            areWaiting.store(true, ordering: .sequentiallyConsistent)
        }
        wake()
    }

    /// A load.
    var hasSome: Bool { areWaiting.load(ordering: .acquiring) }

    func take() -> [Found] {
        guard hasSome else { return [] }
        return waiting.withLock { waiting in
            areWaiting.store(false, ordering: .sequentiallyConsistent)
            defer { waiting = [] }
            return waiting
        }
    }
}
