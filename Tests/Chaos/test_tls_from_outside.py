"""T1: what a scanner finds, and a certificate that changes under a stream of handshakes."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import time

import pytest

import tls_scan
from certificates import Authority
from harness import Broker, app, wait_until
from machine import quantile
from prober import Prober
from tls_scan import GOOD_TLS12, GOOD_TLS13, SSL3, TLS10, TLS11, TLS12, TLS13


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.mark.row("T1")
@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_every_suite_of_every_version_is_tried(measure, authority, kind):
    with Broker({"tls": authority.leaf("server", kind=kind), "apps": [app()]}) as broker:
        old = {version: tls_scan.accepted(broker.port, version, range(0x1400)) | tls_scan.accepted(
            broker.port, version, range(0xC000, 0xD100)) for version in (SSL3, TLS10, TLS11)}
        tls12, tls13 = tls_scan.accepted(broker.port, TLS12), tls_scan.accepted(broker.port, TLS13, range(0x1300, 0x1400))
        ssl2 = tls_scan.ask_in_ssl2(broker.port)
        compressed = tls_scan.ask(broker.port, tls_scan.client_hello(TLS12, sorted(GOOD_TLS12), compressions=b"\1\0"))
        with measure(f"a scanner of ours offers 65,536 suites, {kind.upper()} certificate") as row:
            row.exactly("SSL 2 taken", int(ssl2))
            for name, version in (("SSL 3", SSL3), ("TLS 1.0", TLS10), ("TLS 1.1", TLS11)):
                row.exactly(f"{name} taken", len(old[version]))
            row.exactly("weak suites of TLS 1.2", len(set(tls12) - GOOD_TLS12))
            row.exactly("weak suites of TLS 1.3", len(set(tls13) - GOOD_TLS13))
            row.exactly("agreed to another version", sum(v != TLS12 for v in tls12.values()) + sum(v != TLS13 for v in tls13.values()))
            row.exactly("compression", compressed.compression)
            row.note("suites of TLS 1.2", " ".join(f"{number:04x}" for number in sorted(tls12)))
            row.note("of TLS 1.3", " ".join(f"{number:04x}" for number in sorted(tls13)))
        assert tls12 and tls13


# testssl.sh marks as a finding what is a matter of its certificate, which is ours for tests, or of HTTP headers that a broker has not.
NOT_ABOUT_THE_SERVER = ("cert", "HSTS", "HPKP", "DNS_CAA", "OCSP", "intermediate", "security_headers", "banner", "scan")


@pytest.mark.row("T1")
@pytest.mark.long
@pytest.mark.skipif(not shutil.which("testssl"), reason="Debian's testssl.sh is not there")
def test_what_testssl_says(measure, authority, tmp_path):
    with Broker({"tls": authority.leaf("server"), "apps": [app()]}) as broker:
        report = tmp_path / "testssl.json"
        command = ["testssl", "--quiet", "--color", "0", "--warnings", "off", "-p", "-s", "-f", "-E", "-U", "--nodns", "min", "--jsonfile",
                   str(report), f"https://127.0.0.1:{broker.port}"]
        ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=1_200)
        findings = json.loads(report.read_text())
        bad = {one["id"]: one["finding"] for one in findings if one["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL")
               and not one["id"].startswith(NOT_ABOUT_THE_SERVER)}
        fatal = [one for one in findings if one["severity"] == "FATAL"]
        with measure("testssl.sh: protocols, ciphers, forward secrecy, vulnerabilities") as row:
            row.exactly("findings", len(bad))
            row.note("checks", len(findings))
        assert not fatal and len(findings) > 40, (fatal, ran.stdout[-2_000:], ran.stderr[-500:])
        assert not bad, bad


@pytest.mark.row("T1")
def test_new_certificates_under_a_stream_of_handshakes_drop_none(measure, is_long, authority):
    """Each handshake is a client's whole way to `connection_established`; the files change before every hangup."""
    seconds, probers = (60, 4) if is_long else (3, 2)
    place = {"certificate": str(authority.directory / "live.crt"), "key": str(authority.directory / "live.key")}

    def show(name: str) -> None:
        for kind, path in authority.leaf(name).items():
            shutil.copy(path, place[kind] + ".fresh")
            (authority.directory / f"live.{'crt' if kind == 'certificate' else 'key'}.fresh").rename(place[kind])

    show("a")
    with Broker({"tls": place, "apps": [app()]}) as broker:
        swaps, end = 0, time.monotonic() + seconds
        with contextlib.ExitStack() as stack:
            streams = [stack.enter_context(Prober(broker.port, pause=0, ca=authority.ca)) for _ in range(probers)]
            while time.monotonic() < end:
                show("ab"[swaps % 2])
                before = broker.log().count("certificates loaded")
                broker.process.send_signal(signal.SIGHUP)
                wait_until(lambda: broker.log().count("certificates loaded") > before, "a reload is over")
                swaps += 1
        took = [one for stream in streams for one in stream.took]
        with measure(f"{probers} clients connect over TLS again and again for {seconds} s, certificates change") as row:
            row.exactly("handshakes failed", sum(len(stream.faults) for stream in streams))
            row.note("handshakes", sum(stream.rate for stream in streams), "/s")
            row.note("certificates", swaps)
            row.note("connect p99", quantile(took, 0.99) * 1e3, "ms")
        assert swaps > 2 and len(took) > 20
