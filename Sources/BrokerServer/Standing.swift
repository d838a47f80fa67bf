internal import Synchronization

/// Where the process is between its start and its end, as its loops have to know it. Set on the main thread, read on any.
final class Standing: Sendable {
    private let draining = Atomic<Bool>(false)
    private let serving = Atomic<Bool>(false)
    private let replaced = Atomic<Bool>(false)
    let lastAnswers: LastAnswers

    init(loops: Int) { lastAnswers = LastAnswers(loops: loops) }

    /// No new clients; those that are here are being sent away.
    var isDraining: Bool {
        get { draining.load(ordering: .relaxed) }
        set { draining.store(newValue, ordering: .relaxed) }
    }

    /// Every listener is open, and balancers may send clients: `/ready` says so.
    var isServing: Bool {
        get { serving.load(ordering: .relaxed) }
        set { serving.store(newValue, ordering: .relaxed) }
    }

    /// Another process has the listeners: who is still let in here, because he had connected before, is sent to it like everybody else.
    var isReplaced: Bool {
        get { replaced.load(ordering: .relaxed) }
        set { replaced.store(newValue, ordering: .relaxed) }
    }
}
