"""Each client and server library, unchanged, against the broker: connect, subscribe to every kind of channel, receive, send.

PW-179 for the clients that Debian and PyPI offer. What a library cannot do (Pysher and asyncpusher neither decrypt nor sign in)
is not asked of it; `harness.Client`, on the `websockets` library, does all of it by hand.
"""

import base64
import json

import pytest
from nacl.secret import SecretBox

from auth_endpoint import AuthEndpoint, sign_channel
from clients import AsyncPusherClient, Inbox, PysherClient, SockudoClient, publisher, second_publisher
from harness import user_auth

LIBRARIES = ["Pysher", "asyncpusher", "sockudo-python", "websockets"]


class WebsocketsClient:
    """`harness.Client` with the face of the other clients."""

    def __init__(self, broker, user: dict | None = None):
        self.user, self.inbox, self.wire, self.broker = user, Inbox("websockets"), None, broker

    def __enter__(self):
        self.wire = self.broker.client()
        return self

    def __exit__(self, *_):
        self.wire.close()

    @property
    def socket_id(self) -> str:
        return self.wire.socket_id

    def subscribe(self, name: str, *events: str):
        self.wire.send_subscribe(name, channel_data=json.dumps(self.user) if name.startswith("presence-") else None)
        self.wire.expect("pusher_internal:subscription_succeeded", name)

    def trigger(self, name: str, event: str, data) -> None:
        self.wire.send(event, data, channel=name)

    def wait(self, event: str, channel: str):
        frame = self.wire.expect(event, channel)
        return frame["data"] if event.startswith("pusher_internal") else json.loads(frame["data"])


def make(library: str, broker, user: str = "ann"):
    """A client of that library, for a presence member and user of that name."""
    member = {"user_id": user, "user_info": {"name": user.title()}}
    signer = publisher(broker)
    if library == "Pysher":
        return PysherClient(broker, who=user, secret="app-secret", user=member)
    if library == "asyncpusher":
        return AsyncPusherClient(broker, who=user, signer=signer, user=member if user else None)
    if library == "sockudo-python":
        return SockudoClient(broker, who=user, signer=signer, member=member, user={"id": user})
    return WebsocketsClient(broker, user=member)


def received(client, event: str, channel: str):
    return client.wait(event, channel) if isinstance(client, WebsocketsClient) else client.inbox.wait(event, channel).data


def subscribe(client, channel: str, *events: str) -> None:
    """Subscribes; asyncpusher would sign the member into every private channel too, so it is told when not to."""
    if isinstance(client, AsyncPusherClient):
        member, client.user = client.user, client.user if channel.startswith("presence-") else None
        client.subscribe(channel, *events)
        client.user = member
    else:
        client.subscribe(channel, *events)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["", "private-", "presence-", "cache-", "private-cache-", "presence-cache-"])
def test_subscribes_to_every_kind_of_channel_and_receives_what_the_python_library_publishes(broker, library, kind):
    channel = f"{kind}{library}-kinds"
    payload = {"text": "naïve ☂ 𝄞", "nested": {"list": [1, 2.5, None, True]}, "quote": 'a "b" \\ c'}
    with make(library, broker) as client:
        subscribe(client, channel, "news")
        if "cache-" in kind and library in ("websockets", "sockudo-python"):
            miss = client.wire.expect("pusher:cache_miss") if library == "websockets" else client.inbox.wait("pusher:cache_miss")
            assert miss
        publisher(broker).trigger(channel, "news", payload)
        assert received(client, "news", channel) == payload


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["cache-", "private-cache-", "presence-cache-"])
def test_a_cache_channel_gives_the_last_event_to_a_client_that_comes_later(broker, library, kind):
    channel = f"{kind}{library}-later"
    publisher(broker).trigger_batch([{"channel": channel, "name": "news", "data": {"n": n}} for n in range(3)])
    with make(library, broker) as client:
        subscribe(client, channel, "news")
        assert received(client, "news", channel) == {"n": 2}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ["private-", "presence-"])
def test_client_events_travel_from_each_library_to_the_others_and_not_back(broker, library, kind):
    channel = f"{kind}{library}-whispers"
    with make(library, broker, "ann") as ann, make("websockets", broker, "bob") as bob:
        subscribe(ann, channel, "client-typing", "last")
        subscribe(bob, channel)
        if kind == "presence-" and library == "websockets":
            ann.wire.expect("pusher_internal:member_added", channel)
        ann.trigger(channel, "client-typing", {"by": "ann"})
        frame = bob.wire.expect("client-typing", channel)
        assert json.loads(frame["data"]) == {"by": "ann"} and frame.get("user_id") == ("ann" if kind == "presence-" else None)
        bob.trigger(channel, "client-typing", {"by": "bob"})
        assert received(ann, "client-typing", channel) == {"by": "bob"}
        publisher(broker).trigger(channel, "last", {})
        received(ann, "last", channel)
        if library != "websockets":
            assert ann.inbox.data("client-typing") == [{"by": "bob"}]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_sees_who_is_in_a_presence_channel_and_who_comes_and_goes(broker, library):
    channel = f"presence-{library}-roster"
    with make(library, broker, "ann") as ann:
        added, removed = (("pusher:member_added", "pusher:member_removed") if library == "sockudo-python" else
                          ("pusher_internal:member_added", "pusher_internal:member_removed"))
        subscribe(ann, channel, added, removed)
        with make("websockets", broker, "bob") as bob:
            subscribe(bob, channel)
            joined = received(ann, added, channel)
            who = broker.api("GET", f"/channels/{channel}/users")[1]["users"]
            assert sorted(user["id"] for user in who) == ["ann", "bob"]
        left = received(ann, removed, channel)
        if library == "sockudo-python":
            assert (joined.id, joined.info, left.id) == ("bob", {"name": "Bob"}, "bob")
            assert ann.library.channel(channel).members.count == 1
        else:
            joined, left = (json.loads(data) if isinstance(data, str) else data for data in (joined, left))
            assert joined == {"user_id": "bob", "user_info": {"name": "Bob"}} and left == {"user_id": "bob"}


@pytest.mark.parametrize("library", LIBRARIES)
def test_asking_for_a_channel_with_a_wrong_secret_is_answered_and_the_connection_survives(broker, library):
    channel = f"private-{library}-wrong"
    with make(library, broker) as client:
        if library == "Pysher":
            client.library.secret = "wrong"
            client.library.subscribe(channel)
            client.library.secret = "app-secret"
        elif library == "websockets":
            client.wire.send("pusher:subscribe", {"channel": channel, "auth": "app-key:" + "0" * 64})
        else:
            right, client.signer = client.signer, publisher(broker, secret="wrong")
            if library == "asyncpusher":
                client.user = None
                client.thread.run(client.library.subscribe(channel))
            else:
                client.begin_subscribe(channel)
            client.signer = right
        if library == "websockets":
            assert client.wire.expect("pusher:subscription_error", channel)["data"]["status"] == 401
            assert client.wire.expect("pusher:error")["data"]["code"] is None
        else:
            # Pysher would drop the connection on any code of 4000…4099.
            assert client.inbox.wait("pusher:error").data["code"] is None
        subscribe(client, f"private-{library}-right", "news")


# Encrypted channels


def test_sockudo_python_decrypts_what_the_python_library_encrypted(broker):
    channel = "private-encrypted-secrets"
    with make("sockudo-python", broker) as client, make("websockets", broker) as eavesdropper:
        client.subscribe(channel, "news")
        eavesdropper.subscribe(channel)
        publisher(broker).trigger(channel, "news", {"pin": "4711 ☂"})
        assert client.inbox.wait("news", channel).data == {"pin": "4711 ☂"}
        seen = eavesdropper.wait("news", channel)
        assert sorted(seen) == ["ciphertext", "nonce"] and "4711" not in json.dumps(seen)


def test_sockudo_python_decrypts_what_the_other_server_library_encrypted_and_a_cached_one_too(broker):
    channel = "private-encrypted-cache-secrets"
    with second_publisher(broker) as service:
        assert service.trigger(channel, "news", {"pin": 1}).ok
    with make("sockudo-python", broker) as client:
        client.subscribe(channel, "news")
        assert client.inbox.wait("news", channel).data == {"pin": 1}


@pytest.mark.parametrize("library", ["Pysher", "asyncpusher"])
def test_a_library_without_decryption_still_gets_the_box_unchanged(broker, library):
    channel = f"private-encrypted-{library}"
    with make(library, broker) as client:
        subscribe(client, channel, "news")
        publisher(broker).trigger(channel, "news", {"pin": 4711})
        box = received(client, "news", channel)
    secret = sign_channel(publisher(broker), channel, "1.1", None)["shared_secret"]
    opened = SecretBox(base64.b64decode(secret)).decrypt(base64.b64decode(box["ciphertext"]), base64.b64decode(box["nonce"]))
    assert json.loads(opened) == {"pin": 4711}


# Users


def test_signing_in_reaches_a_user_on_all_connections_and_watchers_see_the_user_come_and_go(broker):
    service = publisher(broker)
    with SockudoClient(broker, who="watcher", signer=service, user={"id": "watcher", "watchlist": ["dora"]}) as watcher:
        watcher.sign_in()
        assert watcher.inbox.wait("offline").data == ["dora"]
        with SockudoClient(broker, who="dora 1", signer=service, user={"id": "dora"}) as first, \
                make("websockets", broker, "dora") as second:
            first.sign_in("letter")
            second.wire.sign_in("dora")
            assert watcher.inbox.wait("online").data == ["dora"]
            service.send_to_user("dora", "letter", {"n": 1})
            assert first.inbox.wait("letter").data == {"n": 1}
            assert second.wait("letter", "#server-to-user-dora") == {"n": 1}
            with second_publisher(broker) as other_service:
                assert other_service.send_to_user("dora", "letter", {"n": 2}).ok
            assert first.inbox.wait("letter", count=2).data == {"n": 2}
        assert watcher.inbox.wait("offline", count=2).data == ["dora"]


@pytest.mark.parametrize("library", ["pusher", "sockudo-http-python"])
def test_terminating_a_users_connections_works_from_both_server_libraries(broker, library):
    user = f"leaver-{library}"
    with make("websockets", broker) as client:
        client.wire.sign_in(user)
        if library == "pusher":  # posts to /users/… without /apps/…
            assert publisher(broker).terminate_user_connections(user) == {}
        else:
            with second_publisher(broker) as service:
                assert service.terminate_user_connections(user).ok
        assert client.wire.expect_close().code == 4009


def test_signing_in_with_a_wrong_signature_is_refused_and_the_connection_goes_on(broker):
    with make("websockets", broker) as client:
        text = json.dumps({"id": "mallory"})
        client.wire.send("pusher:signin", {"auth": user_auth(client.socket_id, text, secret="guess"), "user_data": text})
        assert client.wire.expect("pusher:error")["data"]["code"] == 4009
        client.wire.sign_in("honest")


# An auth endpoint, as each library calls it


def test_three_libraries_use_one_auth_endpoint(broker):
    with AuthEndpoint(publisher(broker), lambda who, channel: {} if who == "ann" else None,
                      lambda who: {"id": who} if who == "ann" else None) as endpoint:
        clients = [PysherClient(broker, who="ann", endpoint=endpoint), AsyncPusherClient(broker, who="ann", endpoint=endpoint),
                   SockudoClient(broker, who="ann", endpoint=endpoint)]
        for client in clients:
            with client:
                client.subscribe("private-by-endpoint", "news")
                publisher(broker).trigger("private-by-endpoint", "news", {"for": "ann"})
                assert client.inbox.wait("news").data == {"for": "ann"}
        with SockudoClient(broker, who="ann", endpoint=endpoint) as client:
            client.sign_in("letter")
            publisher(broker).send_to_user("ann", "letter", {"n": 1})
            assert client.inbox.wait("letter").data == {"n": 1}
    assert not endpoint.refused


# State, as each server library asks for it


def test_both_server_libraries_read_the_same_state(broker):
    with make("websockets", broker, "ann") as ann, make("websockets", broker, "bob") as bob, second_publisher(broker) as second:
        for client in (ann, bob):
            client.subscribe("presence-state-room")
        first = publisher(broker)
        rooms = first.channels_info("presence-state-", ["user_count"])["channels"]
        assert rooms == {"presence-state-room": {"user_count": 2}}
        assert second.get("/channels", {"filter_by_prefix": "presence-state-", "info": "user_count"}).json()["channels"] == rooms
        info = first.channel_info("presence-state-room", ["user_count", "subscription_count"])
        assert info == {"occupied": True, "user_count": 2, "subscription_count": 2}
        assert second.get("/channels/presence-state-room", {"info": "user_count,subscription_count"}).json() == info
        assert first.channel_info("presence-state-nobody") == {"occupied": False}
        users = sorted(user["id"] for user in first.users_info("presence-state-room")["users"])
        assert users == sorted(user["id"] for user in second.get_channel_users("presence-state-room").json()["users"])
        assert users == ["ann", "bob"]


def test_a_sender_named_by_socket_id_does_not_hear_itself(broker):
    with make("Pysher", broker) as sender, make("asyncpusher", broker, "") as other:
        for client in (sender, other):
            client.subscribe("echo-room", "said", "last")
        publisher(broker).trigger("echo-room", "said", {"n": 1}, sender.socket_id)
        publisher(broker).trigger("echo-room", "last", {})
        for client in (sender, other):
            client.inbox.wait("last")
        assert (sender.inbox.data("said"), other.inbox.data("said")) == ([], [{"n": 1}])
