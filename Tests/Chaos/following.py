"""Clients that check their events, who publishes to them, and a broker that starts otherwise than by itself."""

from __future__ import annotations

import contextlib
import pathlib
from collections import Counter
from http.client import HTTPException

import harness
from crowd import Crowd, Follower, Numbers
from harness import Broker
from http_tools import Caller
from session import DEADLINE


def wrapper(directory: pathlib.Path, script: str) -> str:
    """An executable that a `Broker` may start instead of the binary: bash, which ends with `exec "{binary}" "$@"`."""
    file = directory / "starling"
    file.write_text("#!/bin/bash\n" + script.format(binary=harness.BINARY) + "\n")
    file.chmod(0o755)
    return str(file)


class Publisher:
    """Publishes numbered events; a channel's next one is not begun before the last was answered."""

    def __init__(self, broker: Broker, numbers: Numbers):
        self.broker, self.numbers, self.faults = broker, numbers, []
        self.caller = Caller(broker)  # keep-alive

    def publish(self, channel: str, *, is_patient: bool = False) -> None:
        """With `is_patient` an event may be refused or its connection be lost, and then its number is used up."""
        number = self.numbers.begun.get(channel, 0)
        self.numbers.begun[channel] = number + 1
        try:
            reply = self.caller.publish(name="number", channel=channel, data=str(number))
            fault = None if reply.status == 200 else repr(reply)
        except (OSError, HTTPException) as error:
            self.caller.close()  # and opens again
            fault = repr(error)
        if fault:
            self.faults.append(fault)
            assert is_patient, fault


def all_heard(followers: list[Follower]) -> bool:
    return all(one.has_ended or not one.missing_at_end() for one in followers)


def outcome(followers: list[Follower]) -> Counter:
    """How those fared who should all be there and have heard everything."""
    return Counter({
        "clients lost": sum(one.has_ended for one in followers),
        "events lost": sum(one.lost + one.missing_at_end() for one in followers),
        "events doubled": sum(one.doubled for one in followers)})


def judge(row, found: Counter) -> None:
    for name in ("clients lost", "events lost", "events doubled"):
        row.exactly(name, found[name])


@contextlib.contextmanager
def following(broker: Broker, count: int, channels: int = 4):
    """So many clients that check their events, and who publishes to them."""
    numbers = Numbers()
    with Crowd(broker.port) as crowd:
        followers = [Follower(crowd, f"room-{number % channels}", numbers) for number in range(count)]
        crowd.until(lambda: all(one.is_subscribed for one in followers), "all have subscribed", DEADLINE)
        publisher = Publisher(broker, numbers)
        publisher.publish("room-0")
        yield crowd, followers, publisher
        publisher.caller.close()
