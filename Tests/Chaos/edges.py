"""Clients that make a broker's webhooks: channels that are occupied and vacated, members that come and go."""

from __future__ import annotations

import json
import time

from crowd import Crowd, Link, event, subscribe
from harness import channel_auth


class Tenant(Link):
    """Occupies a channel when it is told to, and leaves it as soon as that was confirmed."""

    channel = ""

    def __init__(self, tenants: Tenants):
        self.tenants, self.is_free = tenants, False
        super().__init__(tenants.crowd)

    def opened(self) -> None:
        self.is_free = True

    def move_in(self, channel: str) -> None:
        self.is_free, self.channel = False, channel
        self.send(subscribe(channel))

    def heard(self, payload: bytes) -> None:
        if b"subscription_succeeded" in payload:
            self.tenants.confirmed[self.channel] = time.monotonic()
            self.send(event("pusher:unsubscribe", channel=self.channel))
            self.is_free = True


class Tenants:
    """So many edges a second over some connections; no channel has the name of an earlier one.

    `confirmed`: when the client of each channel read that it is subscribed."""

    def __init__(self, crowd: Crowd, count: int, prefix: str):
        self.crowd, self.prefix, self.begun = crowd, prefix, 0
        self.confirmed: dict[str, float] = {}
        self.links = [Tenant(self) for _ in range(count)]
        crowd.until(lambda: all(link.is_free for link in self.links), "the tenants are connected", 30)

    def run(self, seconds: float, edges_per_second: float) -> None:
        """Moves by a timetable; who is behind it moves as soon as a connection is free."""
        start, first = time.monotonic(), self.begun
        while (passed := time.monotonic() - start) < seconds:
            due = first + int(passed * edges_per_second / 2) - self.begun
            for link in self.links:
                if due > 0 and link.is_free and not link.has_ended:
                    link.move_in(f"{self.prefix}-{self.begun}")
                    self.begun += 1
                    due -= 1
            self.crowd.turn(0.005)

    def settle(self, timeout: float = 30) -> str:
        """All move out, and one more channel comes and goes; gives its name: no edge is later than its vacancy."""
        def is_quiet() -> bool:
            return all(link.is_free for link in self.links)

        self.crowd.until(is_quiet, "all have moved out", timeout)
        last = f"{self.prefix}-{self.begun}"
        self.links[0].move_in(last)
        self.begun += 1
        self.crowd.until(is_quiet, "the last one has moved out", timeout)
        return last


class Member(Link):
    """A user of a presence channel. Its comings and goings are decided by `Members`."""

    def __init__(self, crowd: Crowd, channel: str, user: str):
        self.channel, self.user, self.is_in = channel, user, False
        super().__init__(crowd)

    def heard(self, payload: bytes) -> None:
        if payload.startswith(b'{"event":"pusher:connection_established"'):
            socket_id = json.loads(json.loads(payload)["data"])["socket_id"]
            member = json.dumps({"user_id": self.user})
            self.joining = subscribe(self.channel, auth=channel_auth(socket_id, self.channel, member), channel_data=member)
            self.join()
        elif payload.startswith(b'{"event":"pusher_internal:subscription_succeeded"'):
            self.is_in = True

    def join(self) -> None:
        self.send(self.joining)

    def leave(self) -> None:
        self.is_in = False
        self.send(event("pusher:unsubscribe", channel=self.channel))


class Members:
    """So many users over some presence channels, of whom some come and go in each turn: by unsubscribing, by a page that is reloaded
    (the user's next connection is there within a second), or for good."""

    def __init__(self, crowd: Crowd, count: int, channels: int):
        self.crowd, self.count, self.channels = crowd, count, channels
        self.at = 0
        self.links = [self.new(number) for number in range(count)]
        crowd.until(lambda: all(link.is_in for link in self.links), "all members are in", 60 + count / 50)

    def new(self, number: int) -> Member:
        return Member(self.crowd, f"presence-{number % self.channels}", f"user-{number}")

    def churn(self, seconds: float, per_second: float) -> None:
        start, done = time.monotonic(), 0
        while (passed := time.monotonic() - start) < seconds:
            for _ in range(int(passed * per_second) - done):
                done += 1
                self.step()
            self.crowd.turn(0.005)

    def step(self) -> None:
        number = self.at % self.count
        # A step that is prime to the count visits everybody, neighbours far apart.
        self.at += 7
        link = self.links[number]
        if link.has_ended:
            self.links[number] = self.new(number)
        elif link.is_in:
            match self.at % 3:
                case 0:
                    link.leave()
                    link.join()
                case 1:
                    link.vanish()
                    self.links[number] = self.new(number)
                case _:
                    link.hang_up()  # until his next turn
