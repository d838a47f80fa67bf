"""W1: webhook targets that are down for four minutes, slow, failing, or that send on to somewhere else."""

from __future__ import annotations

import itertools

import pytest

from crowd import Crowd
from edges import Tenants
from harness import Broker, app
from machine import quantile, total
from receiver import Answer, Receiver
from session import DEADLINE
from told import Told, has_come, judge_told

CHANNELS = ["channel_occupied", "channel_vacated"]
# Seconds after which an attempt follows the one before it, at least: a tenth is chance.
PAUSES = [0.9 * pause for pause in (1, 2, 4, 8, 16, 32, 60, 60, 60)]


def endpoint(url: str, **options) -> dict:
    return {"url": url, "events": CHANNELS, "allowPrivate": True, **options}


def failed(posts: list) -> list:
    """The first attempts of a target that failed until it was told to be well."""
    return list(itertools.takewhile(lambda post: post.status != 200, posts))


@pytest.mark.row("W1")
def test_targets_that_fail_get_everything_in_order_and_delay_nobody(measure, is_long):
    seconds, rate = (240, 50) if is_long else (6, 100)
    with Receiver() as hooks, Receiver() as dead, Receiver() as trap:
        hooks.always(Answer(delay=0.5), "/slow")
        hooks.always(Answer(500), "/failing")
        hooks.always(Answer.redirect(trap.url("/trap")), "/redirecting")
        batched = {"batchMilliseconds": 20, "batchEvents": 100}
        webhooks = [endpoint(hooks.url("/well")), endpoint(dead.url("/down"), **batched),
                    *(endpoint(hooks.url(path), **batched) for path in ("/slow", "/failing", "/redirecting"))]
        with Broker({"apps": [app(webhooks=webhooks)]}) as broker, Crowd(broker.port) as crowd:
            dead.pause()
            tenants = Tenants(crowd, 20, "room")
            tenants.run(seconds, rate)
            dead.resume()
            hooks.always(Answer(), "/failing")
            hooks.always(Answer(), "/redirecting")
            tenants.run(1, rate)
            last = tenants.settle()
            count = 2 * tenants.begun
            where = {"/well": hooks, "/slow": hooks, "/failing": hooks, "/redirecting": hooks, "/down": dead}
            for path, receiver in where.items():
                crowd.until(lambda path=path, receiver=receiver: has_come(receiver.at(path), last), f"{path} has every event",
                            90 if is_long else DEADLINE * 3)
            told = {path: Told(receiver.at(path)) for path, receiver in where.items()}
        late = [at - tenants.confirmed[event["channel"]] for event, at in zip(told["/well"].events, told["/well"].times)
                if event["name"] == "channel_occupied"]
        attempts = {path: failed(hooks.at(path)) for path in ("/failing", "/redirecting")}
        early = sum(later.at - earlier.at < pause for posts in attempts.values()
                    for earlier, later, pause in zip(posts, posts[1:], PAUSES))
        with measure(f"five targets of one app, {count:,} events; {seconds} s long one is down, one says 500, one sends on to another "
                     "port, one takes half a second") as row:
            for path, one in told.items():
                row.exactly(f"{path[1:]}: events", len(one.ids), count)
            row.exactly("came twice", sum(one.repeated for one in told.values()))
            row.exactly("out of order", sum(one.disorder + one.broken for one in told.values()))
            row.exactly("changed when they came again", sum(one.changed for one in told.values()))
            row.exactly("requests with a wrong signature", sum(one.unsigned for one in told.values()))
            row.exactly("redirects followed", len(trap.received))
            row.exactly("attempts of a request with other bytes", sum(len({post.raw for post in posts}) - 1 for posts in attempts.values()))
            row.exactly("attempts before their time", early)
            row.note("attempts that failed", sum(map(len, attempts.values())))
            row.at_most("the healthy target, p99 after the client", quantile(late, 0.99) * 1e3, 50, "ms", bound=2_000)


@pytest.mark.row("W1")
def test_what_waits_for_a_target_that_hangs_is_bounded(measure, is_long):
    """The oldest go, and are counted; what is left comes in order, and the healthy target never notices."""
    bound, seconds, rate = 1 << 20, 20 if is_long else 3, 2_000
    with Receiver() as hooks:
        hooks.always(Answer.hang(), "/hanging")
        webhooks = [endpoint(hooks.url("/hanging"), batchEvents=1_000, batchMilliseconds=50, timeoutSeconds=60),
                    endpoint(hooks.url("/well"), batchEvents=100, batchMilliseconds=5)]
        settings = {"webhooks": {"queueBytes": bound}, "apps": [app(webhooks=webhooks)]}
        with Broker(settings) as broker, Crowd(broker.port) as crowd:
            tenants = Tenants(crowd, 50, "a-room-with-a-name-" * 8)  # so that few events are many bytes
            tenants.run(seconds, rate)
            last = tenants.settle()
            crowd.until(lambda: has_come(hooks.at("/well"), last), "the healthy target has all", DEADLINE * 3)
            hooks.always(Answer(), "/hanging")
            hanging = hooks.at("/hanging")
            for connection in list(hooks._present):
                connection.cut()
            crowd.until(lambda: has_come(hooks.at("/hanging"), last), "what waits has come", DEADLINE * 6)
            dropped = int(total(broker.metrics(), "starling_webhook_events_dropped_total"))
            told, well = Told(hooks.at("/hanging")), Told(hooks.at("/well"))
        with measure(f"a target that hangs, {2 * tenants.begun:,} events, {bound >> 10} KiB may wait") as row:
            row.exactly("given to the healthy target", len(well.ids), 2 * tenants.begun)
            row.note("dropped", dropped)
            row.exactly("neither dropped nor given", 2 * tenants.begun - dropped - len(told.ids))
            row.exactly("requests that hung", len(hanging), 1)
            judge_told(row, told)
        assert dropped > 0, "more came than may wait"
