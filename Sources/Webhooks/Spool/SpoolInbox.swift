internal import BrokerCore
internal import Glibc

/// What waits for the thread that writes: bounded, and nobody who puts something in waits for more than a copy.
final class SpoolInbox: @unchecked Sendable {
    // SAFETY: `orders` and `bytes` are touched only with `mutex` held.
    private var orders = SpoolOrders()
    private var bytes = 0
    private let bytesMax: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// What finds no room is left out and counted: what comes, for what waits is older.
    func put(_ operations: [SpoolOperation]) {
        guard !operations.isEmpty else { return }
        change { orders in
            for operation in operations {
                if case .append(let entry) = operation { orders.highest = max(orders.highest, entry.event.id.number) }
                let more = operation.keptBytes
                if case .forget = operation {
                } else if bytes + more > bytesMax {
                    if case .append = operation { orders.eventsRefused += 1 } else { orders.lettersRefused += 1 }
                    continue
                }
                bytes += more
                orders.operations.append(operation)
            }
        }
    }

    func finish(_ endpoint: WebhookEndpointID, through number: UInt64) {
        change { $0.cursors[endpoint] = max($0.cursors[endpoint] ?? 0, number) }
    }

    /// Nothing comes any more.
    func close() { change { $0.isLast = true } }

    private func change(_ body: (inout SpoolOrders) -> Void) {
        pthread_mutex_lock(mutex)
        let wasEmpty = orders.isEmpty
        body(&orders)
        if wasEmpty { pthread_cond_signal(condition) }
        pthread_mutex_unlock(mutex)
    }

    /// Waits until there is something, or until `due` on the monotonic clock in nanoseconds, and takes all.
    func take(until due: UInt64?) -> SpoolOrders {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        if let due {
            var end = timespec()
            end.tv_sec = Int(clamping: due / 1_000_000_000)
            end.tv_nsec = Int(due % 1_000_000_000)
            while orders.isEmpty {
                if pthread_cond_timedwait(condition, mutex, &end) != 0 { break }
            }
        } else {
            while orders.isEmpty { pthread_cond_wait(condition, mutex) }
        }
        var taken = SpoolOrders()
        swap(&taken, &orders)
        bytes = 0
        return taken
    }
}
