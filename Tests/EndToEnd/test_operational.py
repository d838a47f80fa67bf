"""The unsigned endpoints that load balancers, orchestrators and humans ask (PW §6.10, PW-185), and the drain."""

import http.client
import json
import signal

import pytest

from harness import DEADLINE, Broker, app, wait_until
from http_tools import Raw, plain


@pytest.fixture(scope="module")
def broker():
    disabled = {"id": "3", "key": "disabled-key", "secret": "disabled-secret", "enabled": False}
    with Broker({"apps": [app(), disabled]}) as running:
        yield running


def test_pw_185_the_root_says_ok(broker):
    """PW-185: soketi's health check compares the text."""
    status, headers, body = broker.request("GET", "/")
    assert (status, body) == (200, b"OK")
    assert headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/ready", "/live", "/up", "/up/1", "/up/app-id", "/usage", "/accept-traffic"])
def test_pw_185_it_answers_without_a_signature(broker, path):
    """PW-185: GET and HEAD, and with a query that monitors like to append."""
    for method, suffix in (("GET", ""), ("HEAD", ""), ("GET", "?t=1")):
        status, headers, body = broker.request(method, path + suffix)
        assert status == 200, (method, path, body)
        assert bool(body) == (method == "GET")


def test_pw_185_up_is_reverbs_health_object(broker):
    """PW-185"""
    status, headers, body = broker.request("GET", "/up")
    assert status == 200 and json.loads(body) == {"health": "OK"}
    assert headers["Content-Type"].startswith("application/json")


def test_pw_185_up_tells_apps_apart(broker):
    """PW-185: an app that does not exist is 404, one that is switched off is not up."""
    assert broker.request("GET", "/up/1")[0] == 200
    assert broker.request("GET", "/up/nobody")[0] == 404
    assert broker.request("GET", "/up/3")[0] >= 400


def test_pw_185_usage_tells_the_memory(broker):
    """PW-185: soketi's shape."""
    memory = json.loads(broker.request("GET", "/usage")[2])["memory"]
    assert {"free", "used", "total", "percent"} <= set(memory)
    assert 0 < memory["used"] <= memory["total"] and 0 <= memory["percent"] <= 100


def test_pw_185_accept_traffic_tells_the_memory(broker):
    """PW-185: soketi's shape."""
    memory = json.loads(broker.request("GET", "/accept-traffic")[2])["memory"]
    assert {"usedSize", "totalSize", "percentUsage"} <= set(memory)
    assert 0 < memory["usedSize"] <= memory["totalSize"] and 0 <= memory["percentUsage"] <= 100


def test_pw_185_accept_traffic_fails_above_the_threshold():
    """PW-185: 5xx when, and only when, the reported percentage is above `memoryThresholdPercent`."""
    with Broker({"memoryThresholdPercent": 1, "apps": [app()]}) as running:
        status, _, body = running.request("GET", "/accept-traffic")
        used = json.loads(body).get("memory", {}).get("percentUsage")
        assert (status == 200) if used is not None and used <= 1 else 500 <= status < 600, (status, body)


def test_pw_185_a_malformed_signature_does_not_disturb_an_unsigned_endpoint(broker):
    """PW-185"""
    assert broker.request("GET", "/ready?auth_key=nobody&auth_signature=x")[0] == 200


def test_pw_185_ready_turns_5xx_while_draining_and_new_clients_are_sent_away():
    """PW-185, PW-037: TERM; a load balancer on an open connection hears 5xx while clients are still being moved, a new
    client gets 503 or no connection, and a publish is still served or refused whole."""
    with Broker({"shutdownGraceSeconds": 5, "apps": [app()]}) as running:
        clients = [running.client() for _ in range(30)]
        balancer = http.client.HTTPConnection("127.0.0.1", running.port, timeout=DEADLINE)

        def ask(path: str) -> int:
            balancer.request("GET", path)
            reply = balancer.getresponse()
            reply.read()
            return reply.status

        assert ask("/ready") == 200
        with Raw(running) as waiting:
            waiting.send(plain()).reply()
            running.process.send_signal(signal.SIGTERM)
            wait_until(lambda: 500 <= ask("/ready") < 600, "/ready failing while draining", timeout=3)
            # It fails a moment before clients are sent away.
            wait_until(lambda: "msg=draining" in running.log(), "clients are sent away")
            assert ask("/up") in (200, 503)
            upgrade = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
            assert waiting.send(plain("GET", "/app/app-key?protocol=7", *upgrade)).reply().status == 503
        try:
            with Raw(running) as late:
                assert late.send(plain()).reply().status >= 500
        except (ConnectionRefusedError, EOFError):
            pass
        balancer.close()
        for client in clients:
            assert client.expect_close(timeout=8).code == 4200
            client.close()
        assert running.process.wait(timeout=10) == 0


def test_pw_185_a_broker_without_clients_stops_at_once():
    """PW-185, PW-037: the grace period is for clients, not for waiting."""
    with Broker({"shutdownGraceSeconds": 60, "apps": [app()]}) as running:
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=5) == 0


def test_pw_185_a_second_signal_ends_the_drain():
    """PW-185"""
    with Broker({"shutdownGraceSeconds": 60, "apps": [app()]}) as running:
        clients = [running.client() for _ in range(20)]
        running.process.send_signal(signal.SIGTERM)
        wait_until(lambda: not is_ready(running), "the drain beginning", timeout=3)
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(timeout=5) in (0, 1, 130, 143)
        for client in clients:
            client.close()


def is_ready(running: Broker) -> bool:
    try:
        return running.request("GET", "/ready")[0] == 200
    except (ConnectionError, http.client.HTTPException):
        return False
