"""What one endpoint was told by webhooks, and what that proves (the requests come from EndToEnd's receiver.py)."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field

from receiver import Received

BEGINS = {"channel_occupied": True, "channel_vacated": False, "member_added": True, "member_removed": False}


def is_signed(post: Received, key: str = "app-key", secret: str = "app-secret") -> bool:
    wanted = hmac.new(secret.encode(), post.body, hashlib.sha256).hexdigest()
    return post.field("X-Pusher-Key") == key and post.field("X-Pusher-Signature") == wanted


def number_of(name: str) -> int:
    """An event's place in the one order of all events, over all runs."""
    return int(name.rpartition("-")[2], 16)


@dataclass
class Told:
    """The events of all requests that were taken (2xx), each once, in the order of their first coming."""

    posts: list[Received]
    ids: list[str] = field(default_factory=list)
    events: list[dict] = field(default_factory=list)
    # When it came, and the wall clock's milliseconds that its request says.
    times: list[float] = field(default_factory=list)
    repeated: int = 0  # events that came again, word by word
    changed: int = 0  # events whose id came before, with other words
    unsigned: int = 0  # requests
    uneven: int = 0  # requests whose ids are not as many as their events

    def __post_init__(self) -> None:
        self.posts = [post for post in self.posts if post.status and post.status // 100 == 2]
        known: dict[str, dict] = {}
        for post in self.posts:
            ids, events = post.event_ids, post.events
            self.unsigned += not is_signed(post)
            self.uneven += len(ids) != len(events)
            for name, event in zip(ids, events):
                if name in known:
                    self.repeated += known[name] == event
                    self.changed += known[name] != event
                    continue
                known[name] = event
                self.ids.append(name)
                self.events.append(event)
                self.times.append(post.at)

    @property
    def numbers(self) -> list[int]:
        return [number_of(name) for name in self.ids]

    @property
    def disorder(self) -> int:
        """Events that first came after a later one; two of one number are among them."""
        numbers = self.numbers
        return sum(later <= earlier for earlier, later in zip(numbers, numbers[1:]))

    @property
    def missing(self) -> int:
        """Numbers before the last that never came: for an endpoint that wants everything from the first on."""
        numbers = set(self.numbers)
        return max(numbers) - min(numbers) + 1 - len(numbers) if numbers else 0

    def runs(self) -> dict[str, list[dict]]:
        """The events by the process that saw them happen."""
        found: dict[str, list[dict]] = {}
        for name, event in zip(self.ids, self.events):
            found.setdefault(name.rpartition("-")[0], []).append(event)
        return found

    def channels(self, name: str) -> list[str]:
        return [event["channel"] for event in self.events if event["name"] == name]

    @property
    def broken(self) -> int:
        """Events that do not alternate: occupied and vacated of a channel, added and removed of a member; by run, because who
        was there when a broker was killed is told by nobody to have gone."""
        return sum(sum(_broken(events).values()) for events in self.runs().values())


def _broken(events: list[dict]) -> Counter:
    there, found = set(), Counter()
    for event in events:
        begins = BEGINS.get(event["name"])
        if begins is None:
            continue
        who = (event["channel"], event.get("user_id"))
        found[event["name"]] += (who in there) == begins
        (there.add if begins else there.discard)(who)
    return found


def has_come(posts: list[Received], channel: str) -> bool:
    """The last request was taken, and its last event says that the channel was vacated."""
    if not posts or posts[-1].status != 200:
        return False
    last = posts[-1].events[-1]
    return last["name"] == "channel_vacated" and last["channel"] == channel


def judge_told(row, told: Told) -> None:
    """What holds of every endpoint, whatever happened meanwhile."""
    row.exactly("out of order", told.disorder)
    row.exactly("changed when they came again", told.changed)
    row.exactly("requests with a wrong signature", told.unsigned)
    row.exactly("requests with too few or too many ids", told.uneven)
