"""A wall clock that jumps is no reason to give a webhook up, to send it twice, or to try it for ever."""

from __future__ import annotations

import time

import pytest

from clock import Clock
from harness import app, wait_until
from receiver import Answer, Received, Receiver
from webhook_tools import Command, broker_with, endpoint

DAY = 86_400
NOW = 1_800_000_000


def is_of(post: Received, seconds: int) -> bool:
    """It happened then; the clock stands still, and what passed in between is measured by another."""
    return abs(post.json["time_ms"] - seconds * 1_000) < 60_000


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path, NOW)


@pytest.mark.parametrize("jump", [DAY, -DAY, 400 * DAY], ids=["a day on", "a day back", "a year on"])
def test_a_jump_between_two_attempts_changes_none_of_them(clock, tmp_path, jump):
    with Receiver() as hooks:
        hooks.answer(Answer(500))
        with broker_with(tmp_path / "state", app(webhooks=[endpoint(hooks, "/")]), env=clock.environment) as broker:
            with broker.client() as client:
                client.send_subscribe("old")
                first = hooks.wait(1)[0]
                clock.set(NOW + jump)
                attempts = hooks.wait(2)[:2]
                assert {one.raw for one in attempts} == {first.raw} and is_of(first, NOW)
                assert attempts[1].at - attempts[0].at > 0.85
                client.send_subscribe("new")
                new = hooks.wait(3)[2]
                assert new.events[0]["channel"] == "new" and is_of(new, NOW + jump)


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["a day later", "a day earlier"])
def test_what_waited_in_the_spool_is_sent_whatever_the_clock_says_at_the_next_start(clock, tmp_path, jump):
    with Receiver() as hooks:
        hooks.pause()
        with broker_with(tmp_path / "state", app(webhooks=[endpoint(hooks, "/")]), env=clock.environment) as broker:
            with broker.client() as client:
                client.send_subscribe("old")
                wait_until(lambda: any(b'"old"' in file.read_bytes() for file in (tmp_path / "state/webhooks").glob("*.spool")), "it waits")
            broker.kill()
            clock.set(NOW + jump)
            hooks.resume()
            broker.start()
            assert hooks.wait(1)[0].events[0]["channel"] == "old"


def test_it_is_given_up_after_its_time_though_the_clock_stands_still(clock, tmp_path):
    with Receiver() as hooks:
        hooks.usual = Answer(500)
        settings = {"webhooks": {"retrySeconds": 1}}
        with broker_with(tmp_path / "state", app(webhooks=[endpoint(hooks, "/")]), env=clock.environment, **settings) as broker:
            with broker.client() as client:
                start = time.monotonic()
                client.send_subscribe("never")
                command = Command(tmp_path / "state")
                command.wait_endpoint(hooks.url("/"), lambda one: one["deadLetters"] == 1, "it is dead")
                assert time.monotonic() - start > 0.9
                wait_until(lambda: broker.is_running, "it serves")
