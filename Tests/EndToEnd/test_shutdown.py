"""Saying goodbye, and being found again (reference §2.6, PW-037, PW-184)."""

import time

import pytest

from harness import Broker, app
from rawclient import RawClient, text
from session import Closed, check_error

GRACE = 2


def start(**changes) -> Broker:
    return Broker({"shutdownGraceSeconds": GRACE, "apps": [app()], **changes})


def test_on_a_graceful_shutdown_every_client_is_closed_with_4200_in_time():
    """PW-037"""
    with start() as broker:
        clients = [RawClient(broker) for _ in range(60)]
        for client in clients:
            client.subscribe("room")
        begin = time.monotonic()
        broker.begin_drain()
        for client in clients:
            closed = client.expect_close(GRACE + 5)
            assert closed.code == 4200 and closed.reason, closed
            assert [check_error(frame)["code"] for frame in client.last_frames] == [4200], client.last_frames
            client.expect_end()
        assert time.monotonic() - begin < GRACE + 3
        assert broker.wait_ended() == 0


def test_an_idle_broker_ends_at_once_on_sigterm():
    """PW-037: nobody to wait for"""
    with start(shutdownGraceSeconds=30) as broker:
        broker.begin_drain()
        assert broker.wait_ended(timeout=10) == 0


def test_a_second_sigterm_ends_the_drain():
    """PW-037"""
    with start(shutdownGraceSeconds=60) as broker:
        clients = [RawClient(broker) for _ in range(20)]
        broker.begin_drain()
        begin = time.monotonic()
        assert broker.stop() == 0
        assert time.monotonic() - begin < 10
        for client in clients:
            client.close()


def test_while_draining_nobody_new_is_let_in():
    """PW-037: §2.6, 503, a refused connection, or 4200"""
    with start(shutdownGraceSeconds=5) as broker:
        clients = [RawClient(broker) for _ in range(200)]
        broker.begin_drain()
        clients[0].expect_close(8)
        try:
            with RawClient(broker, handshake=False) as late:
                assert late.read_head() == 503 or late.expect_close().code == 4200
        except (ConnectionError, EOFError):
            pass
        for client in clients:
            client.close()
        assert broker.wait_ended() == 0


def test_a_client_that_does_not_read_cannot_hold_up_the_end():
    """PW-037 PW-180"""
    with start() as broker:
        with RawClient(broker, receive_buffer=4096) as stalled:
            stalled.subscribe("busy")
            for _ in range(20):
                broker.trigger("busy", "load", "x" * 10_000)
            broker.begin_drain()
            begin = time.monotonic()
            assert broker.wait_ended(timeout=GRACE + 10) == 0
            assert time.monotonic() - begin < GRACE + 8


def test_a_reconnect_storm_of_a_thousand_clients_is_absorbed_without_an_error():
    """PW-184"""
    subscribe = text({"event": "pusher:subscribe", "data": {"channel": "home"}})
    with start() as broker:
        clients = [RawClient(broker, handshake=False, pipelined=subscribe) for _ in range(1000)]
        try:
            for client in clients:
                client.read_upgrade()
                client.greet()
                client.expect("pusher_internal:subscription_succeeded", "home")
            broker.begin_drain()
            for client in clients:
                assert client.expect_close(GRACE + 8).code == 4200
                client.close()
            assert broker.wait_ended() == 0
            broker.start()
            begin = time.monotonic()
            clients = [RawClient(broker, handshake=False, pipelined=subscribe) for _ in range(1000)]
            for client in clients:
                client.read_upgrade()
                client.greet()
                client.expect("pusher_internal:subscription_succeeded", "home")
            assert time.monotonic() - begin < 15
            broker.trigger("home", "welcome-back", "{}")
            for client in clients:
                client.expect("welcome-back", "home")
        finally:
            for client in clients:
                client.close()


def test_after_a_kill_the_same_port_serves_at_once():
    """PW-184: and clients of before are told by their TCP connection"""
    with start() as broker:
        client = RawClient(broker)
        client.subscribe("room")
        broker.kill()
        with pytest.raises(Closed):
            client.receive()
        broker.start()
        with broker.client() as again:
            again.subscribe("room")
