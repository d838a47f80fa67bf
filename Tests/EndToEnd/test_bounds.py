"""Much of everything from one peer, and what stays behind."""

import json
import threading

import pytest

from harness import wait_until
from http_tools import Raw, plain
from rawclient import PING, PONG, RawClient, frame, text
from signing import channel_auth

MEGABYTE = 1 << 20


def send_beside(send, data: bytes) -> threading.Thread:
    """Writes from a thread of its own, so that the test can read what comes back meanwhile."""
    writer = threading.Thread(target=send, args=(data,))
    writer.start()
    return writer


def test_thirty_thousand_pings_at_once_are_all_answered_to_a_peer_that_reads(broker):
    """PW-021 PW-107: a long queue of questions is heard in pieces, and none is lost"""
    with RawClient(broker) as client, broker.client() as bystander:
        writer = send_beside(client.send_bytes, text({"event": "pusher:ping"}) * 30_000)
        for count in range(30_000):
            client.expect("pusher:pong")
            if count % 5_000 == 0:
                bystander.nothing_until_pong()
        writer.join()
        client.nothing_until_pong()


def test_ping_frames_at_once_are_answered_in_order(broker):
    """PW-023"""
    with RawClient(broker) as client:
        pings = b"".join(frame(PING, str(number).encode() + b"." * 100) for number in range(5_000))
        writer = send_beside(client.send_bytes, pings)
        for number in range(5_000):
            got = client.read_frame()
            assert got.opcode == PONG and got.payload.split(b".")[0] == str(number).encode()
        writer.join()


def test_five_thousand_requests_at_once_are_all_answered_to_a_peer_that_reads(broker):
    """B6: their answers are ten times as large and would overflow any backlog if all were made at once"""
    with Raw(broker) as connection:
        writer = send_beside(connection.send, plain(path="/usage") * 5_000)
        for _ in range(5_000):
            assert connection.reply().status == 200
        writer.join()


@pytest.mark.memory
def test_a_thousand_large_snapshots_in_a_row_are_all_sent_to_a_peer_that_reads(broker):
    """PW-068 §3.5: each repeated subscribe to a full presence channel is an answer of kilobytes"""
    inside = [RawClient(broker) for _ in range(30)]
    try:
        for index, client in enumerate(inside):
            client.join("presence-large", f"u{index}", {"text": "x" * 1000})
        asker = inside[0]
        for _ in inside[1:]:
            asker.expect("pusher_internal:member_added", "presence-large")
        before = broker.resident_bytes()
        message = {"event": "pusher:subscribe", "data": {"channel": "presence-large"}}
        data = '{"user_id":"u0"}'
        message["data"] |= {"channel_data": data, "auth": channel_auth(asker.socket_id, "presence-large", data)}
        writer = send_beside(asker.send_bytes, text(message) * 1000)
        for _ in range(1000):
            frame_ = asker.expect("pusher_internal:subscription_succeeded", "presence-large")
        writer.join()
        assert json.loads(frame_["data"])["presence"]["count"] == 30
        assert broker.resident_bytes() - before < 32 * MEGABYTE
    finally:
        for client in inside:
            client.close()


@pytest.mark.memory
def test_one_socket_may_have_ten_thousand_channels_and_no_more(broker):
    """B6: the next one is refused, the memory stays small, and all is given back"""
    with RawClient(broker) as client:
        before, channels = broker.resident_bytes(), 10_050
        writer = send_beside(client.send_bytes, b"".join(
            text({"event": "pusher:subscribe", "data": {"channel": f"hoard-{number:05}"}}) for number in range(channels)))
        events = [client.receive() for _ in range(10_000)]
        assert {event["event"] for event in events} == {"pusher_internal:subscription_succeeded"}
        for number in range(10_000, channels):
            refused = client.receive()
            assert refused["event"] == "pusher:subscription_error" and refused["channel"] == f"hoard-{number:05}", refused
            assert client.receive()["event"] == "pusher:error"
        writer.join()
        client.unsubscribe("hoard-00000")
        client.subscribe("hoard-10000")
        assert broker.resident_bytes() - before < 32 * MEGABYTE
        client.abort()

    def gone():
        return not [name for name in broker.api("GET", "/channels")[1]["channels"] if name.startswith("hoard-")]

    wait_until(gone, "all its channels are vacated")


def test_who_leaves_two_thousand_presence_channels_is_missed_once_in_each(broker):
    """PW-075: a departure is carried out in slices, and others are served meanwhile"""
    with RawClient(broker) as watcher, RawClient(broker) as leaver, broker.client() as bystander:
        channels = [f"presence-slice-{number}" for number in range(2_000)]
        for client, user in ((watcher, "watcher"), (leaver, "leaver")):
            for channel in channels:
                client.send_subscribe(channel, user=user)
            for channel in channels:
                client.expect("pusher_internal:subscription_succeeded", channel)
        for channel in channels:
            watcher.expect("pusher_internal:member_added")
        leaver.abort()
        left = {watcher.expect("pusher_internal:member_removed")["channel"] for _ in channels}
        bystander.nothing_until_pong()
        assert left == set(channels)
        watcher.nothing_until_pong()


@pytest.mark.memory
@pytest.mark.parametrize("ending", ["abort", "close"])
def test_connections_that_come_and_go_leave_nothing_behind(broker, ending):
    """L2: two thousand cycles after two hundred to warm up; memory and descriptors as before"""

    def cycle(number):
        client = RawClient(broker)
        client.send_subscribe(f"cycle-{number}")
        client.send_subscribe(f"presence-cycle-{number % 7}", user=f"u{number}", user_info={"text": "x" * 500})
        client.send_sign_in(json.dumps({"id": f"u{number}", "watchlist": [f"u{number + 1}"]}))
        client.frames_until_pong()
        (client.abort if ending == "abort" else client.close)()

    def quiet():
        return broker.api("GET", "/connections")[1] == {"connections": 0} and broker.api("GET", "/channels")[1] == {"channels": {}}

    for number in range(200):
        cycle(number)
    wait_until(quiet, "the first ones are gone")
    memory, descriptors = broker.resident_bytes(), broker.descriptors()
    for number in range(2_000):
        cycle(number)
    wait_until(quiet, "all are gone")
    assert broker.resident_bytes() - memory < 5 * MEGABYTE
    assert broker.descriptors() <= descriptors + 4
