internal import Reactor

/// What the spool asks of a directory; the real one is `SpoolDirectory`. Thread: one at a time.
protocol SpoolDisk: AnyObject {
    /// Of everything in it.
    func names() throws(IOError) -> [String]
    /// For reading.
    func open(_ name: String) throws(IOError) -> CInt
    /// A new file, for writing. There must be none of that name.
    func create(_ name: String) throws(IOError) -> CInt
    /// At most so many bytes; none: it ends there.
    func read(_ file: CInt, at offset: UInt64, bytesMax: Int) throws(IOError) -> [UInt8]
    /// - Returns: how many bytes it took; a full disk may take less than there are.
    func write(_ file: CInt, _ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(IOError) -> Int
    /// Cuts off what stands behind that; that it cannot be done does no harm.
    func truncate(_ file: CInt, to bytes: UInt64)
    /// What was written is on the disk, or it throws, and then nobody knows what is; with ENOENT: somebody has removed the file.
    func sync(_ file: CInt) throws(IOError)
    func close(_ file: CInt)
    func remove(_ name: String) throws(IOError)
    /// Which files there are is on the disk.
    func syncDirectory() throws(IOError)
}
