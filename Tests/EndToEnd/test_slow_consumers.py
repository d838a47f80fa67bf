"""Peers that do not read (reference §3.10, PW-180)."""

import json
import re
import shutil
import subprocess
import threading
import time

import pytest

from harness import Broker, app, wait_until
from rawclient import CLOSE, PING, TEXT, RawClient, frame, text
from session import DEADLINE

DATA = "x" * 10_000
BACKLOG = 64 * 1024


@pytest.fixture(scope="module")
def broker():
    with Broker({"backlogBytes": BACKLOG, "apps": [app()]}) as running:
        yield running


def read_to_the_close(client) -> tuple[list[dict], int]:
    """Every event up to the close frame, and its code; the broker may end TCP without one only by resetting (None)."""
    events = []
    while True:
        try:
            got = client.read_frame()
        except EOFError:
            return events, 0
        if got.opcode == CLOSE:
            return events, int.from_bytes(got.payload[:2], "big")
        if got.opcode == TEXT:
            events.append(got.event)


def test_a_stalled_reader_delays_nobody_and_is_closed_with_4100(broker):
    """PW-180: it gets a gapless beginning, and then the truth"""
    with RawClient(broker, receive_buffer=4096) as stalled, broker.client() as healthy:
        healthy.join("presence-busy", "healthy")
        stalled.join("presence-busy", "stalled")
        healthy.expect("pusher_internal:member_added")
        worst, gone, published = 0.0, False, 0
        while not gone:
            assert published < 3000, "30 MB later the stalled reader is still there"
            start = time.monotonic()
            broker.trigger("presence-busy", "load", f"{published:06}{DATA}")
            frames = [healthy.receive()]
            if frames[0]["event"] == "pusher_internal:member_removed":
                gone = True
                frames.append(healthy.receive())
            elapsed = time.monotonic() - start
            assert frames[-1]["event"] == "load" and int(frames[-1]["data"][:6]) == published, "in order, none lost"
            worst, published = max(worst, elapsed), published + 1
            if not gone and broker.api("GET", "/channels/presence-busy/users")[1] == {"users": [{"id": "healthy"}]}:
                gone = True
                healthy.expect("pusher_internal:member_removed")
        assert worst < 1.0, f"one delivery took {worst:.2f} s"
        events, code = read_to_the_close(stalled)
        numbers = [int(event["data"][:6]) for event in events if event["event"] == "load"]
        assert numbers == list(range(len(numbers))), "no frame may be dropped while the connection is kept"
        assert 4100 <= code <= 4199, code
        healthy.nothing_until_marker()


def test_many_stalled_readers_do_not_slow_the_others_down(broker):
    """PW-180"""
    stalled = [RawClient(broker, receive_buffer=4096) for _ in range(20)]
    healthy = [RawClient(broker) for _ in range(5)]
    received, total = [0] * len(healthy), 600
    try:
        for client in stalled + healthy:
            client.subscribe("crowd")

        def read(index):
            for number in range(total):
                assert int(healthy[index].expect("load", "crowd")["data"][:6]) == number
                received[index] += 1

        readers = [threading.Thread(target=read, args=(index,)) for index in range(len(healthy))]
        for reader in readers:
            reader.start()
        for number in range(total):
            # Or they become slow themselves, on a machine that is busy with something else: five are less than the backlog.
            wait_until(lambda: number - min(received) < 5, "the healthy ones keep up")
            broker.trigger("crowd", "load", f"{number:06}{DATA}")
        for reader in readers:
            reader.join()
        assert received == [total] * len(healthy)

        def occupied():
            return broker.api("GET", "/channels/crowd", params={"info": "subscription_count"})[1]["subscription_count"]

        wait_until(lambda: occupied() == len(healthy), "every stalled reader is gone")
    finally:
        for client in stalled + healthy:
            client.close()


def test_a_reader_that_pauses_for_less_than_the_backlog_loses_nothing(broker):
    """PW-180: being slow for a moment is no offence"""
    with RawClient(broker, receive_buffer=4096) as slow:
        slow.subscribe("pause")
        for number in range(6):
            broker.trigger("pause", "load", f"{number:06}{DATA}")
        for number in range(6):
            assert int(slow.expect("load", "pause")["data"][:6]) == number
        slow.nothing_until_pong()


@pytest.mark.memory
@pytest.mark.parametrize("kind", ["ping event", "ping frame", "nonsense", "refused subscription"])
def test_a_peer_that_asks_and_never_reads_is_closed(broker, kind):
    """PW-180: answers count like everything else"""
    message = {"ping event": text({"event": "pusher:ping"}), "ping frame": frame(PING, b"p" * 125),
        "nonsense": text("{"),
               "refused subscription": text({"event": "pusher:subscribe",
                   "data": {"channel": "private-" + "x" * 150}})}[kind]
    with RawClient(broker, receive_buffer=4096) as greedy, broker.client() as bystander:
        bystander.subscribe("calm")
        greedy.socket.settimeout(2)
        before, limit = broker.resident_bytes(), time.monotonic() + 15
        with pytest.raises((TimeoutError, ConnectionError)):  # the broker stopped reading, or is gone: both are bounds
            while time.monotonic() < limit:
                greedy.send_bytes(message * 200)
        assert broker.resident_bytes() - before < 32 << 20
        bystander.nothing_until_pong()
        broker.trigger("calm", "still", "{}")
        bystander.expect("still", "calm")


def test_half_a_message_holds_no_place_for_ever(broker):
    """PW-180: ten thousand bytes of a frame that never ends disturb nobody"""
    with RawClient(broker) as half, broker.client() as bystander:
        half.send_bytes(frame(TEXT, json.dumps({"event": "pusher:ping", "x": "y" * 60_000}))[:10_000])
        bystander.nothing_until_pong()


def kernel_memory(port: int) -> list[dict[str, int]]:
    """What the kernel holds for each of the broker's connections: `r` unread, `w` unsent or unacknowledged, and what they may be."""
    told = subprocess.run(["ss", "-tmnH", f"sport = :{port}"], capture_output=True, text=True, timeout=DEADLINE).stdout
    found = re.findall(r"skmem:\(r(\d+),rb(\d+),t\d+,tb(\d+),f\d+,w(\d+),", told)
    return [dict(zip(("r", "rb", "tb", "w"), map(int, one))) for one in found]


@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed (Debian: iproute2)")
def test_the_kernel_holds_little_for_who_neither_reads_nor_is_read():
    """S1: 57 kB for whom we write to, a quarter of a megabyte for who writes to us; 4 MB and more if it did as it likes"""
    with Broker({"backlogBytes": 1 << 27, "apps": [app(limits={"eventDataBytes": 100_000})]}) as broker:
        with RawClient(broker) as stalled, RawClient(broker) as greedy:
            stalled.subscribe("room")
            # While it is read and reads, its windows grow.
            for _ in range(100):
                broker.trigger("room", "load", DATA * 9)
                stalled.expect("load", "room")
            pings = text({"event": "pusher:ping"}) * 2_000
            for _ in range(20):
                writer = threading.Thread(target=greedy.send_bytes, args=(pings,))
                writer.start()
                for _ in range(2_000):
                    greedy.expect("pusher:pong")
                writer.join()
            for _ in range(100):
                broker.trigger("room", "load", DATA * 9)
            greedy.socket.settimeout(0.5)
            with pytest.raises(TimeoutError):
                for _ in range(1_000):
                    greedy.send_bytes(pings)
            held = kernel_memory(broker.port)
            assert len(held) >= 2 and max(one["w"] for one in held) > 10_000 and max(one["r"] for one in held) > 50_000, held
            for one in held:
                assert one["w"] < 384 << 10 and one["r"] < 384 << 10 and one["tb"] <= 256 << 10 and one["rb"] <= 256 << 10, held
