import Glibc

/// Real threads, for tests of what several loops do to the same memory. Run them under ThreadSanitizer.
public enum Threads {
    private final class Job {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` once on each of `count` threads, with the thread's number, and waits for all of them.
    public static func run(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        var threads: [pthread_t] = []
        for number in 0..<count {
            var thread = pthread_t()
            let job = Unmanaged.passRetained(Job { body(number) })
            let status = pthread_create(
                &thread, nil,
                { raw in
                    if let raw { Unmanaged<Job>.fromOpaque(raw).takeRetainedValue().body() }
                    return nil
                }, job.toOpaque())
            precondition(status == 0, "a test may start a few threads")
            threads.append(thread)
        }
        for thread in threads { pthread_join(thread, nil) }
    }
}
