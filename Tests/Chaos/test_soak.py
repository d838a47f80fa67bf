"""The soak: thousands of connections, half of them TLS, that hear what is published while others come and go.

SOAK_SECONDS (1200) and SOAK_CONNECTIONS (10000, or what the descriptors allow) scale it. Its table goes to benchmarks/results/soak.md.
"""

from __future__ import annotations

import collections
import os
import resource
import statistics
import threading
import time
from dataclasses import dataclass

import pytest

import rows
from certificates import Authority
from crowd import Crowd, Follower, Numbers
from harness import Broker, app
from http_tools import Caller
from machine import Spending, mebibytes, quantile, total

SECONDS = int(os.environ.get("SOAK_SECONDS", "1200"))
CONNECTIONS = min(int(os.environ.get("SOAK_CONNECTIONS", "10000")), resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1_000)
CHANNELS, PUBLISHES, CHURN = 100, 50, 50  # the last two a second
SAMPLE = max(1, min(10, SECONDS // 30))  # seconds


@dataclass
class Sample:
    seconds: float
    resident: int
    descriptors_off: int
    heard: int
    churned: int
    processor: float


class Publishing:
    """Numbered events, the channels in their turn."""

    def __init__(self, broker: Broker, numbers: Numbers):
        self.caller, self.numbers, self.took, self.faults = Caller(broker), numbers, [], []
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def publish(self, channel: str) -> None:
        number = self.numbers.begun.get(channel, 0)
        self.numbers.begun[channel] = number + 1
        start = time.monotonic()
        reply = self.caller.publish(name="number", channel=channel, data=str(number))
        self.took.append(time.monotonic() - start)
        if reply.status != 200:
            self.faults.append(reply.status)

    def _run(self) -> None:
        count, start = 0, time.monotonic()
        while not self.is_over.wait(max(0.0, start + count / PUBLISHES - time.monotonic())):
            self.publish(f"room-{count % CHANNELS}")
            count += 1

    def __enter__(self) -> "Publishing":
        self.publish("room-0")  # so that its connection is there
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over.set()
        self.thread.join()
        self.caller.close()


class Soak:
    """Nine in ten stay, the tenth part is always new."""

    def __init__(self, broker: Broker, crowd: Crowd, tls, numbers: Numbers):
        self.broker, self.crowd, self.tls, self.numbers = broker, crowd, tls, numbers
        self.base = broker.descriptors()
        self.made, self.lost, self.doubled, self.cut, self.heard = 0, 0, 0, 0, 0
        self.guests: collections.deque[Follower] = collections.deque()
        self.staying: list[Follower] = []

    def new(self) -> Follower:
        self.made += 1
        # Halves of each channel.
        return Follower(self.crowd, f"room-{self.made // 2 % CHANNELS}", self.numbers, tls=self.tls if self.made % 2 else None)

    def fill(self) -> None:
        for number in range(CONNECTIONS):
            one = self.new()
            (self.guests if number % 10 == 9 else self.staying).append(one)
            if number % 50 == 49:
                # The next fifty when these are in: handshakes of their own are this script's work, too.
                newest = [*self.staying[-50:], *list(self.guests)[-6:]]
                self.crowd.until(lambda newest=newest: all(each.is_subscribed for each in newest), "fifty more have subscribed", 60)

    def churn(self) -> None:
        """The oldest guest leaves, another comes."""
        leaver = self.guests.popleft()
        self.settle(leaver)
        self.cut += leaver.has_ended
        if not leaver.has_ended:
            (leaver.vanish, leaver.hang_up, leaver.say_goodbye)[self.made % 3]()
        self.guests.append(self.new())

    def settle(self, one: Follower) -> None:
        self.lost += one.lost
        self.doubled += one.doubled
        self.heard += one.heard_count

    def everybody(self) -> list[Follower]:
        return [*self.staying, *self.guests]

    def descriptors_off(self) -> int:
        """How many the broker holds beyond those that it should, when nobody is coming or going; one is the publisher's."""
        def off() -> int:
            return self.broker.descriptors() - self.base - 1 - CONNECTIONS

        limit = time.monotonic() + 20
        while (off() or not all(one.is_subscribed for one in self.guests)) and time.monotonic() < limit:
            self.crowd.turn()
        return off()


def table(samples: list[Sample]) -> str:
    lines = ["| minute | resident MiB | descriptors off | heard | churned | processor |", "|---|---|---|---|---|---|"]
    step = max(1, len(samples) // 40)
    for one in samples[::step]:
        figures = (f"{one.seconds / 60:.1f}", f"{mebibytes(one.resident):.2f}", one.descriptors_off, f"{one.heard:,}",
                   f"{one.churned:,}", f"{one.processor:.0f} %")
        lines.append("| " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"


@pytest.mark.row("soak")
@pytest.mark.long
@pytest.mark.timeout(2 * SECONDS + 600)
def test_nothing_grows_and_nothing_is_lost(measure, keep_page, tmp_path):
    authority, numbers, samples = Authority(tmp_path), Numbers(), []
    with Broker({"tls": authority.leaf("server"), "apps": [app()]}) as broker, Crowd(broker.port) as crowd:
        soak = Soak(broker, crowd, authority.context(), numbers)
        with Publishing(broker, numbers) as publishing:
            soak.fill()
            start, spending, filled = time.monotonic(), Spending(broker.pid), soak.made
            next_sample = start
            while (now := time.monotonic()) < start + SECONDS:
                if now >= next_sample:
                    next_sample += SAMPLE
                    off = soak.descriptors_off()
                    heard = soak.heard + sum(one.heard_count for one in soak.everybody())
                    samples.append(Sample(now - start, broker.resident_bytes(), off, heard, soak.made - filled, spending.percent()))
                    spending = Spending(broker.pid)
                    churn_from, churned_before = time.monotonic(), soak.made
                while soak.made - churned_before < (time.monotonic() - churn_from) * CHURN:
                    soak.churn()
                    crowd.turn(0)
                crowd.turn(0.01)
        crowd.until(lambda: all(one.has_ended or not one.missing_at_end() for one in soak.everybody()), "the last events", 30)
        cut = soak.cut + sum(one.has_ended for one in soak.everybody())
        for one in soak.everybody():
            soak.settle(one)
        missing = sum(one.missing_at_end() for one in soak.everybody())
        page = broker.metrics()
        for one in list(crowd.links.values()):
            one.vanish()
        limit = time.monotonic() + 30
        while broker.descriptors() > soak.base and time.monotonic() < limit:
            crowd.turn()
        after_warm_up = [one.resident for one in samples if SECONDS * 0.2 <= one.seconds < SECONDS * 0.4]
        at_the_end = [one.resident for one in samples if one.seconds >= SECONDS * 0.8]
        base, end = statistics.median(after_warm_up), statistics.median(at_the_end)
        load = (f"{SECONDS / 60:g} min: {CONNECTIONS:,} connections, half TLS, {CHURN}/s come and go, "
                f"{PUBLISHES}/s to {CONNECTIONS // CHANNELS} each")
        keep_page("soak.md", f"{load}; {rows.stamp()}.\n\n{table(samples)}")
        with measure(load) as row:
            row.at_most("memory after warm-up", 100 * (end - base) / base, 2, "% more")
            row.note("memory", mebibytes(end), "MiB")
            row.exactly("samples with a descriptor too many or few", sum(one.descriptors_off != 0 for one in samples))
            row.exactly("descriptors left afterwards", broker.descriptors() - soak.base)
            row.exactly("events lost", soak.lost + missing)
            row.exactly("events doubled", soak.doubled)
            row.exactly("connections cut", cut)
            row.exactly("publishes refused", len(publishing.faults))
            row.exactly("slow consumers", int(total(page, "starling_slow_consumer_closes_total")))
            row.note("events heard", soak.heard)
            row.note("connections in all", soak.made)
            row.note("publish p99", quantile(publishing.took, 0.99) * 1e3, "ms")
            row.note("processor", statistics.median(one.processor for one in samples), "%")
