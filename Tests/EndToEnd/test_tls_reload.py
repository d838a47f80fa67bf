"""Certificates that change while the broker runs: new handshakes see the new one, and nobody is dropped."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import signal
import ssl
import time

import pytest

from cryptography import x509
from cryptography.x509.oid import NameOID

from certificates import Authority
from harness import Broker, app, wait_until
from paced import Paced
from test_reload import run_reload
from test_tls import SecureClient, tls_socket


@pytest.fixture
def authority(tmp_path) -> Authority:
    return Authority(tmp_path)


def shown(broker, authority) -> str:
    """The name in the certificate that a new client sees."""
    context = authority.context()
    context.check_hostname = False
    with tls_socket(broker, context) as secure:
        return dict(pair[0] for pair in secure.getpeercert()["subject"])["commonName"]


def live(authority, name: str, **options) -> dict:
    """Puts a new pair where the broker reads: written beside and moved, the certificate first."""
    pair = authority.leaf(name, **options)
    place = {kind: str(authority.directory / f"live.{kind}") for kind in pair}
    for kind, path in place.items():
        shutil.copy(pair[kind], path + ".fresh")
        (authority.directory / f"live.{kind}.fresh").rename(path)
    return place


def test_files_that_change_are_noticed_and_nobody_is_dropped(authority):
    with Broker({"tls": live(authority, "first"), "apps": [app()]}) as broker, SecureClient(broker, authority) as client:
        client.subscribe("news")
        assert shown(broker, authority) == "first"
        live(authority, "second")
        wait_until(lambda: shown(broker, authority) == "second", "the new certificate is shown", timeout=30)
        assert "certificates loaded" in broker.log()
        broker.trigger("news", "e", {})
        client.expect("e", "news")


def test_a_hangup_looks_at_once_and_a_bad_pair_changes_nothing(authority):
    place = live(authority, "first")
    with Broker({"tls": place, "apps": [app()]}) as broker:
        live(authority, "second")
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificates loaded" in broker.log(), "the hangup is answered")
        assert shown(broker, authority) == "second"
        (authority.directory / "live.key").write_text("nothing that is a key\n")
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificates not loaded" in broker.log(), "it says why")
        assert place["key"] in broker.log() and "no private key" in broker.log()
        assert shown(broker, authority) == "second"
        live(authority, "third")
        wait_until(lambda: shown(broker, authority) == "third", "what is right again is taken by itself", timeout=30)


def test_a_reload_with_bad_certificates_is_refused_whole(authority):
    """`starling reload` says so by its exit code; the settings stay as the certificates do, and nobody is dropped."""
    place = live(authority, "first")
    settings = {"tls": place, "apps": [app()]}
    with Broker(settings) as broker, SecureClient(broker, authority) as client:
        client.subscribe("news")
        shutil.copy(authority.leaf("other")["key"], place["key"])
        rewrite(broker, {**settings, "apps": [app(enabled=False)]})
        done = run_reload("--pid", str(broker.pid))
        assert done.returncode == 78 and done.stdout == "", done
        assert f"{place['key']}: the key does not belong to the certificate" in done.stderr
        assert done.stderr.endswith("nothing was changed\n")
        assert 'starling_reloads_total{outcome="failed"} 1' in broker.metrics()
        assert shown(broker, authority) == "first"
        broker.trigger("news", "still", {})
        client.expect("still", "news")
        live(authority, "second")
        rewrite(broker, settings)
        done = run_reload("--pid", str(broker.pid))
        assert done.returncode == 0 and shown(broker, authority) == "second", done


def rewrite(broker, settings: dict) -> None:
    (pathlib.Path(broker.directory.name) / "config.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.long)])
def test_swaps_under_two_hundred_handshakes_a_second(authority, seconds):
    """None fails, each gets the old pair or the new one whole, and never the old one once the reload is acknowledged."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # That key and certificate belong together is checked all the same.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def certificate(_: int) -> bytes:
        with tls_socket(broker, context) as secure:
            return secure.getpeercert(binary_form=True)

    with Broker({"tls": live(authority, "0"), "apps": [app()], "loops": 2}) as broker:
        acknowledged = [(0.0, 0)]
        with Paced(certificate, 200, threads=6) as stream:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                number = len(acknowledged)
                live(authority, str(number))
                done = run_reload("--pid", str(broker.pid))
                assert done.returncode == 0, done
                acknowledged.append((time.monotonic(), number))
        names = {}
        for _, seen in stream.done:
            if seen not in names:
                subject = x509.load_der_x509_certificate(seen).subject
                names[seen] = int(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
        for begun, seen in stream.done:
            least = max(number for moment, number in acknowledged if moment <= begun)
            assert least <= names[seen] < len(acknowledged)
        print(f"{stream.rate:.0f} handshakes/s, {len(acknowledged) - 1} swaps, {len(names)} certificates seen")
        assert not stream.faults and len(stream.done) > 20 * seconds, (stream.faults[:3], len(stream.done))
        assert len(names) > 2
        failures = re.findall(r'starling_tls_handshake_failures_total{reason="(?!gone)\w+"} ([1-9]\d*)', broker.metrics())
        assert not failures, failures


@pytest.mark.parametrize("days, words", [(3.5, "expires in 3 days"), (-0.5, "has expired"), (60, None)])
def test_an_end_that_is_near_is_said_at_the_start(authority, days, words):
    with Broker({"tls": authority.leaf("server", days=days), "apps": [app()]}) as broker:
        if words:
            wait_until(lambda: words in broker.log(), "the warning is written")
        else:
            assert "expire" not in broker.log()
        assert shown(broker, authority) == "server" if days > 0 else True
