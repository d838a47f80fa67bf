"""Story 4. One channel per table with insert, update and delete events, and one per table and user for a user's own rows.

The broker is killed with -9 in the middle of it and started again on the same port. Clients come back by themselves with
growing pauses, subscribe again, and miss nothing that was published after they were back. (What was published while they were away is
lost: Pusher has no replay, and an application reloads its table when it sees `subscription_succeeded` again.)
"""

import asyncio
import itertools
import json
import logging
import random
import re
import threading
import time
from dataclasses import dataclass, field

import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from auth_endpoint import sign_channel
from clients import SUCCEEDED, AsyncPusherClient, LoopThread, publisher
from harness import DEADLINE, Broker, app

TABLE, USERS = "table-orders", 8
EVENTS = ("row:inserted", "row:updated", "row:deleted")
PAUSE, PAUSE_MAX = 0.1, 2.0


def own_rows(user: int) -> str:
    return f"private-{TABLE}-user-{user}"


@dataclass
class Change:
    """One row change the database service published, or tried to."""

    number: int
    user: int
    began: float
    accepted: bool = False


class DatabaseService(threading.Thread):
    """Publishes changes without a pause, broker or not, each to the table's channel and to its owner's."""

    def __init__(self, broker: Broker):
        super().__init__(daemon=True)
        self.library, self.changes, self.stopping = publisher(broker), [], threading.Event()
        self.step = threading.Condition()

    def run(self) -> None:
        for number in itertools.count():
            if self.stopping.is_set():
                return
            change = Change(number, number % USERS, time.monotonic())
            row = {"number": number, "user_id": change.user, "total": number * 3}
            try:
                self.library.trigger([TABLE, own_rows(change.user)], EVENTS[number % 3], row)
                change.accepted = True
            except requests.ConnectionError:
                self.stopping.wait(0.02)  # the service's own pause before it goes on with the next change
            with self.step:
                self.changes.append(change)
                self.step.notify_all()

    def wait_for_accepted(self, more: int) -> None:
        """Waits until `more` further changes were accepted."""
        with self.step:
            goal = sum(change.accepted for change in self.changes) + more
            done = self.step.wait_for(lambda: sum(c.accepted for c in self.changes) >= goal, DEADLINE * 3)
        assert done, "the service's publishes are not accepted"

    def finish(self) -> list[Change]:
        self.stopping.set()
        self.join()
        return self.changes


@dataclass
class Visit:
    """One connection of a client, from its `subscription_succeeded` on."""

    back_at: float
    numbers: list[int] = field(default_factory=list)


class ReturningClient:
    """What a careful application does: reconnect after a pause that doubles with every failure, and subscribe again."""

    def __init__(self, broker: Broker, channel: str, seed: int, news: threading.Condition):
        self.broker, self.channel, self.news = broker, channel, news
        self.random = random.Random(seed)
        self.signer = publisher(broker)
        self.visits: list[Visit] = []
        self.rows: list[dict] = []
        self.failures: list[float] = []  # when each attempt since the last visit failed
        self.pauses: list[float] = []
        self.ended = False

    async def run(self) -> None:
        while not self.ended:
            try:
                await self.visit()
            except (OSError, WebSocketException):
                pass
            if not self.ended:
                self.note(lambda: self.failures.append(time.monotonic()))
                self.pauses.append(min(PAUSE_MAX, PAUSE * 2 ** len(self.pauses)) * self.random.uniform(1, 1.25))
                await asyncio.sleep(self.pauses[-1])

    async def visit(self) -> None:
        url = self.broker.ws_url()
        async with connect(url, compression=None, ping_interval=None, proxy=None, open_timeout=DEADLINE) as socket:
            hello = json.loads(await socket.recv())
            data = {"channel": self.channel}
            if self.channel.startswith("private-"):
                data |= sign_channel(self.signer, self.channel, json.loads(hello["data"])["socket_id"], None)
            await socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))
            async for text in socket:
                self.hear(json.loads(text))
                if self.ended:
                    return

    def hear(self, frame: dict) -> None:
        if frame["event"] == SUCCEEDED:
            self.pauses = []
            self.note(lambda: self.visits.append(Visit(time.monotonic())))
        elif frame["event"] in EVENTS:
            self.rows.append(row := json.loads(frame["data"]))
            self.visits[-1].numbers.append(row["number"])
        elif frame["event"] == "table:closed":
            self.ended = True
            self.note(lambda: None)
        else:
            raise AssertionError(frame)

    def note(self, change) -> None:
        with self.news:
            change()
            self.news.notify_all()


class BackOffLog(logging.Handler):
    """asyncpusher says how long it waits before each attempt; that line is all it shows of its back-off."""

    def __init__(self, news: threading.Condition):
        super().__init__()
        self.news, self.waits = news, []

    def emit(self, record: logging.LogRecord) -> None:
        if found := re.fullmatch(r"Waiting for (\d+)s, # attempts: (\d+)", record.getMessage()):
            with self.news:
                self.waits.append((int(found[2]), int(found[1])))
                self.news.notify_all()


@pytest.fixture
def broker():
    with Broker({"apps": [app()]}) as running:
        yield running


def wait_for(news: threading.Condition, condition, what: str, timeout: float = DEADLINE * 4) -> None:
    with news:
        assert news.wait_for(condition, timeout), what


@pytest.mark.timeout(180)
def test_after_kill_9_and_restart_clients_return_with_growing_pauses_and_miss_nothing_published_since(broker):
    news, thread = threading.Condition(), LoopThread()
    channels = [TABLE] * 16 + [own_rows(user) for user in range(USERS) for _ in range(4)]
    clients = [ReturningClient(broker, channel, seed, news) for seed, channel in enumerate(channels)]
    running = [asyncio.run_coroutine_threadsafe(client.run(), thread.loop) for client in clients]
    log, waits = logging.getLogger("story.asyncpusher"), BackOffLog(news)
    log.setLevel(logging.INFO)
    log.addHandler(waits)
    log.propagate = False
    service = DatabaseService(broker)
    with AsyncPusherClient(broker, who="dashboard", log=log) as dashboard:
        dashboard.subscribe(TABLE, *EVENTS)
        wait_for(news, lambda: all(client.visits for client in clients), "not all clients subscribed")
        service.start()
        service.wait_for_accepted(100)

        broker.kill()
        gone_at = time.monotonic()
        wait_for(news, lambda: all(len(client.failures) >= 4 for client in clients), "clients did not try to return")
        wait_for(news, lambda: waits.waits[-1][0] >= 2, f"asyncpusher did not try again: {waits.waits}")
        broker.start()

        wait_for(news, lambda: all(len(client.visits) == 2 for client in clients), "not all clients returned")
        dashboard.inbox.wait(SUCCEEDED, TABLE, count=2, timeout=DEADLINE * 4)
        service.wait_for_accepted(100)
        changes = service.finish()
        service.library.trigger(list({*channels}), "table:closed", {})
        for future in running:
            future.result(DEADLINE * 3)
        for event in EVENTS:
            wanted = max(c.number for c in changes if c.accepted and EVENTS[c.number % 3] == event)
            dashboard.inbox.wait(event, TABLE, where=lambda row, wanted=wanted: row["number"] == wanted)
    thread.close()

    for client in clients:
        check_returned(client, changes, gone_at)
    check_visit(TABLE, changes, dashboard_visit(dashboard), "asyncpusher")
    attempts = [attempt for attempt, _ in waits.waits]
    growing = attempts[attempts.index(1):]
    assert growing == list(range(1, 1 + len(growing))), f"asyncpusher's attempts: {waits.waits}"


def check_returned(client: ReturningClient, changes: list[Change], gone_at: float) -> None:
    failures = [at for at in client.failures if at >= gone_at - 1]
    gaps = [later - earlier for earlier, later in itertools.pairwise(failures)]
    for number, gap in enumerate(gaps):
        assert gap >= min(PAUSE_MAX, PAUSE * 2 ** number) * 0.99, f"pause {number} of {gaps} did not grow"
    if client.channel != TABLE:
        user = int(client.channel.rpartition("-")[2])
        assert {row["user_id"] for row in client.rows} == {user}, "a row of another user came"
    before, after = client.visits
    assert before.numbers, "nothing came before the crash"
    check_visit(client.channel, changes, after, client.channel)


def dashboard_visit(dashboard: AsyncPusherClient) -> Visit:
    back_at = dashboard.inbox.all(SUCCEEDED)[1].at
    return Visit(back_at, [item.data["number"] for item in dashboard.inbox.all() if item.at > back_at])


def check_visit(channel: str, changes: list[Change], visit: Visit, who: str) -> None:
    """Everything published after the client was back, in order, once; and no gap from the first change it got."""
    mine = [change for change in changes if channel in (TABLE, own_rows(change.user)) and change.accepted]
    owed = [change.number for change in mine if change.began > visit.back_at]
    assert len(owed) >= 10, f"{who}: too few changes after the return to say anything"
    assert visit.numbers[-len(owed):] == owed, f"{who}: missed {sorted(set(owed) - set(visit.numbers))[:10]}"
    # The client reads its `subscription_succeeded` a little after the broker wrote it, so it may have got more than it is owed.
    assert visit.numbers == [change.number for change in mine if change.number >= visit.numbers[0]], f"{who}: a gap"
