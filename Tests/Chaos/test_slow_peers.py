"""Peers that take their time: with what they send (B5), and with what they are sent (S1)."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import time

import pytest

from certificates import Authority
from crowd import Crowd, Link, subscribe
from harness import BINARY, Broker, app
from machine import Peaks, kernel_tcp_bytes, mebibytes, quantile, samples, total
from prober import Prober
from session import DEADLINE
from signing import target

BODY = b'{"name":"e","channel":"c","data":"' + b"x" * 4_000 + b'"}'


def head(port: int) -> tuple[bytes, bytes]:
    """What is sent at once, and what is dribbled."""
    return b"", b"GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: localhost\r\nX-Filler: " + b"x" * 4_000


def body(port: int) -> tuple[bytes, bytes]:
    signed = target("POST", "/apps/1/events", BODY)
    return f"POST {signed} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n\r\n".encode(), BODY


def hello(port: int) -> tuple[bytes, bytes]:
    """A record that says it is 512 bytes of ClientHello."""
    return b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x55" * 4_000


class Dribblers:
    """Connections that send a byte twice a second, and when each of them was closed."""

    def __init__(self, port: int, count: int, kinds):
        self.epoll, self.open, self.took = select.epoll(), {}, {kind.__name__: [] for kind in kinds}
        parts = {kind: kind(port) for kind in kinds}
        for number in range(count):
            kind = kinds[number % len(kinds)]
            at_once, dribbled = parts[kind]
            one = socket.create_connection(("127.0.0.1", port), timeout=30)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.sendall(at_once + dribbled[:1])
            one.setblocking(False)
            self.open[one.fileno()] = (one, kind.__name__, dribbled, time.monotonic())
            self.epoll.register(one.fileno(), select.EPOLLIN)
            if number % 100 == 0:
                self.look(0)

    def look(self, timeout: float) -> None:
        """Notes who was closed, having read what it was told."""
        for descriptor, _ in self.epoll.poll(timeout, 1_024):
            try:
                is_closed = not self.open[descriptor][0].recv(4_096)
            except BlockingIOError:
                continue
            except OSError:
                is_closed = True
            if is_closed:
                one, kind, _, start = self.open.pop(descriptor)
                self.took[kind].append(time.monotonic() - start)
                self.epoll.unregister(descriptor)
                one.close()

    def dribble(self, seconds: float) -> None:
        limit, turn = time.monotonic() + seconds, 1
        while self.open and time.monotonic() < limit:
            next_byte = time.monotonic() + 0.5
            for number, (one, _, dribbled, _) in enumerate(list(self.open.values())):
                try:
                    one.send(dribbled[turn:turn + 1])
                except OSError:
                    pass  # closed: `look` will see it
                if number % 100 == 0:
                    self.look(0)
            while (left := next_byte - time.monotonic()) > 0:
                self.look(min(left, 0.05))
            turn += 1

    def close(self) -> None:
        for one, *_ in self.open.values():
            one.close()
        self.epoll.close()


@pytest.mark.row("B5")
def test_who_dribbles_is_closed_and_keeps_nobody_out(measure, is_long, tmp_path):
    count = 5_000 if is_long else 1_500
    authority = Authority(tmp_path)
    with Broker({"tls": authority.leaf("server"), "apps": [app()]}) as broker:
        before = broker.resident_bytes()
        with Peaks(broker) as peaks, Prober(broker.port) as plain, Prober(broker.port, ca=authority.ca) as secure:
            dribblers = Dribblers(broker.port, count, [head, body, hello])
            dribblers.dribble(30)
            left = len(dribblers.open)
            dribblers.close()
        with measure(f"{count:,} connections send a byte in half a second: heads, bodies, TLS") as row:
            row.exactly("never closed", left)
            for kind, took in dribblers.took.items():
                # From the connection's own point of view; it may have waited for this script as well.
                row.at_most(f"{kind} closed after", max(took, default=0.0), 10, "s", bound=15)
            for name, prober in (("connect", plain), ("connect over TLS", secure)):
                row.at_most(f"{name} p99", quantile(prober.took, 0.99) * 1e3, 100, "ms", bound=2_000)
                row.exactly(f"{name} failed", len(prober.faults))
            row.note("connects", len(plain.took) + len(secure.took))
            row.note("memory", mebibytes(peaks.resident - before), "MiB more")


class Sleeper(Link):
    """Subscribes, and reads nothing from then on."""

    greeting = subscribe("bench-0000000")
    is_subscribed = False

    def heard(self, payload: bytes) -> None:
        if b"subscription_succeeded" in payload:
            self.is_subscribed = True
            self.crowd.ignore(self)


@pytest.mark.row("S1")
def test_who_does_not_read_is_cut_and_costs_the_others_nothing(measure, is_long, tmp_path):
    """The backlogs' bound is scaled with the crowd, so that each is left the same share. `starling bench` are the healthy ones."""
    slow, healthy, rate, seconds = (10_000, 200, 1_000, 60) if is_long else (1_000, 50, 500, 5)
    report = tmp_path / "bench.json"
    config = {"apps": [app()], "backlogTotalBytes": (128 << 20) * slow // 10_000}
    with Broker(config) as broker, Crowd(broker.port) as crowd:
        sleepers = [Sleeper(crowd, receive_buffer=4_096) for _ in range(slow)]
        crowd.until(lambda: all(one.is_subscribed for one in sleepers), "the slow ones have subscribed", 60)
        before, kernel_before = broker.resident_bytes(), kernel_tcp_bytes()
        with Peaks(broker) as peaks:
            bench = subprocess.Popen(
                [BINARY, "bench", "fanout", "--subscribers", str(healthy), "--rate", str(rate), "--payload", "1024",
                 "--warmup", "1", "--duration", str(seconds), "--port", str(broker.port), "--json", str(report), "--quiet"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            begun = cut_after = None
            while bench.poll() is None:
                page = broker.metrics()
                now = time.monotonic()
                if begun is None and total(page, "starling_events_total"):
                    begun = now
                cut = total(page, "starling_slow_consumer_closes_total")
                if begun is not None and cut_after is None and cut >= slow:
                    cut_after = now - begun
                select.select([], [], [], 0.05)
            said = bench.communicate()[0]
        page = broker.metrics()
        figures = json.loads(report.read_text())["figures"]
        limits = samples(page, "starling_slow_consumer_closes_total")
        with measure(f"{slow:,} slow, {healthy} healthy, {rate:,}/s × 1 KiB, {seconds} s") as row:
            row.exactly("slow ones cut", int(sum(limits.values())), slow)
            row.at_most("all cut after", cut_after or float(seconds), 15, "s")
            row.exactly("healthy lost", figures["lost"])
            row.exactly("healthy doubled", figures["duplicated"])
            row.exactly("healthy closed", figures["connections_lost"])
            row.at_most("healthy p99", figures["p99"], 50, "ms", bound=10_000)
            row.note("healthy p50", figures["p50"], "ms")
            row.at_most("user memory", mebibytes(peaks.resident - before), 256, "MiB more")
            row.at_most("kernel TCP, both ends", mebibytes(peaks.kernel - kernel_before), 512, "MiB")
            row.note("deliveries", figures["deliveries"])
        assert "INVALID" in said or bench.returncode == 0, said
