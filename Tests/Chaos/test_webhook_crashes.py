"""W2: the broker is killed again and again while webhooks are sent; W3: what its spool has lost, or cannot write."""

from __future__ import annotations

import random
import time

import pytest

from crowd import Crowd
from edges import Tenants
from harness import Broker, app
from receiver import Answer, Receiver
from session import DEADLINE
from test_webhook_targets import endpoint
from told import Told, has_come, judge_told


@pytest.mark.row("W2")
@pytest.mark.parametrize("sync", ["batch", "each"])
def test_kills_at_any_moment_lose_no_accepted_event(measure, is_long, tmp_path, sync):
    """Accepted is what the spool holds. From outside: of all that a client saw happen, only the last moments before a kill may be
    missing; every number is told to both targets, so that nothing between is."""
    kills, rate, seed = (50 if sync == "batch" else 10) if is_long else (5 if sync == "batch" else 2), 1_000, random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with Receiver() as hooks:
        webhooks = [endpoint(hooks.url("/one"), batchEvents=20), endpoint(hooks.url("/many"), batchMilliseconds=20, batchEvents=500)]
        settings = {"stateDirectory": str(tmp_path), "webhooks": {"sync": sync}, "apps": [app(webhooks=webhooks)]}
        seen: list[tuple[str, float]] = []  # channels, and for how long their client had known of them at the kill
        with Broker(settings) as broker:
            for number in range(kills + 1):
                with Crowd(broker.port) as crowd:
                    tenants = Tenants(crowd, 50, f"run-{number}")
                    tenants.run(chance.uniform(0.2, 2.0), rate)
                    if number == kills:
                        last = tenants.settle()
                        for path in ("/one", "/many"):
                            crowd.until(lambda path=path: has_come(hooks.at(path), last), f"{path} has all", DEADLINE * 6)
                        seen += [(channel, float("inf")) for channel in tenants.confirmed]
                        break
                    broker.kill()
                    now = time.monotonic()
                    seen += [(channel, now - at) for channel, at in tenants.confirmed.items()]
                broker.start()
        told = {path: Told(hooks.at(path)) for path in ("/one", "/many")}
    with measure(f"kill -9 × {kills} at random moments, {rate:,} edges/s to two targets, sync {sync}, seed {seed}") as row:
        for path, one in told.items():
            occupied = set(one.channels("channel_occupied"))
            lost = [age for channel, age in seen if channel not in occupied]
            row.exactly(f"{path[1:]}: numbers missing", one.missing)
            row.exactly(f"{path[1:]}: sequences broken", one.broken)
            judge_told(row, one)
            # What was under way from the loop to the disk when the process ended.
            row.at_most(f"{path[1:]}: age of what was lost", max(lost, default=0.0) * 1e3, 100, "ms", bound=3_000)
            row.note(f"{path[1:]}: lost within that", len(lost))
            row.note(f"{path[1:]}: events", len(one.ids))
            row.note(f"{path[1:]}: came again", one.repeated)
        row.exactly("runs that told something", len(told["/one"].runs()), kills + 1)
        row.exactly("numbers told to one target only", len(set(told["/one"].ids) ^ set(told["/many"].ids)))
