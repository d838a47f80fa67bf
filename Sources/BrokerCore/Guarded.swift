internal import Glibc

/// A value that can be reached only with its lock held.
///
/// A `pthread_mutex_t`, because it is cheaper than `Synchronization.Mutex` and ThreadSanitizer understands it.
/// Rule of the house: no two of these are held together, and no system call is made inside.
final class Guarded<Value>: @unchecked Sendable {
    // SAFETY: `value` is read and written only inside `withLock`, with `mutex` held.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let status = pthread_mutex_init(mutex, nil)
        precondition(status == 0, "pthread_mutex_init fails only without memory")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body(&value)
    }
}
