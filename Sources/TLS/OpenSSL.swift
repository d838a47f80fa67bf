internal import COpenSSL
internal import Glibc

/// What this module asks of libssl beside its calls. Thread: any; the error queue is the calling thread's.
enum OpenSSL {
    /// What remains when this fails is no memory or a broken installation.
    static func require(_ succeeded: Bool, _ call: StaticString) {
        precondition(succeeded, "\(call) failed: libssl is out of memory or misconfigured")
    }

    /// The first error of this thread's queue, as a number; the queue is empty afterwards.
    static func takeError() -> UInt {
        let first = ERR_get_error()
        ERR_clear_error()
        return first
    }

    /// OpenSSL's words for an error: `bad decrypt`.
    static func text(_ error: UInt) -> String {
        let code = copenssl_error_system(error)
        if code != 0 { return String(cString: strerror(code)) }
        guard error != 0, let words = ERR_reason_error_string(error) else { return "no reason was given" }
        return String(cString: words)
    }
}
