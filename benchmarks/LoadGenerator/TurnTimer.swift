internal import CLinux
internal import Reactor

/// Makes a loop turn at a time, to the microsecond: a tick of the loop is a tenth of a second. Owns a timerfd; the loop's thread.
struct TurnTimer: ~Copyable {
    private let descriptor: CInt
    private var due: UInt64 = 0

    init(_ loop: EventLoop) throws(IOError) {
        let descriptor = clinux_timer_create()
        guard descriptor >= 0 else { throw IOError(call: "timerfd_create", code: -descriptor) }
        do throws(IOError) {
            try loop.watch(descriptor) { _ = clinux_eventfd_drain(descriptor) }
        } catch {
            clinux_close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit { clinux_close(descriptor) }

    /// Makes the loop turn then, if it is not to turn earlier.
    mutating func wake(at time: UInt64, now: UInt64) {
        guard due <= now || time < due else { return }
        due = time
        _ = clinux_timer_set(descriptor, max(1, time))
    }
}
