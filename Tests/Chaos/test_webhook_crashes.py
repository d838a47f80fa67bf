"""W2: the broker is killed again and again while webhooks are sent; W3: what its spool has lost, or cannot write."""

from __future__ import annotations

import errno
import pathlib
import random
import shutil
import time
from collections import Counter
from dataclasses import dataclass

import pytest

import faults
from crowd import Crowd
from edges import Tenants
from harness import Broker, app, wait_until
from machine import Spending
from receiver import Receiver
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
        webhooks = [endpoint(hooks.url("/one"), batchMilliseconds=5, batchEvents=20),
                    endpoint(hooks.url("/many"), batchMilliseconds=20, batchEvents=500)]
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
        row.note("runs that told something", len(told["/one"].runs()))
        row.exactly("numbers told to one target only", len(set(told["/one"].ids) ^ set(told["/many"].ids)))


# W3

RECORD, HEADER = b"\xffSR\xfe", 32


def records(data: bytes) -> list[tuple[int, int, int | None]]:
    """Where each record of a segment begins and ends, and which event it is (SpoolFormat.swift); None: it is another kind."""
    starts = [at for at in range(HEADER, len(data)) if data.startswith(RECORD, at)]
    return [(start, end, int.from_bytes(data[start + 24:start + 32], "little") if data[start + 4] == 2 else None)
            for start, end in zip(starts, [*starts[1:], len(data)])]


def events_at(data: bytes, begin: int, end: int) -> set[int]:
    return {number for start, stop, number in records(data) if number is not None and start < end and begin < stop}


@dataclass
class Damage:
    """What became of a segment, and whose records it met."""

    data: bytes
    lost: set[int]


def overwritten(data: bytes, at: int, by: bytes) -> Damage:
    end = min(len(data), at + len(by))
    return Damage(data[:at] + by[:end - at] + data[end:], events_at(data, at, end))


DAMAGES = {
    "a bit flipped": lambda data, at, chance: overwritten(data, at, bytes([data[at] ^ 1 << chance.randrange(8)])),
    "a byte flipped in the header": lambda data, at, chance: overwritten(data, at % HEADER, bytes([data[at % HEADER] ^ 0xFF])),
    "cut": lambda data, at, chance: Damage(data[:at], events_at(data, at, len(data))),
    "cut to nothing": lambda data, at, chance: Damage(b"", events_at(data, 0, len(data))),
    "a page of garbage": lambda data, at, chance: overwritten(data, at, chance.randbytes(4_096)),
    "a page of zeros": lambda data, at, chance: overwritten(data, at, bytes(4_096)),
    "a page lost": lambda data, at, chance: Damage(data[:at] + data[at + 4_096:], events_at(data, at, at + 4_096)),
    "a page twice": lambda data, at, chance: Damage(data[:at] + data[at - 2_048:at] + data[at:], events_at(data, at - 1, at + 1)),
    "zeros behind": lambda data, at, chance: Damage(data + bytes(1 << 16), set()),
    "garbage behind": lambda data, at, chance: Damage(data + chance.randbytes(5_000), set()),
    "a record without its end behind": lambda data, at, chance: Damage(data + RECORD + b"\x02\xff\xff\x3f" + chance.randbytes(50), set()),
    "all magic": lambda data, at, chance: Damage(data + RECORD * 20_000, set()),
}


@pytest.mark.row("W3")
def test_what_became_of_a_spool_file_costs_the_damaged_records_alone(measure, is_long, tmp_path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole, state = tmp_path / "whole", tmp_path / "state"
    with Receiver() as hooks:
        settings = {"stateDirectory": str(state), "apps": [app(webhooks=[endpoint(hooks.url("/all"), batchMilliseconds=5, batchEvents=500)])]}
        hooks.pause()
        made = 0
        with Broker(settings) as broker:
            for number in range(3):  # each start begins a file
                with Crowd(broker.port) as crowd:
                    tenants = Tenants(crowd, 20, f"run-{number}")
                    tenants.run(0.2, 2_000)
                    tenants.settle()
                made += 2 * tenants.begun
                wait_until(lambda: len(spooled(state)) == made, "all is in the spool")
                broker.kill()
                broker.start()
            broker.kill()
            shutil.copytree(state / "webhooks", whole / "webhooks")  # no socket
            everything = spooled(whole)
            hooks.resume()
            silent, lost, doubled, told_in_all, starts = [], Counter(), 0, 0, 0
            for name, damage in DAMAGES.items():
                for _ in range(10 if is_long else 1):
                    shutil.rmtree(state)
                    shutil.copytree(whole, state)
                    victim = chance.choice([file for file in segments(state) if len(records(file.read_bytes())) > 50])
                    data = victim.read_bytes()
                    became = damage(data, chance.randrange(8_192, len(data) - 8_192), chance)
                    victim.write_bytes(became.data)
                    before, said = len(hooks.received), len(broker.log())
                    broker.start()
                    starts += 1
                    must = everything - became.lost

                    def told(before=before) -> Told:
                        return Told(hooks.received[before:])

                    try:
                        wait_until(lambda: must <= set(told().numbers), f"what is not damaged is told ({name})", DEADLINE * 3)
                    except AssertionError:
                        lost[name] += len(must - set(told().numbers))
                    doubled += told().repeated + told().changed
                    told_in_all += len(told().ids)
                    if "level=warning" not in broker.log()[said:] and became.data != data:
                        silent.append(name)
                    broker.kill()
        assert not silent, silent
        with measure(f"{len(DAMAGES)} kinds of damage to one of {len(segments(whole))} files with {len(everything)} events, "
                     f"{starts} starts, seed {seed}") as row:
            row.exactly("intact events lost", sum(lost.values()))
            row.exactly("came twice", doubled)
            row.exactly("starts that said nothing", len(silent))
            row.note("events told", told_in_all)


# What a disk may say for a while.
TROUBLES = {
    "is full": {"store": {"code": errno.ENOSPC}},
    "takes no write": {"store": {"code": errno.EIO}},
    "takes seven bytes at a time": {"store": {"bytes": 7}},
    "loses what it was given": {"sync": {"code": errno.EIO}},
    "fails each third time": {"store": {"code": errno.ENOSPC, "every": 3}, "sync": {"code": errno.EIO, "every": 3}},
}


@pytest.mark.row("W3")
@pytest.mark.skipif(faults.library() is None, reason="no C compiler for Tests/Faults")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_a_disk_did_not_take_it_has_as_soon_as_it_takes_anything(measure, is_long, tmp_path, trouble):
    """Nobody takes the events meanwhile, so that all depends on the spool; then kill -9."""
    knobs = faults.Faults()
    with Receiver() as hooks:
        settings = {"stateDirectory": str(tmp_path), "apps": [app(webhooks=[endpoint(hooks.url("/all"), batchMilliseconds=5, batchEvents=500)])]}
        hooks.pause()
        with knobs.broker(settings) as broker:
            with Crowd(broker.port) as crowd:
                tenants = Tenants(crowd, 20, "room")
                tenants.run(0.3, 1_000)
                for call, how in TROUBLES[trouble].items():
                    knobs.set(call, **how)
                spending = Spending(broker.pid)
                tenants.run(10 if is_long else 0.8, 1_000)
                percent = spending.percent()
                hits = sum(knobs.hits(call) for call in TROUBLES[trouble])
                tenants.settle()
                for call in TROUBLES[trouble]:
                    knobs.clear(call)
                start = time.monotonic()
                count = 2 * tenants.begun
                wait_until(lambda: len(spooled(tmp_path)) == count, "the disk has everything", DEADLINE * 3)
                back = time.monotonic() - start
            broker.kill()
            hooks.resume()
            broker.start()
            wait_until(lambda: len(Told(hooks.at("/all")).ids) >= count, "all was told", DEADLINE * 3)
            told = Told(hooks.at("/all"))
        with measure(f"a disk that {trouble}, {count} events, then kill -9") as row:
            row.exactly("events", len(told.ids), count)
            row.exactly("missing or broken", told.missing + told.broken)
            judge_told(row, told)
            row.note("calls that failed", hits)
            row.at_most("on the disk after", back, 2, "s", bound=DEADLINE * 3)
            row.at_most("processor meanwhile", percent, 40, "%", bound=150)
        assert hits > 0


def segments(directory: pathlib.Path) -> list[pathlib.Path]:
    return sorted((directory / "webhooks").glob("*.spool"))


def spooled(directory: pathlib.Path) -> set[int]:
    return {number for file in segments(directory) for _, _, number in records(file.read_bytes()) if number is not None}
