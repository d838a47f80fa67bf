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
    /// Reads the certificates that settings name. Main thread: it reads files.
    /// - Returns: nil: there are none to put in force.
    /// - Throws: what is wrong with one of them; then all stay as they were.
    func prepareCertificates(_ settings: TLSSettings) throws(TLSProblem) -> TLSKeeper.Prepared? {
        let files = settings.files
        guard let tls, !files.isEmpty else {
            if tls != nil || !files.isEmpty {
                Log.warning("certificates not loaded", ("reason", "TLS is turned on and off by a restart"))
            }
            return nil
        }
        return try tls.prepare(files)
    }

    /// Handshakes from now on show these; nobody is dropped.
    func install(_ certificates: TLSKeeper.Prepared?) {
        guard let tls, let certificates else { return }
        tls.install(certificates)
        Log.info("certificates loaded", ("pairs", tls.context.expiries.count), ("expires", tls.context.expirySeconds))
    }

    /// Reads the certificates that the settings in force name, and says how that went. Main thread.
    func reloadCertificates() {
        do throws(TLSProblem) {
            install(try prepareCertificates(newest.snapshot.settings.tls))
        } catch {
            Log.error("certificates not loaded, the ones in force stay", ("reason", error.text))
        }
    }
}
