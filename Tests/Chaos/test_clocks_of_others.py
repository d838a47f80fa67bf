"""F4: a caller's clock that is wrong, and a node's that jumps. libfaketime is the one who lies."""

from __future__ import annotations

import json
import pathlib
import time

import pytest

import harness
from crowd import PING, Crowd, Follower, Numbers
from following import wrapper
from harness import Broker, app, wait_until
from session import DEADLINE
from signing import target

HOUR, ELEVEN_MINUTES = 3_600, 660
LIBRARIES = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class Lie:
    """The wall clock of a broker that is started with `environment`; the monotonic one is left alone, as an operator's `date` does."""

    def __init__(self, directory: pathlib.Path):
        self.file = directory / "clock"
        self.set(0)
        self.environment = {"LD_PRELOAD": str(LIBRARIES[-1]), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1",}

    def set(self, seconds: int) -> None:
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(f"{seconds:+d}")
        fresh.rename(self.file)


class Pinged(Follower):
    """Counts what it is asked."""

    def __init__(self, *arguments, **options):
        self.pings = 0
        super().__init__(*arguments, **options)

    def take(self, opcode: int, payload: bytes) -> None:
        self.pings += opcode == PING
        super().take(opcode, payload)


@pytest.mark.row("F4")
def test_a_caller_whose_clock_is_wrong_is_told_the_time(measure):
    with Broker() as broker:
        refused = told = 0
        for off in (-ELEVEN_MINUTES, ELEVEN_MINUTES):
            body = json.dumps({"name": "e", "channel": "c", "data": "d"}).encode()
            for method, path, content in (("GET", "/apps/1/channels", None), ("POST", "/apps/1/events", body)):
                now = int(time.time())
                signed = target(method, path, content, now=now + off)
                status, _, reply = broker.request(method, signed, content)
                refused += status == 401
                told += any(str(second) in reply.decode() for second in range(now, now + 10))
        within = sum(broker.request("GET", target("GET", "/apps/1/channels", now=int(time.time()) + off))[0] == 200
                     for off in (-590, 590))
        with measure("callers eleven minutes ahead and behind, two calls each") as row:
            row.exactly("refused", refused, 4)
            row.exactly("told the server's time", told, 4)
            row.exactly("served within ten minutes", within, 2)


@pytest.mark.row("F4")
@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not there")
def test_a_clock_that_jumps_an_hour_moves_no_timer(measure, is_long, monkeypatch, tmp_path):
    # The library puts a variable into the environment as it is loaded, and a Swift program then finds no arguments behind it; bash hands
    # both on.
    monkeypatch.setattr(harness, "BINARY", wrapper(tmp_path, 'exec "{binary}" "$@"'))
    jumps = [HOUR, -HOUR, HOUR, 0] if is_long else [HOUR, -HOUR]
    pause, lie, numbers = 2.5, Lie(tmp_path), Numbers()
    settings = app(activityTimeoutSeconds=1)
    with Broker({"pongTimeoutSeconds": 2, "apps": [settings]}, env=lie.environment) as broker, Crowd(broker.port) as crowd:
        followers = [Pinged(crowd, f"room-{number % 4}", numbers) for number in range(200)]
        crowd.until(lambda: all(one.is_subscribed for one in followers), "all have subscribed", DEADLINE)
        broker.trigger("cache-one", "kept", "{}")
        unmoved = refused = 0
        crowd.run(pause)
        asked_before = sum(one.pings for one in followers)
        rates = []
        for jump in jumps:
            lie.set(jump)

            def is_seen() -> bool:
                signed = target("GET", "/apps/1/channels", now=int(time.time()) + jump)
                return broker.request("GET", signed)[0] == 200

            wait_until(is_seen, "the broker's clock has jumped")
            refused += jump != 0 and broker.api("GET", "/channels")[0] == 401
            before = sum(one.pings for one in followers)
            start = time.monotonic()
            crowd.run(pause)
            rates.append((sum(one.pings for one in followers) - before) / len(followers) / (time.monotonic() - start))
            with broker.client() as late:
                late.subscribe("cache-one")
                unmoved += late.receive()["event"] == "kept"
        closed = sum(one.has_ended for one in followers)
        log = broker.log()
        with measure(f"the node's clock jumps {len(jumps)} times by an hour or two, 200 clients pinged each second") as row:
            row.exactly("clients closed", closed)
            row.exactly("cached events that expired", len(jumps) - unmoved)
            row.exactly("callers by the true clock refused", refused, sum(jump != 0 for jump in jumps))
            row.note("pings a client and second before", asked_before / len(followers) / pause, "")
            # A timer that fires in a loop, or never again.
            row.at_most("after a jump", max(rates), 2)
            row.exactly("jumps after which nobody was pinged", sum(rate == 0 for rate in rates))
        assert "level=error" not in log, log
