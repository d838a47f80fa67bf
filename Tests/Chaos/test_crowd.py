"""The crowd's own checks can fail: what a follower says of events that are lost, doubled, late or never come."""

from __future__ import annotations

import json

import pytest

from crowd import Follower, Numbers

SUBSCRIBED = b'{"event":"pusher_internal:subscription_succeeded","channel":"c","data":"{}"}'


class Deaf(Follower):
    """A follower without a socket."""

    def __init__(self, numbers: Numbers):
        self.channel, self.numbers, self.has_ended = "c", numbers, False
        self.is_subscribed, self.next, self.latest_first = False, None, 0
        self.heard_count = self.lost = self.doubled = self.pongs = 0


@pytest.mark.parametrize(("begun", "heard", "lost", "doubled", "missing"), [
    (0, [], 0, 0, 0), (0, [0, 1, 2], 0, 0, 0), (5, [5, 6], 0, 0, 0),
    (5, [4, 5], 0, 0, 0),  # begun before we were there, and still for us
    (5, [6], 1, 0, 0), (0, [0, 2], 1, 0, 0), (0, [0, 3, 4], 2, 0, 0), (0, [0, 0, 1], 0, 1, 0), (0, [0, 1, 0, 2], 0, 1, 0),
    (0, [0, 1, None], 0, 0, 1), (5, [None, None], 0, 0, 2), (0, [1, 0], 1, 1, 0),
])
def test_a_follower_counts_what_is_wrong(begun, heard, lost, doubled, missing):
    """`begun` events were published before it subscribed; None is one that was published and did not come."""
    numbers = Numbers()
    numbers.begun["c"] = begun
    one = Deaf(numbers)
    one.heard(SUBSCRIBED)
    for number in heard:
        if number is not None:
            one.heard(json.dumps({"event": "number", "channel": "c", "data": str(number)}).encode())
    numbers.begun["c"] = max([begun, *(number + 1 for number in heard if number is not None)]) + heard.count(None)
    assert (one.lost, one.doubled, one.missing_at_end()) == (lost, doubled, missing)
