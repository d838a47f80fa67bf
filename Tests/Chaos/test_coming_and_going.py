"""L2: a million connections that come, subscribe and go leave nothing behind."""

from __future__ import annotations

import itertools
import signal
import time

import pytest

import logfmt
from crowd import Crowd, Link, subscribe
from harness import Broker, app, select_nothing, wait_until
from machine import Spending, mebibytes, total

# Clients of several addresses, so that ports that rest after a connection are not missed.
SOURCES = [f"127.0.0.{number}" for number in range(2, 18)]


class Cycles:
    """Keeps so many connections under way until enough have come and gone, each kind of goodbye in its turn."""

    window = 64

    def __init__(self, crowd: Crowd, channels: int):
        self.crowd, self.channels, self.begun, self.done, self.faults = crowd, channels, 0, 0, []

    def run(self, count: int) -> None:
        self.goal = self.begun + count
        for _ in range(min(self.window, count)):
            self.next()
        self.crowd.until(lambda: self.done == self.goal, f"{count:,} cycles", 60 + count / 500)

    def next(self) -> None:
        if self.begun < self.goal:
            self.begun += 1
            Cycle(self, self.begun)

    def is_over(self) -> None:
        self.done += 1
        self.next()


class Cycle(Link):
    def __init__(self, cycles: Cycles, number: int):
        self.cycles, self.number = cycles, number
        self.greeting = subscribe(f"room-{number % cycles.channels}")
        super().__init__(cycles.crowd, source=SOURCES[number % len(SOURCES)])

    def heard(self, payload: bytes) -> None:
        if b"subscription_succeeded" not in payload:
            return
        match self.number % 3:
            case 0: self.say_goodbye()  # and waits for the broker's
            case 1: self.vanish()
            case _: self.hang_up()
        if not self.number % 3 == 0:
            self.cycles.is_over()

    def ended(self) -> None:
        if self.code != 1000:
            self.cycles.faults.append((self.number, self.status, self.code))
        self.cycles.is_over()


def tables(broker: Broker) -> dict[str, float]:
    """What the page of metrics says is held, and what SIGUSR1 logs of apps and loops."""
    page = broker.metrics()
    gauges = ("starling_connections", "starling_sockets", "starling_subscriptions", "starling_channels", "starling_app_channels",
              "starling_backlog_bytes", "starling_backlog_memory_bytes", "starling_input_bytes", "starling_queued_bytes")
    held = {name: total(page, name) for name in gauges}
    said = len(broker.log())
    broker.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: broker.log()[said:].count("msg=loop") == 2, "the dump is written")
    for line in logfmt.lines(broker.log()[said:]):
        for name in ("connections", "channels"):
            if line["msg"] in ("state", "loop") and name in line:
                held[f"{line['msg']} {line.get('app', line.get('number'))} {name}"] = int(line[name])
    return held


@pytest.mark.row("L2")
def test_cycles_leave_no_memory_and_no_entry(measure, is_long):
    count, channels = (1_000_000, 20_000) if is_long else (20_000, 1_000)
    with Broker({"loops": 2, "apps": [app()]}) as broker, Crowd(broker.port) as crowd:
        cycles = Cycles(crowd, channels)
        cycles.run(2_000)  # the heap takes its shape
        descriptors = steady(broker.descriptors, 5)
        before = steady(lambda: broker.resident_bytes() >> 16, 10) << 16
        start, spending = time.monotonic(), Spending(broker.pid)
        cycles.run(count)
        took, percent = time.monotonic() - start, spending.percent()
        wait_until(lambda: broker.descriptors() == descriptors, "all descriptors are closed", 30)
        wait_until(lambda: total(broker.metrics(), "starling_channels") == 0, "all channels are gone", 30)
        rested, limit = time.monotonic(), time.monotonic() + 30
        while abs(broker.resident_bytes() - before) > 4 << 20 and time.monotonic() < limit:
            select_nothing()
        with measure(f"{count:,} cycles over {channels:,} channels: a close frame, a reset or a FIN ends each") as row:
            row.note("memory back after", time.monotonic() - rested, "s")
            row.at_most("memory after 30 s", mebibytes(abs(broker.resident_bytes() - before)), 5, "MiB off")
            for name, value in tables(broker).items():
                if value:
                    row.exactly(name, value)
            row.exactly("left in tables", int(sum(tables(broker).values())))
            row.exactly("descriptors left", steady(broker.descriptors, 5) - descriptors)  # the scraper's own goes a moment later
            row.exactly("refused or cut", len(cycles.faults))
            row.exactly("counted", int(total(broker.metrics(), "starling_connections_opened_total")), count + 2_000)
            row.note("cycles", count / took, "/s")
            row.note("processor", percent, "%")


def steady(look, times: int, timeout: float = 20) -> int:
    """A value that was the same so many times, a tenth of a second apart; after the timeout whatever it is."""
    limit, last, same = time.monotonic() + timeout, look(), 0
    for _ in itertools.count():
        if same == times or time.monotonic() > limit:
            return last
        time.sleep(0.1)  # a tick of the broker's, which is what gives memory back
        now = look()
        same, last = (same + 1 if now == last else 0), now
