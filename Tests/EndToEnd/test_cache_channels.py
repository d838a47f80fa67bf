"""Cache channels replay their last event (reference §3.8, PW-085…PW-094)."""

import json
import threading
import time

import pytest

from harness import Broker, app, credentials, named_app, wait_until
from rawclient import RawClient

KINDS = ["cache-", "private-cache-", "private-encrypted-cache-"]
MISS = "pusher:cache_miss"


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), named_app("brief", limits={"cacheSeconds": 1})]}) as running:
        yield running


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_cache_channel_misses_after_the_success(client, kind):
    """PW-085"""
    assert client.subscribe(kind + "empty")["data"] == "{}"
    assert client.receive() == {"event": MISS, "channel": kind + "empty", "data": "{}"}
    client.nothing_until_marker()


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_published_before_anybody_came_is_replayed(client, broker, kind):
    """PW-086"""
    data = ' {"b":1, "a":"ü\\u0041"} '
    broker.trigger(kind + "early", "my-event", data)
    client.subscribe(kind + "early")
    assert client.receive() == {"event": "my-event", "channel": kind + "early", "data": data}
    client.nothing_until_marker()


def test_only_the_last_event_is_replayed(client, broker):
    """PW-087"""
    for number in range(5):
        broker.trigger("cache-last", f"event-{number}", str(number))
    client.subscribe("cache-last")
    assert client.expect("event-4", "cache-last")["data"] == "4"
    client.nothing_until_marker()


def test_each_channel_of_a_publish_has_its_own_cache(client, broker):
    """PW-087 PW-086"""
    broker.trigger(["cache-a", "cache-b", "plain-c"], "shared", "1")
    broker.trigger("cache-b", "own", "2")
    client.subscribe("cache-a")
    client.expect("shared", "cache-a")
    client.subscribe("cache-b")
    client.expect("own", "cache-b")
    client.subscribe("plain-c")
    client.nothing_until_marker()


def test_client_events_are_not_cached(client, broker):
    """PW-088"""
    with broker.client() as friend:
        for one in (client, friend):
            one.subscribe("private-cache-talk")
            one.expect(MISS, "private-cache-talk")
        friend.send("client-hi", {}, channel="private-cache-talk")
        client.expect("client-hi", "private-cache-talk")
    with broker.client() as late:
        late.subscribe("private-cache-talk")
        late.expect(MISS, "private-cache-talk")
    broker.trigger("private-cache-talk", "real", "{}")
    client.expect("real", "private-cache-talk")
    with broker.client() as later:
        later.subscribe("private-cache-talk")
        later.expect("real", "private-cache-talk")


def test_after_its_time_the_event_is_gone(broker):
    """PW-089: cacheSeconds is 1"""
    start = time.monotonic()
    broker.trigger("cache-brief", "soon-gone", "{}", **credentials("brief"))
    with broker.client_of("brief") as client:

        def answer():
            client.subscribe("cache-brief")
            return client.receive()["event"]

        assert answer() == "soon-gone"
        wait_until(lambda: answer() == MISS, "the cached event expires", timeout=5)
        assert time.monotonic() - start >= 0.9, "gone too early"
        broker.trigger("cache-brief", "again", "{}", **credentials("brief"))
        client.expect("again", "cache-brief")
        assert answer() == "again"


def test_each_publish_begins_the_time_anew(broker):
    """PW-089: §3.8, published every half of its life it never expires"""
    with broker.client_of("brief") as ticker, broker.client_of("brief") as client:
        ticker.subscribe("clock")
        for number in range(4):
            broker.trigger("cache-renewed", "kept", str(number), **credentials("brief"))
            with pytest.raises(TimeoutError):
                ticker.receive(timeout=0.5)
        client.subscribe("cache-renewed")
        assert client.expect("kept", "cache-renewed")["data"] == "3"


def test_an_excluded_socket_does_not_keep_an_event_out_of_the_cache(client, broker):
    """PW-090"""
    client.subscribe("cache-excluding")
    client.expect(MISS, "cache-excluding")
    broker.trigger("cache-excluding", "not-for-you", "{}", socket_id=client.socket_id)
    client.nothing_until_marker()
    with broker.client() as late:
        late.subscribe("cache-excluding")
        late.expect("not-for-you", "cache-excluding")


def test_presence_cache_gives_the_roster_then_the_event(client, broker):
    """PW-091"""
    assert client.join("presence-cache-room", "ann")["ids"] == ["ann"]
    client.expect(MISS, "presence-cache-room")
    broker.trigger("presence-cache-room", "news", "1")
    client.expect("news", "presence-cache-room")
    with broker.client() as bob:
        assert bob.join("presence-cache-room", "bob")["count"] == 2
        assert "user_id" not in bob.expect("news", "presence-cache-room")
    client.expect("pusher_internal:member_added", "presence-cache-room")


def test_the_cache_survives_an_empty_channel(client, broker):
    """PW-092"""
    with broker.client() as first:
        first.subscribe("cache-abandoned")
        first.expect(MISS, "cache-abandoned")
        broker.trigger("cache-abandoned", "kept", "{}")
        first.expect("kept", "cache-abandoned")
    wait_until(lambda: broker.api("GET", "/channels/cache-abandoned")[1].get("occupied") is False, "nobody is left")
    client.subscribe("cache-abandoned")
    client.expect("kept", "cache-abandoned")


def test_subscribing_while_publishing_loses_and_doubles_nothing(broker):
    """PW-093: each subscriber sees one cached number and then every later one, once"""
    total, done = 300, threading.Event()
    broker.trigger("cache-race", "n", "0")

    def publish():
        for number in range(1, total + 1):
            broker.trigger("cache-race", "n", str(number))
        done.set()

    publisher = threading.Thread(target=publish)
    clients = []
    publisher.start()
    try:
        while not done.is_set() and len(clients) < 150:
            client = RawClient(broker)
            clients.append(client)
            client.subscribe("cache-race")
        publisher.join()
        for client in clients:
            expected = first = int(client.expect("n", "cache-race")["data"])
            while expected < total:
                expected += 1
                assert client.expect("n", "cache-race")["data"] == str(expected), f"after a start at {first}"
            client.nothing_until_pong()
    finally:
        publisher.join()
        for client in clients:
            client.close()


def test_subscribing_again_replays_again(client, broker):
    """PW-094"""
    broker.trigger("cache-again", "news", "{}")
    for _ in range(3):
        client.subscribe("cache-again")
        client.expect("news", "cache-again")
    client.unsubscribe("cache-again")
    client.subscribe("cache-again")
    client.expect("news", "cache-again")
    client.nothing_until_marker()


def test_the_cached_name_may_be_anything(client, broker):
    """PW-086"""
    broker.trigger("cache-odd-name", "App\\Events\\\"Ü\"", json.dumps({"big": "x" * 9000}))
    client.subscribe("cache-odd-name")
    assert json.loads(client.expect("App\\Events\\\"Ü\"", "cache-odd-name")["data"]) == {"big": "x" * 9000}
