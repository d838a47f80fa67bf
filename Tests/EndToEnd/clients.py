"""The real client and server libraries behind one small face, so that a test reads as a story and not as plumbing.

Nothing of a library is replaced: what goes over the wire, how it signs, when it pings and how it reconnects is its own code.
Each client gives what it received to an `Inbox`, and a test waits for the thing itself, with a deadline.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import threading
import time
from dataclasses import dataclass

import aiohttp
import asyncpusher
import pusher
import pysher
import sockudo_http_python
import sockudo_python

from auth_endpoint import AuthEndpoint, bearer, sign_channel
from harness import DEADLINE, Broker

SUCCEEDED = "pusher_internal:subscription_succeeded"
MASTER_KEY = base64.b64encode(b"0123456789abcdef" * 2).decode()

logging.getLogger("pysher").setLevel(logging.CRITICAL)
logging.getLogger("asyncpusher").setLevel(logging.INFO)


@dataclass(frozen=True)
class Received:
    """One event as the library handed it to its user."""

    event: str
    channel: str | None
    data: object
    at: float  # time.monotonic()


class Inbox:
    """What one client received, in order of arrival. Filled by the library's thread, read by the test's."""

    def __init__(self, name: str):
        self.name = name
        self._items: list[Received] = []
        self._arrival = threading.Condition()

    def put(self, event: str, channel: str | None, data: object) -> None:
        with self._arrival:
            self._items.append(Received(event, channel, data, time.monotonic()))
            self._arrival.notify_all()

    def all(self, event: str | None = None, channel: str | None = None) -> list[Received]:
        """Everything so far, without the protocol's own events unless one is named."""
        with self._arrival:
            return [item for item in self._items
                    if (item.event == event if event else not item.event.startswith("pusher"))
                    and (channel is None or item.channel == channel)]

    def data(self, event: str | None = None, channel: str | None = None) -> list[object]:
        return [item.data for item in self.all(event, channel)]

    def wait(self, event: str, channel: str | None = None, *, count: int = 1, where=None, timeout=None) -> Received:
        """Waits until `count` such events are there and gives the last of them."""
        timeout = DEADLINE if timeout is None else timeout

        def found() -> list[Received]:
            return [item for item in self._items if item.event == event and (channel is None or item.channel == channel)
                    and (where is None or where(item.data))]

        with self._arrival:
            if not self._arrival.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError(f"{self.name}: {event} on {channel} came {len(found())} of {count} times in "
                                     f"{timeout} s; got {[(i.event, i.channel) for i in self._items[-20:]]}")
            return found()[count - 1]


def parsed(data: object) -> object:
    """`data` as a library gives it: a string where the library leaves parsing to its user."""
    return json.loads(data) if isinstance(data, str) and data else data


# Publishers


def publisher(broker: Broker, *, key="app-key", secret="app-secret", app_id="1", **options) -> pusher.Pusher:
    """The official Python server library."""
    return pusher.Pusher(app_id=app_id, key=key, secret=secret, host="127.0.0.1", port=broker.port, ssl=False,
                         timeout=DEADLINE, encryption_master_key_base64=MASTER_KEY, **options)


def second_publisher(broker: Broker, *, key="app-key", secret="app-secret", app_id="app-id") -> sockudo_http_python.Sockudo:
    """An independent server library, which takes an app id that is not a number."""
    options = sockudo_http_python.SockudoOptions(host="127.0.0.1", port=broker.port, timeout=DEADLINE, max_retries=1)
    return sockudo_http_python.Sockudo(app_id, key, secret, MASTER_KEY, options=options)


# Clients


class LibraryClient:
    """Connected for as long as a `with` lasts."""

    def __enter__(self):
        return self.connect()

    def __exit__(self, *_):
        self.close()


class PysherClient(LibraryClient):
    """Pysher: a thread per client, protocol 6, pings by `pusher:ping` events. The mobile-style client of the stories."""

    def __init__(self, broker: Broker, *, who="", endpoint: AuthEndpoint | None = None, key="app-key", secret="",
                 user: dict | None = None, **options):
        self.inbox = Inbox(f"Pysher {who}")
        self.library = pysher.Pusher(
            key, secure=False, custom_host="127.0.0.1", port=broker.port, secret=secret, user_data=user,
            auth_endpoint=endpoint.url if endpoint else None, auth_endpoint_headers=bearer(who),
            log_level=logging.CRITICAL, **options)
        connection = self.library.connection
        for event in ("pusher:connection_established", "pusher:error", "pusher:pong"):
            connection.bind(event, lambda data, event=event: self.inbox.put(event, None, parsed(data)))
        # The library sends its subscribe before it knows the channel and before anyone can bind to it, so it would drop a quick
        # answer. What comes in meanwhile waits at its door; the protocol's own events are noted there too.
        self._subscribing = threading.Lock()
        self._inner = connection.event_handler
        connection.event_handler = self._enter

    def _enter(self, event: str, data, channel: str) -> None:
        with self._subscribing:
            if event.startswith("pusher"):
                self.inbox.put(event, channel, parsed(data))
            self._inner(event, data, channel)

    def connect(self) -> "PysherClient":
        self.library.connect()
        self.inbox.wait("pusher:connection_established")
        return self

    def close(self) -> None:
        self.library.disconnect(timeout=0)  # its thread, a daemon, may sit in a select that closing does not end

    @property
    def socket_id(self) -> str:
        return self.library.connection.socket_id

    def subscribe(self, name: str, *events: str) -> Received:
        with self._subscribing:
            channel = self.library.subscribe(name)
            for event in events:
                if not event.startswith("pusher"):
                    channel.bind(event, lambda data, event=event: self.inbox.put(event, name, parsed(data)))
        return self.inbox.wait(SUCCEEDED, name)

    def trigger(self, name: str, event: str, data) -> None:
        self.library.channel(name).trigger(event, data)


class LoopThread:
    """One asyncio loop in a thread of its own, for the libraries that want one."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(DEADLINE * 3)

    def close(self) -> None:
        self.run(self._drain())
        self.loop.call_soon_threadsafe(self.loop.stop)

    async def _drain(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class AsyncioClient(LibraryClient):
    """One whose `library` runs on a loop in the thread `thread`."""

    def close(self) -> None:
        self.thread.run(self.library.disconnect())
        self.thread.close()


class AsyncPusherClient(AsyncioClient):
    """asyncpusher: protocol 7 on aiohttp, reconnects and resubscribes by itself. The web client of the stories."""

    def __init__(self, broker: Broker, *, who="", endpoint: AuthEndpoint | None = None, key="app-key",
                 signer: pusher.Pusher | None = None, user: dict | None = None, log: logging.Logger | None = None,
                 tls: ssl.SSLContext | None = None):
        self.inbox, self.tls = Inbox(f"asyncpusher {who}"), tls
        self.who, self.endpoint, self.signer, self.user = who, endpoint, signer, user
        self.thread = LoopThread()
        self.library = self.thread.run(self._make(broker, key, log))

    async def _make(self, broker: Broker, key: str, log) -> asyncpusher.Pusher:
        options = {} if self.tls is None else {"ssl": self.tls}
        library = asyncpusher.Pusher(
            key, secure=self.tls is not None, custom_host="127.0.0.1", custom_port=broker.port, auto_sub=True,
            channel_authenticator=self._authenticate, log=log, **options)
        for event in ("pusher:connection_established", "pusher:error"):
            library.connection.bind(event, self._noting(event, None))
        return library

    def _noting(self, event: str, channel: str | None):
        async def note(data) -> None:
            self.inbox.put(event, channel, data)
        return note

    async def _authenticate(self, form: dict) -> dict:
        if self.signer is not None:
            return sign_channel(self.signer, form["channel_name"], form["socket_id"], self.user)
        async with aiohttp.ClientSession() as session:
            async with session.post(self.endpoint.url, data=form, headers=bearer(self.who)) as reply:
                if reply.status != 200:
                    raise PermissionError(f"{form['channel_name']}: {reply.status}")
                return await reply.json()

    def connect(self) -> "AsyncPusherClient":
        # `connect()` of the library polls once a second; the event says the same at once.
        asyncio.run_coroutine_threadsafe(self.library.connect(), self.thread.loop)
        self.inbox.wait("pusher:connection_established")
        return self

    @property
    def socket_id(self) -> str:
        return self.library.connection.socket_id

    def subscribe(self, name: str, *events: str) -> Received:
        async def begin() -> None:
            channel = await self.library.subscribe(name)
            for event in (SUCCEEDED, *events):
                channel.bind(event, self._noting(event, name))
        self.thread.run(begin())
        return self.inbox.wait(SUCCEEDED, name)

    def unsubscribe(self, name: str) -> None:
        self.thread.run(self.library.unsubscribe(name))

    def trigger(self, name: str, event: str, data) -> None:
        self.thread.run(self.library.channels[name].trigger({"event": event, "data": data}))


class SockudoClient(AsyncioClient):
    """sockudo-python in its Pusher mode (`protocol_version=1`): presence, decryption, sign-in, watchlist."""

    def __init__(self, broker: Broker, *, who="", endpoint: AuthEndpoint | None = None, key="app-key",
                 signer: pusher.Pusher | None = None, member: dict | None = None, user: dict | None = None):
        self.inbox = Inbox(f"sockudo-python {who}")
        self.signer, self.member, self.user = signer, member, user
        self.thread = LoopThread()
        self.library = self.thread.run(self._make(broker, key, who, endpoint))

    async def _make(self, broker: Broker, key: str, who: str, endpoint) -> sockudo_python.SockudoClient:
        channel_auth = sockudo_python.ChannelAuthorizationOptions(
            endpoint=endpoint.url if endpoint else "", headers=bearer(who),
            custom_handler=None if endpoint else self._authorize)
        user_auth = sockudo_python.UserAuthenticationOptions(
            endpoint=endpoint.user_url if endpoint else "", headers=bearer(who),
            custom_handler=None if endpoint else self._authenticate)
        library = sockudo_python.SockudoClient(key, sockudo_python.SockudoOptions(
            cluster="local", protocol_version=1, force_tls=False, ws_host="127.0.0.1", ws_port=broker.port,
            enabled_transports=[sockudo_python.SockudoTransport.WS], channel_authorization=channel_auth,
            user_authentication=user_auth))
        library.bind("connected", lambda data, _: self.inbox.put("pusher:connection_established", None, data))
        library.bind("error", lambda data, _: self.inbox.put("pusher:error", None, data))
        for status in ("online", "offline"):
            library.watchlist.bind(status, lambda data, _, status=status: self.inbox.put(status, None, data["user_ids"]))
        return library

    async def _authorize(self, request) -> sockudo_python.ChannelAuthorizationData:
        member = self.member if request.channel_name.startswith("presence-") else None
        return sockudo_python.ChannelAuthorizationData(
            **sign_channel(self.signer, request.channel_name, request.socket_id, member))

    async def _authenticate(self, request) -> sockudo_python.UserAuthenticationData:
        return sockudo_python.UserAuthenticationData(**self.signer.authenticate_user(request.socket_id, self.user))

    def connect(self) -> "SockudoClient":
        self.thread.run(self.library.connect())
        self.inbox.wait("pusher:connection_established")
        return self

    @property
    def socket_id(self) -> str:
        return self.library.socket_id

    def begin_subscribe(self, name: str, *events: str) -> None:
        """Subscribes and returns before the answer, for a subscription that will be refused."""
        async def begin() -> None:
            channel = self.library.subscribe(name)
            protocol = ("subscription_succeeded", "subscription_error", "member_added", "member_removed", "cache_miss")
            for event in (*(f"pusher:{one}" for one in protocol), *events):
                channel.bind(event, lambda data, _, event=event: self.inbox.put(event, name, data))
        self.thread.run(begin())

    def subscribe(self, name: str, *events: str) -> Received:
        self.begin_subscribe(name, *events)
        return self.inbox.wait("pusher:subscription_succeeded", name)

    def sign_in(self, *events: str) -> Received:
        """Signs in, and waits until the library has understood the answer; `events` sent to the user go to the inbox."""
        async def begin() -> None:
            for event in events:
                self.library.bind(event, lambda data, _, event=event: self.inbox.put(event, None, data))
            inner = self.library.user.handle_sign_in_success

            async def note(data) -> None:  # the library tells nobody that it signed in
                await inner(data)
                self.inbox.put("pusher:signin_success", None, data)
            self.library.user.handle_sign_in_success = note
            await self.library.signin()
        self.thread.run(begin())
        return self.inbox.wait("pusher:signin_success")

    def trigger(self, name: str, event: str, data) -> None:
        self.thread.run(self.library.channel(name).trigger(event, data))
