"""Lists that one turn of a loop cannot make: sent in pieces, whole all the same (reference §6.7; PW-158, PW-163)."""

import http.client
import json
import socket
import threading
import time
from email.utils import parsedate_to_datetime

import pytest

from harness import Broker, app, named_app
from http_tools import Caller, Raw, assert_success, plain
from rawclient import RawClient, text
from signing import target

# With these names a list has 1.6 MB, more than any backlog holds.
CHANNELS = [f"room-{number}-{'x' * 120}" for number in range(12_000)]
USERS = [f"user-{number}" for number in range(200)]


@pytest.fixture(scope="module")
def broker():
    limits = {"channelsPerConnection": 20_000, "presenceMembers": 10_000}
    with Broker({"loops": 1, "backlogBytes": 262_144, "apps": [app(limits=limits), named_app("empty")]}) as running:
        yield running


@pytest.fixture(scope="module")
def crowd(broker):
    """One connection in all the channels."""
    with RawClient(broker) as client:
        frames = b"".join(text({"event": "pusher:subscribe", "data": {"channel": name}}) for name in CHANNELS)
        writer = threading.Thread(target=client.send_bytes, args=(frames,))
        writer.start()
        for name in CHANNELS:
            client.expect("pusher_internal:subscription_succeeded", name)
        writer.join()
        yield client


def list_request(path="/channels", *lines: str, version="1.1", method="GET", **params) -> bytes:
    return plain(method, target(method, f"/apps/1{path}", None, params), *lines).replace(b"HTTP/1.1", f"HTTP/{version}".encode())


def names(reply: bytes) -> list[str]:
    """The names of a list, each as often as it stands there."""
    pairs = json.loads(reply, object_pairs_hook=list)
    assert [key for key, _ in pairs] == ["channels"], reply[:100]
    return [name for name, _ in pairs[0][1]]


def test_a_long_list_names_every_channel_once(crowd, caller):
    """PW-158"""
    reply = caller.get("/channels")
    assert_success(reply)
    assert reply.headers["transfer-encoding"] == "chunked" and "content-length" not in reply.headers
    assert abs(parsedate_to_datetime(reply.headers["date"]).timestamp() - time.time()) < 60, "RFC 9110 §6.6.1"
    assert sorted(names(reply.body)) == sorted(CHANNELS)
    info = assert_success(caller.get("/channels", info="subscription_count"))["channels"]
    assert info == {name: {"subscription_count": 1} for name in CHANNELS}
    chosen = assert_success(caller.get("/channels", filter_by_prefix="room-119"))["channels"]
    assert sorted(chosen) == sorted(name for name in CHANNELS if name.startswith("room-119"))


def test_short_lists_have_a_length(broker, crowd):
    small = Caller(broker, app_id="empty", key="empty-key", secret="empty-secret")
    reply = small.get("/channels")
    assert reply.json == {"channels": {}} and reply.headers["content-length"] == "15"
    small.close()


def test_a_thousand_channels_fit_into_one_turn(broker):
    with RawClient.of(broker, "empty") as client:
        wanted = {f"room-{number}": {} for number in range(1_000)}
        client.send_bytes(b"".join(text({"event": "pusher:subscribe", "data": {"channel": name}}) for name in wanted))
        for name in wanted:
            client.expect("pusher_internal:subscription_succeeded", name)
        few = Caller(broker, app_id="empty", key="empty-key", secret="empty-secret")
        reply = few.get("/channels")
        assert int(reply.headers["content-length"]) == len(reply.body) and reply.json == {"channels": wanted}
        few.close()


def test_requests_behind_a_long_list_are_answered_after_it_in_their_order(crowd, broker):
    with Raw(broker) as connection:
        connection.send(list_request() + plain() + list_request(filter_by_prefix="room-11999-") + plain("GET", "/up"))
        assert connection.head().status == 200
        pieces = connection.chunks()
        assert len(pieces) > 2 and sorted(names(b"".join(pieces))) == sorted(CHANNELS)
        assert connection.reply().body == b"OK"
        head = connection.head()
        found = connection.chunks() if "transfer-encoding" in head.headers else [
            connection.buffer[:int(head.headers["content-length"])]]
        assert names(b"".join(found)) == [CHANNELS[-1]]


def test_others_are_served_between_two_pieces(crowd, broker):
    """One loop, fifty callers of long lists at once; a client's ping does not wait for all of them."""
    callers = [Raw(broker) for _ in range(50)]
    try:
        for one in callers:
            one.send(list_request())
        with broker.client() as client:
            client.nothing_until_pong()
        unfinished = sum(not one.buffer.endswith(b"0\r\n\r\n") for one in callers)
        assert unfinished == 50, "nobody has read yet"
        for one in callers:
            assert one.head().status == 200
            assert sorted(names(b"".join(one.chunks()))) == sorted(CHANNELS)
    finally:
        for one in callers:
            one.socket.close()


def test_a_caller_that_reads_late_gets_all_of_a_list_that_no_backlog_would_hold(crowd, broker):
    """The next piece is made when the last has been taken."""
    with Raw(broker) as connection, broker.client() as bystander:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.send(list_request())
        for _ in range(50):
            bystander.nothing_until_pong()
        assert connection.head().status == 200
        assert sorted(names(b"".join(connection.chunks()))) == sorted(CHANNELS)


def test_a_caller_that_ends_its_side_gets_the_whole_list(crowd, broker):
    with Raw(broker) as connection:
        connection.send(list_request())
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.head().status == 200
        assert sorted(names(b"".join(connection.chunks()))) == sorted(CHANNELS)
        connection.expect_closed()


def test_connection_close_and_http_1_0_end_with_the_list(crowd, broker):
    with Raw(broker) as connection:
        connection.send(list_request("/channels", "Connection: close"))
        head = connection.head()
        assert head.headers["connection"] == "close" and head.headers["transfer-encoding"] == "chunked"
        assert sorted(names(b"".join(connection.chunks()))) == sorted(CHANNELS)
        connection.expect_closed()
    with Raw(broker) as connection:
        connection.send(list_request("/channels", "Connection: keep-alive", version="1.0"))
        head = connection.head()
        assert "transfer-encoding" not in head.headers and head.headers["connection"] == "close"
        assert sorted(names(connection.rest())) == sorted(CHANNELS)


def test_a_head_request_has_no_body_and_the_connection_goes_on(crowd, broker):
    with Raw(broker) as connection:
        connection.send(list_request(method="HEAD") + plain())
        assert connection.head().status == 200
        assert connection.reply().body == b"OK"


def test_callers_that_vanish_leave_nothing_behind(crowd, broker):
    before = broker.descriptors()
    for _ in range(30):
        with Raw(broker) as connection:
            connection.send(list_request())
            connection.head()
    with Raw(broker) as connection:
        connection.send(list_request())
        connection.head()
        assert sorted(names(b"".join(connection.chunks()))) == sorted(CHANNELS)
        assert broker.descriptors() <= before + 5


def test_channels_that_come_and_go_meanwhile_are_named_at_most_once(crowd, broker):
    """Those that are there all the time are named exactly once."""
    with RawClient(broker) as flapping:
        def flap():
            for number in range(600):
                name = f"flap-{number % 60}"
                event = "pusher:unsubscribe" if number // 60 % 2 else "pusher:subscribe"
                flapping.send(event, {"channel": name})

        writer = threading.Thread(target=flap)
        writer.start()
        connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=30)
        for _ in range(5):
            connection.request("GET", target("GET", "/apps/1/channels", None, {}))
            listed = names(connection.getresponse().read())
            assert len(listed) == len(set(listed))
            assert [name for name in sorted(listed) if name.startswith("room-")] == sorted(CHANNELS)
        writer.join()
        connection.close()
        flapping.frames_until_pong()


def test_the_users_of_a_large_presence_channel(broker, caller):
    """PW-163"""
    clients = [RawClient(broker) for _ in USERS]
    try:
        for client, user in zip(clients, USERS):
            client.send_subscribe("presence-large", user=user)
            client.expect("pusher_internal:subscription_succeeded", "presence-large")
        users = assert_success(caller.get("/channels/presence-large/users"))["users"]
        assert sorted(user["id"] for user in users) == sorted(USERS)
    finally:
        for client in clients:
            client.close()
