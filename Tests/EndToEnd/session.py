"""One Pusher session as a test speaks it, over whichever transport (`harness.Client`, `rawclient.RawClient`)."""

from __future__ import annotations

import itertools
import json
import os
import time

from signing import channel_auth, user_auth

DEADLINE = float(os.environ.get("STARLING_TEST_DEADLINE", "10"))


class Closed(Exception):
    """The broker closed the socket."""

    def __init__(self, code, reason):
        super().__init__(f"closed {code} {reason!r}")
        self.code, self.reason = code, reason


def check_error(frame: dict) -> dict:
    """A `pusher:error` as PW-038 wants it; gives its data."""
    assert frame["event"] == "pusher:error" and "channel" not in frame, frame
    data = frame["data"]
    assert isinstance(data, dict) and isinstance(data["message"], str) and data["message"], frame
    assert "code" in data and (data["code"] is None or type(data["code"]) is int), frame
    return data


def check_refusal(frame: dict, channel: str | None) -> dict:
    """A `pusher:subscription_error` as section 3.4 wants it; gives its data."""
    assert frame["event"] == "pusher:subscription_error" and frame["channel"] == channel, frame
    data = frame["data"]
    assert isinstance(data, dict) and type(data["status"]) is int, frame
    assert isinstance(data["type"], str) and isinstance(data["error"], str) and data["error"], frame
    return data


class Session:
    """One Pusher session over some transport, which gives `send_raw(text)`, `receive(timeout)` and `close()`."""

    _markers = itertools.count(1)
    broker = None  # the Broker it talks to
    socket_id: str | None = None
    key, secret, app_id = "app-key", "app-secret", "1"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def send_raw(self, text) -> None:
        raise NotImplementedError

    def receive(self, timeout: float = DEADLINE) -> dict:
        raise NotImplementedError

    def greet(self) -> None:
        """Reads `pusher:connection_established` into `hello` and `socket_id`."""
        self.hello = self.receive()
        assert self.hello["event"] == "pusher:connection_established", self.hello
        self.socket_id = json.loads(self.hello["data"])["socket_id"]

    def send(self, event, data=None, **members):
        message = {"event": event, **({} if data is None else {"data": data}), **members}
        self.send_raw(json.dumps(message))

    def expect(self, event: str, channel: str | None = None, timeout: float = DEADLINE) -> dict:
        """The next frame, which must be this event (and channel)."""
        frame = self.receive(timeout)
        assert frame["event"] == event and (channel is None or frame.get("channel") == channel), frame
        return frame

    def expect_error(self, code: int | None, timeout: float = DEADLINE) -> str:
        """The next frame, which must be a well-formed `pusher:error` with this code; gives its message."""
        data = check_error(self.receive(timeout))
        assert data["code"] == code, data
        return data["message"]

    def expect_refusal(self, channel: str, status: int, kind: str | None = None) -> dict:
        """The two frames of a refused subscription in the default dialect (§3.4); gives the first one's data."""
        data = check_refusal(self.receive(), channel)
        assert data["status"] == status and (kind is None or data["type"] == kind), data
        # Pysher hangs up on any code of 4000 to 4099; hosted Pusher sends null.
        assert check_error(self.receive())["code"] == (None if status == 401 or 4000 <= status < 4100 else status), data
        return data

    def expect_close(self, timeout: float = DEADLINE) -> Closed:
        """Reads until the close frame; gives its code and reason. Frames before it are kept in `last_frames`."""
        self.last_frames = []
        limit = time.monotonic() + timeout
        while True:
            try:
                self.last_frames.append(self.receive(max(0.01, limit - time.monotonic())))
            except Closed as closed:
                return closed

    def nothing_until_pong(self) -> None:
        """Proves that nothing was queued for this client: the next frame is the answer to a ping sent now."""
        self.send("pusher:ping", {})
        self.expect("pusher:pong")

    def frames_until_pong(self) -> list[dict]:
        """Everything queued for this client before the answer to a ping sent now."""
        self.send("pusher:ping", {})
        frames = []
        while (frame := self.receive())["event"] != "pusher:pong":
            frames.append(frame)
        return frames

    def frames_until_marker(self) -> list[dict]:
        """Everything published for this client until now, as shown by an event published now on a channel of its own.

        Stronger than a pong, which may overtake a delivery that another event loop has just posted."""
        channel = f"marker-{next(self._markers)}"
        self.send("pusher:subscribe", {"channel": channel})
        frames, joined = [], False
        while not joined:
            frame = self.receive()
            joined = frame["event"] == "pusher_internal:subscription_succeeded" and frame["channel"] == channel
            frames += [] if joined else [frame]
        self.broker.trigger(channel, "marker", "{}", app_id=self.app_id, key=self.key, secret=self.secret)
        while (frame := self.receive()).get("channel") != channel:
            frames.append(frame)
        self.send("pusher:unsubscribe", {"channel": channel})
        return frames

    def nothing_until_marker(self) -> None:
        frames = self.frames_until_marker()
        assert frames == [], frames

    def subscribe(self, channel: str, channel_data=None, *, user=None, user_info=None, auth=None) -> dict:
        """Subscribes, signing when the name asks for it, and returns the subscription_succeeded frame."""
        self.send_subscribe(channel, channel_data, user=user, user_info=user_info, auth=auth)
        return self.expect("pusher_internal:subscription_succeeded", channel)

    def send_subscribe(self, channel: str, channel_data=None, *, user=None, user_info=None, auth=None) -> None:
        data: dict = {"channel": channel}
        if user is not None:
            channel_data = json.dumps({"user_id": user, **({} if user_info is None else {"user_info": user_info})})
        if channel_data is not None:
            data["channel_data"] = channel_data
        if auth is not None:
            data["auth"] = auth
        elif channel.startswith(("private-", "presence-")):
            data["auth"] = channel_auth(self.socket_id, channel, channel_data, self.key, self.secret)
        self.send("pusher:subscribe", data)

    def join(self, channel: str, user, user_info=None) -> dict:
        """Subscribes to a presence channel and gives the `presence` object of the snapshot."""
        frame = self.subscribe(channel, user=user, user_info=user_info)
        return json.loads(frame["data"])["presence"]

    def unsubscribe(self, channel: str) -> None:
        self.send("pusher:unsubscribe", {"channel": channel})

    def send_sign_in(self, user_data: str, auth: str | None = None) -> None:
        auth = user_auth(self.socket_id, user_data, self.key, self.secret) if auth is None else auth
        self.send("pusher:signin", {"auth": auth, "user_data": user_data})

    def sign_in(self, user_id, *, user_info=None, watchlist=None) -> dict:
        user = {"id": user_id}
        if user_info is not None:
            user["user_info"] = user_info
        if watchlist is not None:
            user["watchlist"] = watchlist
        self.send_sign_in(json.dumps(user))
        return self.expect("pusher:signin_success")
