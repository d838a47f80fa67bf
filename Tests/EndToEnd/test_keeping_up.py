"""Who is slow and who is not (reference §3.10, PW-026, PW-180): bursts, many channels, one bound for the process."""

import time

import pytest

from harness import Broker, app, wait_until
from rawclient import CLOSE, PING, PONG, TEXT, RawClient

NUL = "\0" * 10_240  # six bytes each on the wire


@pytest.fixture(scope="module")
def plain_broker():
    with Broker() as running:
        yield running


@pytest.fixture(scope="module")
def tight_broker():
    with Broker({"backlogBytes": 65_536, "apps": [app()]}) as running:
        yield running


def batch(broker, events: list[dict]) -> None:
    status, reply = broker.api("POST", "/batch_events", {"batch": events})
    assert status == 200, reply


def expect_numbers(client, count: int, event: str = "load") -> None:
    for number in range(count):
        got = client.receive()
        assert got["event"] == event and got["data"].startswith(f"{number:04}"), (number, got["event"])


@pytest.mark.parametrize("fixture", ["plain_broker", "tight_broker"])
def test_two_of_the_largest_batches_close_nobody_who_looks_away(fixture, request):
    """PW-180: it reads nothing while eighteen events and two batches of 600 KiB come, and then everything"""
    broker = request.getfixturevalue(fixture)
    with RawClient(broker, receive_buffer=4096) as busy:
        busy.subscribe("burst")
        for number in range(18):
            broker.trigger("burst", "load", f"{number:04}" + "x" * 10_000)
        for start in (18, 28):
            batch(broker, [{"name": "load", "channel": "burst", "data": f"{start + index:04}" + NUL[4:]}
                           for index in range(10)])
        expect_numbers(busy, 38)
        busy.nothing_until_pong()


def test_one_request_to_a_hundred_channels_of_one_client_closes_it_not(plain_broker):
    """PW-180: ten events of 9 KB for each of its hundred channels, twice, are 18 MB for one connection"""
    channels = [f"many-{number}" for number in range(100)]
    with RawClient(plain_broker) as client:
        for channel in channels:
            client.subscribe(channel)
        for _ in range(2):
            batch(plain_broker, [{"name": "load", "channels": channels, "data": f"{index:04}" + "x" * 9_000}
                                 for index in range(10)])
        seen = {channel: 0 for channel in channels}
        for _ in range(2_000):
            got = client.receive()
            assert got["data"].startswith(f"{seen[got['channel']] % 10:04}"), got["channel"]
            seen[got["channel"]] += 1
        assert set(seen.values()) == {20}
        client.nothing_until_pong()


@pytest.mark.memory
def test_many_loops_share_one_bound_and_small_debts_are_spared():
    """PW-180: forty clients read nothing; the memory of their backlogs stays below the bound, and a reader loses nothing"""
    bound = 4 << 20
    with Broker({"backlogTotalBytes": bound, "loops": 4, "apps": [app()]}) as broker:
        stalled = [RawClient(broker, receive_buffer=4096) for _ in range(40)]
        with RawClient(broker) as reader:
            for client in [*stalled, reader]:
                client.subscribe("flood")
            before = broker.resident_bytes()
            for number in range(120):
                broker.trigger("flood", "load", f"{number:04}" + "x" * 10_000)
                got = reader.receive()
                assert got["event"] == "load" and int(got["data"][:4]) == number
            assert broker.resident_bytes() - before < bound + (12 << 20)
            wait_until(lambda: "kind=slow_consumer" in broker.log() and "backlogTotalBytes" in broker.log(),
                       "somebody had to go for the process's sake")
            reader.nothing_until_pong()
        for client in stalled:
            client.close()


@pytest.fixture(scope="module")
def hasty_broker():
    with Broker({"pongTimeoutSeconds": 1, "apps": [app(activityTimeoutSeconds=1)]}) as running:
        yield running


def fall_behind(broker, client, channel: str) -> int:
    """Lets 80 events of 10 KB wait for the client; gives their number."""
    client.subscribe(channel)
    for number in range(80):
        broker.trigger(channel, "load", f"{number:04}" + "x" * 10_000)
    return 80


def test_a_client_that_does_not_catch_up_but_reads_and_answers_stays(hasty_broker):
    """PW-026: our ping waits behind what it reads for three times the patience; its own ping is answered in its turn"""
    with RawClient(hasty_broker, receive_buffer=4096) as behind:
        total = fall_behind(hasty_broker, behind, "steady")
        start, number, pongs = time.monotonic(), 0, 0
        behind.send_frame(PING, b"mine")
        while number < total or not pongs:
            due = start + 6 * number / total
            if (wait := due - time.monotonic()) > 0:
                time.sleep(wait)  # its speed, not a wait for anything
            got = behind.read_frame()
            assert got.opcode != CLOSE, (number, got)
            if got.opcode == PING:
                behind.send_frame(PONG, got.payload)
            pongs += got.opcode == PONG and got.payload == b"mine"
            if got.opcode == TEXT:
                assert got.event["data"].startswith(f"{number:04}")
                number += 1
        behind.nothing_until_pong()


def test_a_client_that_is_behind_and_reads_nothing_more_is_not_alive(hasty_broker):
    """PW-026: a backlog that stays as it is proves nothing"""
    with RawClient(hasty_broker, receive_buffer=4096) as behind:
        fall_behind(hasty_broker, behind, "asleep")
        wait_until(lambda: not hasty_broker.api("GET", "/channels/asleep")[1]["occupied"], "it is closed")


@pytest.mark.parametrize("goodbye", ["close frame", "unsubscribe"])
def test_a_client_that_is_behind_is_heard_before_it_has_caught_up(plain_broker, goodbye):
    """PW-033: it leaves, and nobody has to wait until it has read everything"""
    channel = "leaving-" + goodbye[:5]
    with RawClient(plain_broker, receive_buffer=4096) as behind:
        fall_behind(plain_broker, behind, channel)
        if goodbye == "close frame":
            behind.send_frame(CLOSE, b"\x03\xe8")
        else:
            behind.send("pusher:unsubscribe", {"channel": channel})
        wait_until(lambda: not plain_broker.api("GET", f"/channels/{channel}")[1]["occupied"], "it has left")
        expect_numbers(behind, 80)
