internal import Configuration
internal import Telemetry
internal import TLS

extension TLSSettings {
    /// The pairs as they are read.
    var files: [TLSFiles] {
        certificates.map {
            TLSFiles(certificate: $0.certificate, key: $0.key, passphrase: $0.keyPassphraseFile)
        }
    }
}

extension ServerState {
    /// Reads the certificates that the settings in force name, and says how that went: handshakes from now on show the new ones, nobody is
    /// dropped, and when something is wrong with one of them all stay as they were. Main thread: it reads files.
    /// - Returns: whether they are in force.
    @discardableResult
    func reloadCertificates() -> Bool {
        let files = newest.snapshot.settings.tls.files
        guard let tls, !files.isEmpty else {
            guard tls != nil || !files.isEmpty else { return true }
            Log.warning("certificates not loaded", ("reason", "TLS is turned on and off by a restart"))
            return false
        }
        do throws(TLSProblem) {
            try tls.reload(files)
            Log.info("certificates loaded", ("pairs", files.count), ("expires", tls.context.expirySeconds))
            return true
        } catch {
            Log.error("certificates not loaded, the ones in force stay", ("reason", error.text))
            return false
        }
    }
}
