"""Certificates that change while the broker runs: new handshakes see the new one, and nobody is dropped."""

from __future__ import annotations

import shutil
import signal
import ssl
import threading

import pytest

from certificates import Authority
from harness import Broker, app, wait_until
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


def test_swaps_under_a_stream_of_handshakes_fail_none(authority):
    """Each handshake gets one whole pair or the other."""
    live(authority, "a")
    with Broker({"tls": live(authority, "b"), "apps": [app()], "loops": 2}) as broker:
        stop, counts, faults = threading.Event(), {}, []

        def connect() -> None:
            while not stop.is_set():
                try:
                    name = shown(broker, authority)
                    counts[name] = counts.get(name, 0) + 1
                except (OSError, ssl.SSLError) as error:
                    faults.append(error)

        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        for number in range(20):
            live(authority, "ab"[number % 2])
            before = broker.log().count("certificates loaded")
            broker.process.send_signal(signal.SIGHUP)
            wait_until(lambda: broker.log().count("certificates loaded") > before, "a reload is over")
        stop.set()
        for thread in threads:
            thread.join()
        assert not faults and set(counts) == {"a", "b"}, (faults[:3], counts)


@pytest.mark.parametrize("days, words", [(3.5, "expires in 3 days"), (-0.5, "has expired"), (60, None)])
def test_an_end_that_is_near_is_said_at_the_start(authority, days, words):
    with Broker({"tls": authority.leaf("server", days=days), "apps": [app()]}) as broker:
        if words:
            wait_until(lambda: words in broker.log(), "the warning is written")
        else:
            assert "expire" not in broker.log()
        assert shown(broker, authority) == "server" if days > 0 else True
