import Glibc
import Reactor
import Testing

@Suite("Reading a whole file") struct WholeFileTests {
    @Test func aFileOfProcIsReadToItsEnd() throws {
        let bytes = try WholeFile.read("/proc/self/smaps")
        // Longer than a page, which is what one read of it gives.
        #expect(bytes.count > 4_096 && bytes.last == 0x0A)
        #expect(WholeFile.text("/proc/self/comm")?.last == "\n")
    }

    @Test(arguments: [0, 1, 5, 4_096, 70_000]) func noMoreIsReadThanMayBe(bytesMax: Int) throws {
        #expect(try WholeFile.read("/dev/zero", bytesMax: bytesMax) == Array(repeating: 0, count: bytesMax))
    }

    @Test func whatCannotBeReadSaysWhy() {
        #expect(throws: IOError(call: "/no/such/file", code: ENOENT)) { try WholeFile.read("/no/such/file") }
        #expect(throws: IOError(call: "/", code: EISDIR)) { try WholeFile.read("/") }
        #expect(WholeFile.text("/no/such/file") == nil)
    }
}
