"""Clients that come back by themselves: from a broker that drains to another one (drain), to one that was killed (kill), and those
who need not go at all while it reloads (storm). They are asyncpusher's, whose own code decides when and how to reconnect."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import threading
import time
from http.client import HTTPException

import asyncpusher
import pytest

from balancer import Balancer
from clients import AsyncPusherClient, LoopThread
from following import all_heard, following, judge, outcome
from harness import Broker, app, channel_auth, named_app, wait_until
from http_tools import Caller
from machine import total
from session import DEADLINE
from test_reload import config, logged, reload, write


# A connection that is refused is what a broker's end looks like.
QUIET = logging.getLogger("travellers")
QUIET.setLevel(logging.CRITICAL + 1)


class Travellers:
    """asyncpusher clients in one loop: each is a user of one presence channel and hears one public channel."""

    def __init__(self, port: int, count: int, channels: int):
        self.thread, self.heard, self.closes = LoopThread(), [[] for _ in range(count)], [[] for _ in range(count)]
        self.greetings = [0] * count
        self.libraries = self.thread.run(self._begin(port, count, channels))

    async def _begin(self, port: int, count: int, channels: int) -> list:
        return await asyncio.gather(*(self._one(port, number, channels) for number in range(count)))

    async def _one(self, port: int, number: int, channels: int):
        async def authenticator(form: dict) -> dict:
            member = json.dumps({"user_id": f"user-{number}"})
            return {"auth": channel_auth(form["socket_id"], form["channel_name"], member), "channel_data": member}

        library = asyncpusher.Pusher("app-key", secure=False, custom_host="127.0.0.1", custom_port=port, auto_sub=True,
                                     channel_authenticator=authenticator, log=QUIET)

        async def greeted(_) -> None:
            self.greetings[number] += 1

        async def told(data) -> None:
            self.closes[number].append(data["code"])

        async def event(data) -> None:
            self.heard[number].append((data["broker"], data["number"]))

        library.connection.bind("pusher:connection_established", greeted)
        library.connection.bind("pusher:error", told)
        asyncio.ensure_future(library.connect())
        channel = await library.subscribe(f"news-{number % channels}")
        channel.bind("event", event)
        await library.subscribe("presence-lobby")
        return library

    def __enter__(self) -> "Travellers":
        return self

    def __exit__(self, *_) -> None:
        async def leave() -> None:
            await asyncio.gather(*(library.disconnect() for library in self.libraries), return_exceptions=True)

        self.thread.run(leave())
        self.thread.close()

    def gaps(self) -> int:
        """Events that were left out or came twice while a client was with one broker."""
        found = 0
        for heard in self.heard:
            for (broker, number), (next_broker, next_number) in zip(heard, heard[1:]):
                found += broker == next_broker and next_number != number + 1
        return found


class Publishing:
    """Publishes numbered events to every channel of some brokers until it is told to stop; a broker that has gone is left out."""

    def __init__(self, brokers: dict[str, Broker], channels: int, pause: float):
        self.brokers, self.channels, self.pause = brokers, channels, pause
        self.count, self.refused, self.is_over = 0, 0, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        callers = {name: Caller(broker) for name, broker in self.brokers.items()}
        while not self.is_over.wait(self.pause):
            for name, caller in list(callers.items()):
                data = json.dumps({"broker": name, "number": self.count})
                try:
                    reply = caller.publish(name="event", channels=[f"news-{n}" for n in range(self.channels)], data=data)
                    self.refused += reply.status != 200
                except (OSError, HTTPException):
                    del callers[name]
            self.count += 1

    def __enter__(self) -> "Publishing":
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.is_over.set()
        self.thread.join()


def members(broker: Broker) -> set[str]:
    status, reply = broker.api("GET", "/channels/presence-lobby/users")
    return {user["id"] for user in reply["users"]} if status == 200 else set()


def occupied(broker: Broker) -> dict:
    return broker.api("GET", "/channels", params={"info": "subscription_count"})[1]["channels"]


@pytest.mark.row("drain")
def test_clients_of_a_draining_broker_all_return_to_another(measure, is_long):
    count, channels, grace = (400, 20, 10) if is_long else (40, 4, 2)
    crowded = app(limits={"presenceMembers": 1_000})
    settings = {"shutdownGraceSeconds": grace, "apps": [crowded]}
    everybody = {f"user-{number}" for number in range(count)}
    with Broker(settings) as first, Broker(settings) as second, Balancer(first.port) as balancer, Travellers(
            balancer.port, count, channels) as travellers:
        wait_until(lambda: members(first) == everybody, "all have come", DEADLINE * 3)
        with Publishing({"first": first, "second": second}, channels, 0.02) as publishing:
            wait_until(lambda: publishing.count > 20, "events flow")
            balancer.target = second.port
            start = time.monotonic()
            first.begin_drain()
            wait_until(lambda: members(second) == everybody, "all have come to the second", grace + DEADLINE * 3)
            took = time.monotonic() - start
            code = first.wait_ended()
            after = publishing.count
            wait_until(lambda: publishing.count > after + 20, "events flow")
        wait_until(lambda: {heard[-1] for heard in travellers.heard} == {("second", publishing.count - 1)}, "the last event")
        with measure(f"{count} asyncpusher clients in a presence and {channels} public channels, a broker drains in {grace} s") as row:
            row.at_most("all back after", took, grace + 2, "s", bound=grace + DEADLINE * 3)
            row.exactly("exit code", code)
            row.exactly("told another code than 4200", sum(codes != [4200] for codes in travellers.closes))
            row.exactly("connected more than twice", sum(times != 2 for times in travellers.greetings))
            row.exactly("gaps while with a broker", travellers.gaps())
            row.exactly("subscriptions", int(total(second.metrics(), "starling_subscriptions")), 2 * count)
            row.note("events", publishing.count)


@pytest.mark.row("kill")
def test_after_a_kill_and_a_new_start_all_return_and_nothing_is_left(measure, is_long):
    """The last users of the old one do not return; what is asked of the new one knows nothing of them."""
    count, channels = (400, 20) if is_long else (40, 4)
    settings = {"apps": [app(limits={"presenceMembers": 1_000})]}
    everybody = {f"user-{number}" for number in range(count)}
    with Broker(settings) as broker, Travellers(broker.port, count, channels) as travellers:
        gone = [broker.client() for _ in range(5)]
        for number, client in enumerate(gone):
            client.join("presence-lobby", f"ghost-{number}")
            client.subscribe(f"haunted-{number}")
        wait_until(lambda: len(members(broker)) == count + 5, "all have come", DEADLINE * 3)
        broker.kill()
        start = time.monotonic()
        broker.start()
        up = time.monotonic() - start
        at_once = occupied(broker)
        ghosts = {name for name in at_once if name.startswith("haunted")}
        wait_until(lambda: members(broker) == everybody, "all have come back", DEADLINE * 6)
        took = time.monotonic() - start
        with Publishing({"again": broker}, channels, 0.01) as publishing:
            wait_until(lambda: publishing.count > 20, "events flow")
        wait_until(lambda: {heard[-1] if heard else None for heard in travellers.heard} == {("again", publishing.count - 1)},
                   "the last event")
        counts = {name: info["subscription_count"] for name, info in occupied(broker).items() if "subscription_count" in info}
        page = broker.metrics()
        with measure(f"kill -9 with {count} asyncpusher clients and five that do not return") as row:
            row.at_most("serves again after", up, 1, "s", bound=10)
            row.at_most("all back after", took, 5, "s", bound=60)
            row.exactly("members that are not there", len(members(broker) - everybody) + len(ghosts))
            row.exactly("connections", int(total(page, "starling_connections")), count)
            row.exactly("subscriptions", int(total(page, "starling_subscriptions")), 2 * count)
            row.exactly("channels", int(total(page, "starling_channels")), channels + 1)
            row.exactly("gaps", travellers.gaps())
        assert not counts or sum(counts.values()) == 2 * count
        for client in gone:
            client.close()


@pytest.mark.row("storm")
@pytest.mark.long
def test_a_thousand_hangups_under_load_lose_no_event_and_no_connection(measure):
    """test_reload.py has the short one. The file changes at every tenth, and an app beside comes and goes."""
    signals, channels = 1_000, 4
    with Broker(config(app(), named_app("beside"))) as broker, following(broker, 400) as (crowd, followers, publisher):
        with AsyncPusherClient(broker) as library:
            library.subscribe("room-0", "number")
            first, socket_id = publisher.numbers.begun["room-0"], library.socket_id
            for number in range(signals):
                if number % 10 == 0:
                    beside = [named_app("beside")] if number % 20 else []
                    write(broker, config(app(limits={"channels": 1_000 + number}), *beside))
                broker.process.send_signal(signal.SIGHUP)
                for channel in range(channels):
                    publisher.publish(f"room-{channel}")
                    crowd.turn(0)
            reload(broker, config(app()))
            crowd.until(lambda: all_heard(followers), "all events", DEADLINE * 3)
            count = publisher.numbers.begun["room-0"] - first
            library.inbox.wait("number", "room-0", count=count, timeout=DEADLINE * 3)
            with measure("SIGHUP × 1,000 while the file changes; 400 clients and one of asyncpusher's") as row:
                judge(row, outcome(followers))
                row.exactly("asyncpusher's events", len(library.inbox.all("number", "room-0")), count)
                row.exactly("asyncpusher's connections", int(library.socket_id == socket_id), 1)
                row.note("events published", sum(publisher.numbers.begun.values()))
                row.note("reloads carried out", len(logged(broker, "reloaded")))
            assert len(logged(broker, "reloaded")) > 20
