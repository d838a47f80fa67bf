"""Handshakes of many at once: those who stall do not keep others out, and a wave leaves no memory behind."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from certificates import Authority
from harness import Broker, app, wait_until
from session import DEADLINE
from test_tls import REQUEST, ssl_hello, tls_socket

WHOLE = ["silent", "one byte", "half a hello", "a whole hello"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def stall(broker, hello: bytes) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
    if hello:
        raw.sendall(hello)
    return raw


def good_ones(broker, authority, count: int) -> list[float]:
    """Seconds from dialing to the answer of each of so many, sorted."""
    context, took = authority.context(), []
    for _ in range(count):
        start = time.monotonic()
        with tls_socket(broker, context) as secure:
            secure.sendall(REQUEST)
            assert secure.recv(1000).startswith(b"HTTP/1.1 200")
        took.append(time.monotonic() - start)
    return sorted(took)


def p99(took: list[float]) -> float:
    return took[max(0, len(took) * 99 // 100 - 1)]


def told(took: list[float], **what) -> None:
    words = " ".join(f"{name}={value}" for name, value in what.items())
    print(f"{words} median={took[len(took) // 2] * 1e3:.1f} ms p99={p99(took) * 1e3:.1f} ms worst={took[-1] * 1e3:.1f} ms")


def among_stalled(authority, stalled: int, sent: int | None, good: int) -> list[float]:
    with Broker({"tls": authority.leaf("server"), "apps": [app()], "loops": 1}) as broker:
        hello = ssl_hello(authority)[:sent]
        held = [stall(broker, hello) for _ in range(stalled)]
        took = good_ones(broker, authority, good)
        told(took, stalled=stalled, sent=sent)
        # A plain one beside them, too.
        assert broker.request("GET", "/live")[0] == 200
        for raw in held:
            raw.close()
    return took


@pytest.mark.parametrize("sent", [0, 1, 100, None], ids=WHOLE)
def test_those_who_stall_do_not_delay_a_good_one(authority, sent):
    """Reliability goals: a good handshake beside stalled ones; they are more than there are places, and than memory is for."""
    # None but the first waits for anybody, let alone for the stalled ones' deadline; the bound is a busy machine's.
    assert p99(among_stalled(authority, 1_000, sent, 120)) < DEADLINE / 10


@pytest.mark.long
@pytest.mark.parametrize("sent", [0, 1, 100, None], ids=WHOLE)
def test_five_thousand_who_stall_do_not_delay_a_good_one(authority, sent):
    assert p99(among_stalled(authority, 5_000, sent, 1_000)) < 0.1


def among_a_stream(authority, rate: int, good: int) -> list[float]:
    """Good ones while others come that say hello and no more, so many a second."""
    with Broker({"tls": authority.leaf("server"), "apps": [app()], "loops": 1}) as broker:
        hello, over, held = ssl_hello(authority), threading.Event(), []

        def come() -> None:
            start = time.monotonic()
            while not over.is_set():
                while len(held) < (time.monotonic() - start) * rate:
                    held.append(stall(broker, hello))
                over.wait(0.005)

        thread = threading.Thread(target=come)
        thread.start()
        wait_until(lambda: len(held) > 400, "more have come than memory is for")
        took = good_ones(broker, authority, good)
        over.set()
        thread.join()
        told(took, stalled=len(held), rate=rate)
        for raw in held:
            raw.close()
    return took


def test_a_stream_of_those_who_stall_does_not_keep_others_out(authority):
    """Each has a place when it comes; what it costs to wait for a peer is memory, and that goes to newcomers."""
    assert p99(among_a_stream(authority, 600, 120)) < DEADLINE / 10


@pytest.mark.long
def test_a_thousand_a_second_who_stall_do_not_delay_a_good_one(authority):
    assert p99(among_a_stream(authority, 1_000, 1_000)) < 0.1


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
