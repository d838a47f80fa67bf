"""Certificates for tests: a CA of our own, and leaves it signs, as files in PEM."""

from __future__ import annotations

import datetime
import ipaddress
import pathlib
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


class Authority:
    """A CA in a directory: `ca` is its certificate's file."""

    def __init__(self, directory: pathlib.Path):
        self.directory = pathlib.Path(directory)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Starling tests CA")])
        builder = self._builder(self.name, self.key.public_key(), -1, 30)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
        ski = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        builder = builder.add_extension(ski, False)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.ca = self._write("ca.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject, public_key, first_day: float, last_day: float):
        now = datetime.datetime.now(datetime.timezone.utc)
        return (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(public_key)
                .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=first_day))
                .not_valid_after(now + datetime.timedelta(days=last_day)))

    def _write(self, name: str, content: bytes) -> str:
        """Written beside and moved, as whoever renews certificates does."""
        path = self.directory / name
        fresh = path.with_suffix(".fresh")
        fresh.write_bytes(content)
        fresh.rename(path)
        return str(path)

    def leaf(self, name: str, *hosts: str, days: float = 90, passphrase: str | None = None, kind: str = "ec") -> dict:
        """A pair as the configuration takes it: `{"certificate": …, "key": …}`."""
        hosts = hosts or ("localhost", "127.0.0.1", "::1")
        key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key(), -1, days)

        def general(host: str):
            try:
                return x509.IPAddress(ipaddress.ip_address(host))
            except ValueError:
                return x509.DNSName(host)

        builder = builder.add_extension(x509.SubjectAlternativeName([general(host) for host in hosts]), False)
        aki = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = builder.add_extension(aki, False)
        certificate = builder.sign(self.key, hashes.SHA256())
        secrecy = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        pair = {
            "certificate": self._write(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            "key": self._write(f"{name}.key", key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secrecy))}
        if passphrase:
            pair["keyPassphraseFile"] = self._write(f"{name}.pass", passphrase.encode() + b"\n")
        return pair

    def context(self) -> ssl.SSLContext:
        """A client's that trusts this CA alone."""
        return ssl.create_default_context(cafile=self.ca)
