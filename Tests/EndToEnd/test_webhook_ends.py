"""Webhooks at the beginning and the end of a process: a spool that another has, what only memory holds, nothing where nobody wants any."""

from __future__ import annotations

import pathlib
import signal
import time

import pytest

from harness import Broker, app, wait_until
from logfmt import lines
from receiver import Answer, Receiver
from test_reload import reload
from webhook_tools import Command, broker_with, endpoint, told, wait_told


@pytest.fixture(scope="module")
def hooks():
    with Receiver() as receiver:
        yield receiver


def said(broker: Broker, message: str) -> list[dict]:
    return [line for line in lines(broker.log()) if line["msg"] == message]


def wait_said(broker: Broker, message: str) -> dict:
    return wait_until(lambda: said(broker, message), message, timeout=20)[0]


def threads(broker: Broker) -> set[str]:
    return {file.read_text().strip() for file in pathlib.Path(f"/proc/{broker.pid}/task").glob("*/comm")}


def occupied(hooks: Receiver, path: str) -> dict:
    return endpoint(hooks, path, events=["channel_occupied"])


def delivered(hooks: Receiver, path: str) -> list[str]:
    """Channels, in the order in which they were taken."""
    return [event["channel"] for one in hooks.at(path) if one.status == 200 for event in one.events]


def test_who_has_not_the_spool_sends_from_memory_and_takes_what_the_other_left(hooks, tmp_path):
    """As the next process while the one before it drains"""
    hooks.always(Answer(503), "/left")
    first_app, second_app = app(webhooks=[occupied(hooks, "/left")]), app(webhooks=[occupied(hooks, "/left"), occupied(hooks, "/now")])
    with broker_with(tmp_path, first_app, shutdownGraceSeconds=1) as first:
        with first.client() as client:
            for number in range(3):
                client.subscribe(f"left-{number}")
            Command(tmp_path).wait_endpoint(hooks.url("/left"), lambda one: one["waiting"] == 3, "three wait")
            with broker_with(tmp_path, second_app) as second, second.client() as other:
                assert "memory" in wait_said(second, "webhooks wait in memory only")["msg"]
                # It does not answer in the other's place, and leaves it alone when it ends.
                assert "another process has this state directory" in wait_said(second, "no control socket")["reason"]
                with broker_with(tmp_path, second_app):
                    pass
                Command(tmp_path).wait_endpoint(hooks.url("/left"), lambda one: one["waiting"] == 3, "the first one answers")
                other.subscribe("own-0")
                other.subscribe("own-1")
                wait_told(hooks, "own-1", 1, "/now")
                first.process.send_signal(signal.SIGKILL)
                first.wait_ended()
                assert wait_said(second, "webhooks are spooled")["events"] == "3"
                hooks.always(Answer(), "/left")
                wait_until(lambda: Command(tmp_path).run("list").returncode == 0, "now it answers there", timeout=20)
                Command(tmp_path).text("retry", "--all")
                wait_until(lambda: len(delivered(hooks, "/left")) == 5, "all of it", timeout=20)
                # The one that was under way is first, then what is older.
                assert delivered(hooks, "/left") == ["own-0", "left-0", "left-1", "left-2", "own-1"]
                # What comes now is kept, and numbered after all that was.
                hooks.always(Answer(503), "/left")
                other.subscribe("own-2")
                Command(tmp_path).wait_endpoint(hooks.url("/left"), lambda one: one["waiting"] == 1, "one waits")
                numbers = [int(one.event_ids[0].split("-")[1], 16) for one in hooks.at("/now")]
                assert numbers == sorted(numbers) and len(set(numbers)) == 3
                second.process.send_signal(signal.SIGKILL)
                second.wait_ended()
                hooks.always(Answer(), "/left")
                second.start()
                wait_until(lambda: delivered(hooks, "/left")[5:] == ["own-2"], "what was kept", timeout=20)


def test_at_the_end_what_only_memory_holds_is_tried_within_the_grace(hooks):
    hooks.always(Answer(503), "/memory")
    with broker_with(None, app(webhooks=[endpoint(hooks, "/memory", events=["channel_occupied", "channel_vacated"])]),
                     shutdownGraceSeconds=30) as broker:
        with broker.client() as client:
            client.subscribe("memory-a")
            hooks.wait_until(lambda all: len(all) >= 1, "the first attempt", "/memory")
            broker.begin_drain()
        hooks.always(Answer(), "/memory")
        assert broker.wait_ended(timeout=30) == 0
        # The process did not wait three seconds for a return to itself.
        assert [event["name"] for event in told(hooks, "memory-a", "/memory")][-2:] == ["channel_occupied", "channel_vacated"]
        assert not said(broker, "webhook events are lost with the process")


@pytest.mark.parametrize("signals", [1, 2])
def test_what_nobody_took_is_counted_at_the_end(hooks, signals):
    hooks.always(Answer(503), "/never")
    with broker_with(None, app(webhooks=[occupied(hooks, "/never")]), shutdownGraceSeconds=2 if signals == 1 else 60) as broker:
        with broker.client() as client:
            for number in range(4):
                client.subscribe(f"never-{number}")
            hooks.wait_until(lambda all: len(all) >= 1, "an attempt", "/never")
            broker.begin_drain()
        start = time.monotonic()
        if signals == 2:
            wait_until(lambda: said(broker, "draining"), "the drain")
            broker.begin_drain()
        assert broker.wait_ended(timeout=40) == 0
        assert signals == 1 or time.monotonic() - start < 20, "the second signal ends it"
        lost = wait_said(broker, "webhook events are lost with the process")
        assert lost["events"] == "4" and "state directory" in lost["reason"], lost


def test_without_webhooks_there_is_nothing_until_a_reload_adds_some(hooks):
    ours = {"webhooks", "webhook-spool", "control"}
    with Broker({"apps": [app()]}) as broker, broker.client() as client:
        assert not threads(broker) & ours
        client.subscribe("before")
        reload(broker, {"apps": [app(webhooks=[endpoint(hooks, "/added")])]})
        assert threads(broker) & ours == {"webhooks"}
        client.subscribe("after")
        wait_told(hooks, "after", 1, "/added")
        assert told(hooks, "before", "/added") == []
        # Of what was there before it is told that it goes.
        client.unsubscribe("before")
        assert wait_told(hooks, "before", 1, "/added")[0]["name"] == "channel_vacated"


def test_the_log_says_when_an_endpoint_fails_and_when_it_takes_again_once_each(hooks, tmp_path):
    path = "/said?token=s3cret"
    hooks.always(Answer(500), path)
    with broker_with(tmp_path, app(webhooks=[occupied(hooks, path)])) as broker, broker.client() as client:
        client.subscribe("said-0")
        client.subscribe("said-1")
        hooks.wait_until(lambda all: len(all) >= 2, "two attempts", path)
        failing, = said(broker, "a webhook endpoint fails")
        assert failing["app"] == "app-id" and failing["url"] == hooks.url("/said") + "?…" and "500" in failing["reason"], failing
        hooks.always(Answer(), path)
        Command(tmp_path).text("retry", "--all")
        taken = wait_said(broker, "a webhook endpoint takes events again")
        assert int(taken["failures"]) >= 2 and taken["events"] == "2" and taken["level"] == "info", taken
        wait_told(hooks, "said-1", 1, path)
        assert len(said(broker, "a webhook endpoint takes events again")) == 1 == len(said(broker, "a webhook endpoint fails"))
        assert "s3cret" not in broker.log()
