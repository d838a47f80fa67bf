"""What tests of webhooks have in common: endpoints in a configuration, `starling webhooks`, the official library."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time

import pusher

from harness import BINARY, DEADLINE, Broker, daemon_environment, wait_until
from receiver import Received, Receiver


def endpoint(hooks: Receiver, path: str, **changes) -> dict:
    """An endpoint of an app, on this machine."""
    return {"url": hooks.url(path), "allowPrivate": True, **changes}


def broker_with(state: pathlib.Path | None, *apps: dict, env: dict | None = None, **changes) -> Broker:
    """A broker of these apps with a state directory, unless that is None."""
    config = {"apps": list(apps), **({} if state is None else {"stateDirectory": str(state)}), **changes}
    return Broker(config, env=env)


class Command:
    """`starling webhooks …` against the broker of a state directory."""

    def __init__(self, state: pathlib.Path):
        self.state = state

    def run(self, *arguments: str, environment: dict | None = None, **options) -> subprocess.CompletedProcess:
        return subprocess.run([BINARY, "webhooks", *arguments, "--state-directory", str(self.state)], text=True,
                              capture_output=True, timeout=DEADLINE * 3, env=environment or daemon_environment(), **options)

    def text(self, *arguments: str, exit: int = 0) -> str:
        done = self.run(*arguments)
        assert done.returncode == exit, done
        return done.stdout

    def json(self, *arguments: str, exit: int = 0) -> list[dict]:
        """The objects of `--json`, one from each line."""
        return [json.loads(line) for line in self.text(*arguments, "--json", exit=exit).splitlines()]

    def endpoint(self, url: str) -> dict:
        """The one with this URL in the list."""
        found = [one for one in self.json("list") if one["url"] == url]
        assert len(found) == 1, (url, found)
        return found[0]

    def wait_endpoint(self, url: str, condition, what: str) -> dict:
        return wait_until(lambda: (one := self.endpoint(url)) and condition(one) and one, what, timeout=DEADLINE * 2)


def told(hooks: Receiver, channel: str, path: str | None = None) -> list[dict]:
    """The events of a channel so far, in their order."""
    all = hooks.received if path is None else hooks.at(path)
    return [event for one in list(all) for event in one.events if event.get("channel") == channel]


def wait_told(hooks: Receiver, channel: str, count: int, path: str | None = None, timeout: float = DEADLINE * 2) -> list[dict]:
    """They, when there are so many at least."""
    def events(all: list[Received]):
        found = [event for one in all for event in one.events if event.get("channel") == channel]
        return len(found) >= count and found
    return hooks.wait_until(events, f"{count} events of {channel}", path, timeout)


def check_officially(request: Received, key: str = "app-key", secret: str = "app-secret") -> dict:
    """As the official Python library takes it; gives what it read."""
    library = pusher.Pusher(app_id="1", key=key, secret=secret)
    read = library.validate_webhook(
        key=request.field("X-Pusher-Key"), signature=request.field("X-Pusher-Signature"), body=request.body.decode())
    assert read is not None and read == request.json, request
    # The secret of somebody else does not do.
    other = pusher.Pusher(app_id="1", key=key, secret=secret + "x")
    assert other.validate_webhook(key=key, signature=request.field("X-Pusher-Signature"), body=request.body.decode()) is None
    return read


def now_ms() -> int:
    return time.time_ns() // 1_000_000
