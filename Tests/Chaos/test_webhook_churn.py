"""W4: two thousand members come and go, by unsubscribing, by reloading their page, or for good; webhooks tell it."""

from __future__ import annotations

import time

import pytest

from crowd import Crowd
from edges import Members, Tenants
from harness import Broker, app
from machine import Peaks, mebibytes
from receiver import Receiver
from session import DEADLINE
from told import Told, has_come, judge_told

ALL = ["channel_occupied", "channel_vacated", "member_added", "member_removed"]


@pytest.mark.row("W4")
def test_every_sequence_of_a_churning_crowd_alternates(measure, is_long, tmp_path):
    members, seconds, rate, channels = (2_000, 120, 1_000, 40) if is_long else (2_000, 10, 500, 40)
    spool = 64 << 20
    with Receiver() as hooks:
        target = {"url": hooks.url("/all"), "events": ALL, "allowPrivate": True, "batchMilliseconds": 20, "batchEvents": 200}
        settings = {"stateDirectory": str(tmp_path), "webhooks": {"spoolBytes": spool},
                    "apps": [app(webhooks=[target], limits={"presenceMembers": 1_000})]}
        with Broker(settings) as broker, Crowd(broker.port) as crowd:
            crowd_of = Members(crowd, members, channels)
            before = broker.resident_bytes()
            with Peaks(broker) as peaks:
                crowd_of.churn(seconds, rate)
            # Who is still on his way, and who left for good; then nothing is left but what waits three seconds.
            crowd.until(lambda: all(link.is_in or link.has_ended for link in crowd_of.links), "all have arrived", DEADLINE * 3)
            for link in list(crowd_of.links):
                if not link.has_ended:
                    link.leave()
            limit = time.monotonic() + DEADLINE * 6
            while left_over(Told(hooks.at("/all"))) and time.monotonic() < limit:
                crowd.run(0.5)
            last = Tenants(crowd, 1, "end").settle()
            crowd.until(lambda: has_come(hooks.at("/all"), last), "everything was told", DEADLINE * 3)
            size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
            told = Told(hooks.at("/all"))
        with measure(f"{members:,} members of {channels} channels, {rate} come or go each second for {seconds} s") as row:
            row.note("events", len(told.ids))
            row.exactly("events that do not alternate", told.broken)
            row.exactly("still there in the end", len(left_over(told)))
            row.exactly("came twice", told.repeated)
            row.exactly("numbers missing", told.missing)
            judge_told(row, told)
            row.at_most("memory", mebibytes(peaks.resident - before), 32, "MiB more", bound=96)
            row.at_most("spool afterwards", mebibytes(size), mebibytes(spool) / 2, "MiB", bound=mebibytes(spool))


def left_over(told: Told) -> set:
    """Channels and members that have come and not gone."""
    there = set()
    for event in told.events:
        who = (event["channel"], event.get("user_id"))
        (there.add if event["name"] in ("channel_occupied", "member_added") else there.discard)(who)
    return there

