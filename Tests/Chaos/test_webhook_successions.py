"""W5: webhooks over reloads, ends, takeovers, and directories that are shared, gone or cannot be written."""

from __future__ import annotations

import errno
import json
import pathlib
import shutil
import signal

import pytest

import faults
import logfmt
from crowd import Crowd
from edges import Tenants
from harness import Broker, app, wait_until
from receiver import Receiver
from session import DEADLINE
from test_webhook_crashes import spooled
from test_webhook_targets import endpoint
from told import Told, has_come, judge_told

BATCHED = {"batchMilliseconds": 10, "batchEvents": 100}


def waiting_events(broker: Broker, count: int, hooks: Receiver, prefix: str = "early") -> int:
    """Events that nobody takes: the receiver is down meanwhile. Gives how many they are."""
    hooks.pause()
    with Crowd(broker.port) as crowd:
        tenants = Tenants(crowd, 10, prefix)
        tenants.run(count / 2_000, 2_000)
        tenants.settle()
        return 2 * tenants.begun


def count_of(*told: Told) -> int:
    return sum(len(one.ids) for one in told)


@pytest.mark.row("W5")
def test_reloads_under_way_lose_double_and_turn_round_nothing(measure, is_long):
    """An endpoint comes and goes, the settings of the other change each time, and so does the app beside."""
    signals, rate = (200, 500) if is_long else (40, 500)
    with Receiver() as hooks:
        def settings(number: int) -> dict:
            webhooks = [endpoint(hooks.url("/all"), **BATCHED, timeoutSeconds=4 + number % 3, headers={"X-Round": str(number)})]
            if number % 2:
                webhooks.insert(0, endpoint(hooks.url("/sometimes"), **BATCHED))
            return {"apps": [app(webhooks=webhooks)]}

        with Broker(settings(0)) as broker, Crowd(broker.port) as crowd:
            file = pathlib.Path(broker.directory.name) / "config.json"
            tenants = Tenants(crowd, 20, "room")
            for number in range(1, signals + 1):
                (file.parent / "next").write_text(json.dumps(settings(number)))
                (file.parent / "next").rename(file)
                broker.process.send_signal(signal.SIGHUP)
                tenants.run(0.05, rate)
            last = tenants.settle()
            crowd.until(lambda: has_come(hooks.at("/all"), last), "all was told", DEADLINE * 3)
            told, sometimes = Told(hooks.at("/all")), Told(hooks.at("/sometimes"))
            reloads = sum(line["msg"] == "reloaded" for line in logfmt.lines(broker.log()))
        with measure(f"SIGHUP × {signals} while {rate} edges/s are told; endpoint, headers and limits change") as row:
            row.exactly("events", len(told.ids), 2 * tenants.begun)
            row.exactly("sequences broken", told.broken)
            row.exactly("came twice", told.repeated + sometimes.repeated)
            judge_told(row, told)
            row.note("events to the endpoint that comes and goes", len(sometimes.ids))
            row.exactly("out of order there", sometimes.disorder)
            row.note("reloads carried out", reloads)
        assert reloads > 3 and sometimes.ids


@pytest.mark.row("W5")
@pytest.mark.parametrize("keeping", ["a spool", "memory alone", "a full disk"])
def test_an_ordered_end_leaves_what_waits_to_the_next_process_or_tries_it_once_more(measure, tmp_path, keeping):
    knobs = faults.Faults() if keeping == "a full disk" else None
    if knobs and faults.library() is None:
        pytest.skip("no C compiler for Tests/Faults")
    with Receiver() as hooks:
        settings = {"shutdownGraceSeconds": 3, "apps": [app(webhooks=[endpoint(hooks.url("/all"), **BATCHED)])]}
        if keeping != "memory alone":
            settings["stateDirectory"] = str(tmp_path)
        with knobs.broker(settings) if knobs else Broker(settings) as broker:
            if knobs:
                knobs.set("store", code=errno.ENOSPC)
            count = waiting_events(broker, 600, hooks)
            with broker.client() as client:  # vacated by a disconnect: three seconds that nobody waits for now
                client.subscribe("home")
            broker.begin_drain()
            if keeping == "a spool":
                assert broker.wait_ended() == 0
                hooks.resume()
                broker.start()
            else:
                hooks.resume()
            wait_until(lambda: len(Told(hooks.at("/all")).ids) >= count + 2, "all was told", DEADLINE * 3)
            if keeping != "a spool":
                assert broker.wait_ended() == 0
            told = Told(hooks.at("/all"))
        with measure(f"SIGTERM while {count + 2} events wait; {keeping}") as row:
            row.exactly("events", len(told.ids), count + 2)
            row.exactly("missing or broken", told.missing + told.broken)
            row.exactly("came twice", told.repeated)
            judge_told(row, told)


@pytest.mark.row("W5")
@pytest.mark.parametrize("is_takeover", [True, False], ids=["takeover", "two brokers"])
def test_of_two_brokers_with_one_directory_nothing_is_lost(measure, tmp_path, is_takeover):
    """The second one works in memory until the first has gone, and then has what it left."""
    place = ("--takeover-socket", str(tmp_path / "place"))
    with Receiver() as hooks:
        settings = {"stateDirectory": str(tmp_path / "state"), "shutdownGraceSeconds": 1,
                    "apps": [app(webhooks=[endpoint(hooks.url("/all"), **BATCHED)])]}
        with Broker(settings, flags=place) as first:
            before = waiting_events(first, 400, hooks)
            flags, port = ((*place, "--takeover"), first.port) if is_takeover else (("--takeover-socket", "none"), 0)
            with Broker(settings, flags=flags, port=port) as second:
                if is_takeover:
                    assert first.wait_ended() == 0
                after = waiting_events(second, 400, hooks, "late")
                hooks.resume()
                if not is_takeover:
                    # The first one's turn: it is still there and tries.
                    wait_until(lambda: len(Told(hooks.at("/all")).ids) >= before + after, "all was told", DEADLINE * 4)
                    first.begin_drain()
                    assert first.wait_ended() == 0
                wait_until(lambda: len(Told(hooks.at("/all")).ids) >= before + after, "all was told", DEADLINE * 4)
                more = waiting_events(second, 100, hooks, "last")
                hooks.resume()
                wait_until(lambda: len(Told(hooks.at("/all")).ids) >= before + after + more, "the rest was told", DEADLINE * 4)
                if is_takeover:
                    second.kill()
                    second.start()
            told = Told(hooks.at("/all"))
        with measure(f"{before} events wait in one broker, {after} in another with the same directory"
                     f"{', which takes over' if is_takeover else ''}") as row:
            row.exactly("events", len(told.ids), before + after + more)
            row.exactly("sequences broken", told.broken)
            row.exactly("changed when they came again", told.changed)
            row.note("came again", told.repeated)


SAID = {"removed": "the files of the webhook spool were removed, and are written anew",
        "replaced by a file": "webhook events are in memory only: the disk does not take them"}


@pytest.mark.row("W5")
@pytest.mark.parametrize("what", SAID)
def test_without_its_directory_it_works_in_memory_and_says_so(measure, tmp_path, what):
    """What is gone is made again and has all that waits; where it cannot be, memory has it."""
    state = tmp_path / "state"
    with Receiver() as hooks:
        settings = {"stateDirectory": str(state), "apps": [app(webhooks=[endpoint(hooks.url("/all"), **BATCHED)])]}
        with Broker(settings) as broker:
            count = waiting_events(broker, 100, hooks)
            shutil.rmtree(state)
            if what == "replaced by a file":
                state.write_text("a file")
            hooks.resume()
            wait_until(lambda: len(Told(hooks.at("/all")).ids) >= count, "what waited was told", DEADLINE * 3)
            late = waiting_events(broker, 2_000, hooks, "late")
            if what == "removed":
                wait_until(lambda: len(spooled(state)) >= late, "it is made again")
                broker.kill()
                broker.start()
            said = {line["msg"] for line in logfmt.lines(broker.log())}
            hooks.resume()
            count += late
            wait_until(lambda: len(Told(hooks.at("/all")).ids) >= count, "the rest was told", DEADLINE * 3)
            told = Told(hooks.at("/all"))
        with measure(f"the state directory is {what}") as row:
            row.exactly("events", len(told.ids), count)
            row.exactly("sequences broken", told.broken)
            judge_told(row, told)
        assert SAID[what] in said, said
