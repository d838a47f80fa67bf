import BrokerCore
import Glibc
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Webhooks

@Suite("The spool on a real disk")
struct SpoolThreadTests {
    private static func directory() -> String {
        var template = Array("/tmp/starling-spool-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { preconditionFailure("/tmp can be written") }
        return String(cString: path)
    }

    private static func remove(_ path: String) { _ = system("rm -r '\(path)'") }

    /// Waits until it is so.
    private static func until(_ isSo: () -> Bool) -> Bool {
        for _ in 0..<30_000 {
            if isSo() { return true }
            usleep(1_000)
        }
        return false
    }

    /// Opens one that was closed. A process that another test is starting holds our descriptors until its exec, and with them the lock.
    private static func reopen(
        _ path: String, _ options: SpoolOptions = SpoolOptions()
    ) throws -> (Spool, SpoolContents) {
        for _ in 0..<30_000 {
            do throws(SpoolProblem) { return try Spool.open(path, options) {} } catch {
                guard case .locked = error else { throw error }
                usleep(1_000)
            }
        }
        return try Spool.open(path, options) {}
    }

    @Test("What was given is there after a restart", arguments: [SpoolOptions.Sync.batch, .each])
    func restart(sync: SpoolOptions.Sync) throws {
        let root = Self.directory()
        defer { Self.remove(root) }
        let path = "\(root)/state/webhooks"
        var options = SpoolOptions()
        options.sync = sync
        let wakes = Wakes()
        let (spool, contents) = try Spool.open(path, options) { wakes.add() }
        #expect(contents == SpoolContents() && spool.durableNumber == 0)
        for number in UInt64(1)...500 { spool.append([Sample.entry(number, [1, 2])]) }
        #expect(Self.until { spool.durableNumber == 500 } && wakes.count > 0)
        spool.finish(WebhookEndpointID(1), through: 499)
        spool.bury([Sample.letter(1, 2), Sample.letter(2, 2)])
        spool.forget(WebhookEndpointID(2), [Sample.event(2).id])
        spool.finish(WebhookEndpointID(2), through: 498)
        #expect(throws: SpoolProblem.locked(directory: path)) { try Spool.open(path, options) {} }
        spool.close()
        #expect(spool.facts.notDurable == 0 && spool.facts.eventsWritten == 500 && spool.facts.syncs.count > 0)

        let (again, found) = try Self.reopen(path, options)
        #expect(found.waiting == [Sample.entry(499, [2]), Sample.entry(500, [1, 2])])
        #expect(found.deadLetters == [Sample.letter(1, 2)] && found.nextNumber == 501 && found.notes.isEmpty)
        #expect(again.durableNumber == 500)
        again.close()
    }

    @Test("Files that somebody removes under way are written anew, with all that lives")
    func removal() throws {
        let root = Self.directory()
        defer { Self.remove(root) }
        let path = "\(root)/state/webhooks"
        let (spool, _) = try Spool.open(path, SpoolOptions()) {}
        for number in UInt64(1)...100 { spool.append([Sample.entry(number, [1, 2])]) }
        spool.finish(WebhookEndpointID(1), through: 60)
        spool.bury([Sample.letter(5, 1)])
        #expect(
            Self.until {
                spool.facts.eventsWritten == 100 && spool.facts.deadLetters == 1 && spool.facts.syncs.count > 0
            })
        Self.remove("\(root)/state")
        spool.append([Sample.entry(101, [1])])
        #expect(Self.until { spool.facts.syncErrors > 0 && spool.facts.notDurable == 0 && !spool.facts.isFailing })
        spool.close()
        let (again, found) = try Self.reopen(path)
        var wanted = (UInt64(1)...60).map { Sample.entry($0, [2]) }
        wanted += (UInt64(61)...100).map { Sample.entry($0, [1, 2]) }
        wanted.append(Sample.entry(101, [1]))
        #expect(found.waiting == wanted && found.deadLetters == [Sample.letter(5, 1)] && found.notes.isEmpty)
        again.close()
    }

    @Test("A file that is empty is said")
    func emptyFile() throws {
        let root = Self.directory()
        defer { Self.remove(root) }
        let path = "\(root)/webhooks"
        let (spool, _) = try Spool.open(path, SpoolOptions()) {}
        spool.append([Sample.entry(1, [1])])
        spool.close()
        let name = SpoolFormat.name(of: 2)
        Glibc.close(Glibc.open("\(path)/\(name)", O_WRONLY | O_CREAT, 0o600))
        let (again, found) = try Self.reopen(path)
        #expect(found.notes.count == 1 && found.notes[0].hasPrefix("\(name): it is empty") && found.waiting.count == 1)
        again.close()
    }

    @Test("Files are their user's alone")
    func modes() throws {
        let root = Self.directory()
        defer { Self.remove(root) }
        mkdir("\(root)/open", 0o755)
        chmod("\(root)/open", 0o755)
        for path in ["\(root)/new", "\(root)/open"] {
            let spool = try Spool.open(path, SpoolOptions()) {}.0
            #expect(Self.until { spool.facts.segments == 1 })
            spool.close()
            #expect(Self.mode(path) == 0o700)
            #expect(Self.mode("\(path)/lock") == 0o600 && Self.mode("\(path)/\(SpoolFormat.name(of: 1))") == 0o600)
        }
    }

    private static func mode(_ path: String) -> mode_t {
        var found = stat()
        return lstat(path, &found) == 0 ? found.st_mode & 0o777 : 0
    }

    @Test("What cannot be a spool is refused with what to change")
    func refused() throws {
        let root = Self.directory()
        defer { Self.remove(root) }
        fclose(fopen("\(root)/file", "w"))
        mkdir("\(root)/real", 0o700)
        symlink("\(root)/real", "\(root)/link")
        mkdir("\(root)/locked", 0o700)
        symlink("/etc/passwd", "\(root)/locked/lock")
        let rows = [
            ("file", "Cannot use the webhook spool \(root)/file: it is not a directory."),
            ("file/webhooks", "Cannot make the webhook spool \(root)/file/webhooks: it is not a directory."),
            ("link", "Cannot use the webhook spool \(root)/link: it is not a directory."),
            ("locked", "Cannot lock the webhook spool \(root)/locked: a symbolic link is in its place."),
        ]
        for (name, text) in rows {
            #expect(throws: SpoolProblem.unusable(text)) { try Spool.open("\(root)/\(name)", SpoolOptions()) {} }
        }
        #expect(SpoolProblem.locked(directory: "/x").text == "Another process uses the webhook spool in /x.")
    }

    @Test("A segment that is a link or a pipe is not followed and not waited for")
    func strangers() throws {
        let root = Self.directory()
        defer { Self.remove(root) }
        symlink("/etc/passwd", "\(root)/\(SpoolFormat.name(of: 1))")
        mkfifo("\(root)/\(SpoolFormat.name(of: 2))", 0o600)
        mkdir("\(root)/\(SpoolFormat.name(of: 3))", 0o700)
        let (spool, contents) = try Spool.open(root, SpoolOptions()) {}
        #expect(contents.waiting.isEmpty && contents.notes.count >= 2, "\(contents.notes)")
        spool.append([Sample.entry(1)])
        #expect(Self.until { spool.durableNumber == 1 } && !spool.facts.isFailing)
        spool.close()
    }

    /// In a process of its own, because the limit is the process's.
    @Test func aFileSizeLimitIsADiskThatTakesNothingUntilItIsLifted() async {
        await #expect(processExitsWith: .success) {
            let root = SpoolThreadTests.directory()
            let spool = try Spool.open(root, SpoolOptions()) {}.0
            precondition(SpoolThreadTests.until { spool.facts.segments == 1 }, "it begins")
            var limit = rlimit(rlim_cur: 2_000, rlim_max: rlim_t.max)
            getrlimit(__rlimit_resource_t(1), &limit)
            limit.rlim_cur = 2_000
            setrlimit(__rlimit_resource_t(1), &limit)  // RLIMIT_FSIZE
            spool.append((1...200).map { Sample.entry($0) })
            precondition(SpoolThreadTests.until { spool.durableNumber == 200 }, "sending does not stop")
            precondition(SpoolThreadTests.until { spool.facts.isFailing }, "it says so")
            precondition(spool.facts.lastError.contains("File too large"), "and why")
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(1), &limit)
            precondition(SpoolThreadTests.until { !spool.facts.isFailing }, "it is tried again")
            precondition(spool.facts.notDurable == 0, "what waited is on the disk")
            spool.close()
            let (again, contents) = try SpoolThreadTests.reopen(root)
            precondition(contents.waiting.count == 200, "all of it")
            again.close()
            SpoolThreadTests.remove(root)
            exit(0)
        }
    }
}

/// How often the spool has called.
private final class Wakes: Sendable {
    private let number = Atomic<Int>(0)
    func add() { number.add(1, ordering: .relaxed) }
    var count: Int { number.load(ordering: .relaxed) }
}
