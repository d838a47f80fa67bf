"""Handshakes of many at once: those who stall do not keep others out, and a wave leaves no memory behind."""

from __future__ import annotations

import socket
import ssl
import time

import pytest

from certificates import Authority
from harness import Broker, app, wait_until
from session import DEADLINE
from test_tls import REQUEST, ssl_hello, tls_socket

STALLED = 1_500


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("sent", [0, 1, 100, None], ids=["silent", "one byte", "half a hello", "a whole hello"])
def test_those_who_stall_do_not_delay_a_good_one(authority, sent):
    """Reliability goals: a good handshake beside stalled ones; they are more than there are places."""
    with Broker({"tls": authority.leaf("server"), "apps": [app()], "loops": 1}) as broker:
        hello = ssl_hello(authority)
        part = hello if sent is None else hello[:sent]
        stalled = []
        for _ in range(STALLED):
            raw = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
            if part:
                raw.sendall(part)
            stalled.append(raw)
        context = authority.context()
        took = []
        for _ in range(50):
            start = time.monotonic()
            with tls_socket(broker, context) as secure:
                secure.sendall(REQUEST)
                assert secure.recv(1000).startswith(b"HTTP/1.1 200")
            took.append(time.monotonic() - start)
        took.sort()
        print(f"stalled={STALLED} sent={sent} median={took[25] * 1e3:.1f} ms worst={took[-1] * 1e3:.1f} ms")
        # None waited for the stalled ones' deadline, nor for a turn of all of them.
        assert took[25] < 1, took
        # A plain one beside them, too.
        assert broker.request("GET", "/live")[0] == 200
        for raw in stalled:
            raw.close()


@pytest.mark.memory
def test_after_a_wave_of_handshakes_the_memory_is_what_it_was(authority):
    """Connections that come and go leave nothing, however many came at once."""
    with Broker({"tls": authority.leaf("server"), "apps": [app()], "loops": 1}) as broker:
        def wave(count: int) -> None:
            context = authority.context()
            connections = [tls_socket(broker, context) for _ in range(count)]
            for one in connections:
                one.close()
            # The broker's, and the standard ones.
            wait_until(lambda: broker.descriptors() < 60, "all have gone")

        wave(50)
        before = broker.resident_bytes()
        wave(400)
        wait_until(lambda: broker.resident_bytes() < before + (2 << 20), "the memory has gone back", timeout=30)
