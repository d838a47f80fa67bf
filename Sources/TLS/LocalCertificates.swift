internal import Glibc
internal import Reactor

/// The directory that `starling tls dev` keeps: an authority that lives for years, because people have to trust it by hand, and a
/// certificate that is made anew when it ends soon or lacks a name. Blocks; for the command line.
public struct LocalCertificates {
    /// Where everything is.
    public struct Files: Sendable, Equatable {
        public let authority, certificate, key: String
        let authorityKey: String

        init(_ directory: String) {
            (authority, authorityKey) = (directory + "/ca.pem", directory + "/ca-key.pem")
            (certificate, key) = (directory + "/localhost.pem", directory + "/localhost-key.pem")
        }
    }

    public enum Deed: Sendable, Equatable { case made, kept }

    public struct Outcome: Sendable {
        public let files: Files
        public let authority, certificate: Deed
        /// What the certificate is for: what was asked, and what it was for before.
        public let names: LocalNames
        /// Unix seconds.
        public let endsSeconds: Int
    }

    private let directory: String
    private let files: Files
    /// Unix seconds.
    private let now: Int
    /// A certificate that has less left is made anew.
    private static let daysLeftMin = 30

    init(directory: String, now: Int) {
        (self.directory, files, self.now) = (directory, Files(directory), now)
    }

    /// Sees to it that there are an authority and a certificate for these names. What is there and not ours is left alone.
    /// - Parameters:
    ///   - host: of this machine, for the authority's name.
    ///   - now: Unix seconds.
    public static func ensure(
        _ names: LocalNames, in directory: String, host: String, now: Int
    ) throws(TLSProblem) -> Outcome {
        try LocalCertificates(directory: directory, now: now).ensure(names, host: host)
    }

    private func ensure(_ names: LocalNames, host: String) throws(TLSProblem) -> Outcome {
        try makeDirectory()
        let known = try authority()
        let authority: LocalAuthority
        // What is in the way of the certificate shows before an authority is made for nothing.
        let old = try pair(files.certificate, files.key)
        if let known {
            authority = known
        } else {
            guard old == nil else { throw foreign(files.certificate) }
            authority = try LocalAuthority.make(for: names, host: host, now: now)
            try write(try authority.pem(), files.authority, files.authorityKey)
        }
        let (leaf, names, ends) = try certificate(names, old, authority)
        return Outcome(
            files: files, authority: known == nil ? .made : .kept, certificate: leaf, names: names, endsSeconds: ends)
    }

    private func authority() throws(TLSProblem) -> LocalAuthority? {
        guard let found = try pair(files.authority, files.authorityKey) else { return nil }
        guard let authority = LocalAuthority.read(found) else { throw foreign(files.authority) }
        guard authority.endsSeconds > now + Self.daysLeftMin * 86_400 else {
            throw TLSProblem(
                "\(files.authority): the authority is at its end; delete the four .pem files in \(directory), and trust the new "
                    + "one that is made then")
        }
        return authority
    }

    private func certificate(
        _ names: LocalNames, _ old: PEMPair?, _ authority: LocalAuthority
    ) throws(TLSProblem) -> (Deed, LocalNames, Int) {
        var wanted = names
        if let old {
            guard let issued = authority.issued(old) else { throw foreign(files.certificate) }
            if issued.names.contains(names), issued.endsSeconds > now + Self.daysLeftMin * 86_400 {
                return (.kept, issued.names, issued.endsSeconds)
            }
            wanted = issued.names.adding(names)
        }
        do throws(TLSProblem) {
            let made = try authority.issue(for: wanted, now: now)
            try write(made, files.certificate, files.key)
            return (.made, wanted, authority.issued(made)?.endsSeconds ?? 0)
        } catch {
            throw TLSProblem(
                "\(error.text); delete the four .pem files in \(directory) to have one made for these, or give another "
                    + "--directory; it has to be trusted anew then")
        }
    }

    // MARK: Files

    private func makeDirectory() throws(TLSProblem) {
        var path = ""
        for part in directory.split(separator: "/", omittingEmptySubsequences: false) {
            path += path.isEmpty && !directory.hasPrefix("/") ? String(part) : "/" + part
            if path.hasPrefix("//") { path.removeFirst() }
            guard !part.isEmpty, mkdir(path, 0o700) != 0, errno != EEXIST else { continue }
            throw TLSProblem("\(path): the directory cannot be made: \(IOError.text(errno))")
        }
    }

    /// Both files; nil when there is neither.
    private func pair(_ certificate: String, _ key: String) throws(TLSProblem) -> PEMPair? {
        switch (try read(certificate), try read(key)) {
        case (nil, nil): return nil
        case (let certificate?, let key?): return PEMPair(certificate: certificate, key: key)
        case (_?, nil):
            throw TLSProblem("\(key) is missing beside \(certificate); delete that one to have both made anew")
        case (nil, _?):
            throw TLSProblem("\(certificate) is missing beside \(key); delete that one to have both made anew")
        }
    }

    private func foreign(_ path: String) -> TLSProblem {
        TLSProblem("\(path): is not from here, so it stays as it is; move it away, or give another --directory")
    }

    /// No file of ours is larger.
    private static let bytesMax = 65_536

    /// Nil: there is none. A link or a directory of that name is somebody else's.
    private func read(_ path: String) throws(TLSProblem) -> [UInt8]? {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let code = errno
            if code == ENOENT { return nil }
            throw TLSProblem("\(path): \(IOError.text(code))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw foreign(path) }
        do throws(IOError) { return try WholeFile.read(path, bytesMax: Self.bytesMax) } catch {
            throw TLSProblem("\(path): cannot be read: \(IOError.text(error.code))")
        }
    }

    /// The certificate comes last: who finds it finds its key.
    private func write(_ pair: PEMPair, _ certificate: String, _ key: String) throws(TLSProblem) {
        try write(pair.key, key, mode: 0o600)
        try write(pair.certificate, certificate, mode: 0o644)
    }

    /// Whole or not at all.
    private func write(_ bytes: [UInt8], _ path: String, mode: mode_t) throws(TLSProblem) {
        let temporary = "\(path).\(getpid()).new"
        let raw = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard raw >= 0 else { throw TLSProblem("\(temporary): cannot be made: \(IOError.text(errno))") }
        let file = Descriptor(owning: raw)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file.raw, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure(temporary, path, errno) }
            rest = rest.dropFirst(count)
        }
        guard fsync(file.raw) == 0, rename(temporary, path) == 0 else { throw failure(temporary, path, errno) }
    }

    private func failure(_ temporary: String, _ path: String, _ code: CInt) -> TLSProblem {
        unlink(temporary)
        return TLSProblem("\(path): cannot be written: \(IOError.text(code))")
    }
}
