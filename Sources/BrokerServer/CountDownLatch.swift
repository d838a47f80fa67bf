internal import Glibc

/// Lets threads wait until something has happened a number of times.
final class CountDownLatch: @unchecked Sendable {
    // SAFETY: `left` is touched only with `mutex` held.
    private var left: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init(_ count: Int) {
        left = count
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// It has happened once more.
    func open() {
        pthread_mutex_lock(mutex)
        left -= 1
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Blocks until it has happened as often as said.
    func wait() {
        pthread_mutex_lock(mutex)
        while left > 0 { pthread_cond_wait(condition, mutex) }
        pthread_mutex_unlock(mutex)
    }
}
