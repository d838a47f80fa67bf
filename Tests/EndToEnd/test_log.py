"""The log: what an operator finds in it about every refusal, and how little of it a flood can make (README: The log)."""

import collections
import contextlib
import datetime
import json
import pathlib
import re
import signal

import pytest

from harness import Broker, app, named_app, wait_until
from http_tools import Raw
from logfmt import lines
from rawclient import RawClient, frame

LIMIT = 10  # refusalLinesPerSecond by default
PROXY = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
SETTINGS = {"backlogBytes": 4096, "apps": [
    app(limits={"readRequestsPerSecond": 1}),
    named_app("off", enabled=False), named_app("quiet", clientEvents=False),
    named_app("timed", authorizedConnections=True, authorizationTimeoutSeconds=1)]}


def local(client) -> str:
    host, port = client.socket.getsockname()[:2]
    return f"{host}:{port}"


def refusals(broker: Broker) -> list[dict]:
    return [line for line in lines(broker.log()) if line["msg"] == "refused"]


def the_refusal(broker: Broker, **wanted) -> dict:
    """The one refusal with these members, once it is there."""
    def matching():
        return [line for line in refusals(broker) if all(line.get(name) == value for name, value in wanted.items())]
    wait_until(matching, f"a refusal with {wanted}; so far {broker.log()[-2000:]}")
    [found] = matching()
    assert found["level"] == "info" and found["reason"], found
    return found


@pytest.fixture(scope="module", params=[False, True], ids=["development", "production"])
def broker(request):
    settings = json.loads(json.dumps(SETTINGS))
    for one in settings["apps"]:
        one.update(key=one["key"].replace("app-key", "own-key"), secret=one["secret"].replace("app-secret", "own-secret"))
    with Broker({**settings, "production": request.param}) as running:
        yield running


def own(**options) -> dict:
    return {"key": "own-key", "secret": "own-secret", **options}


def refuse_http(broker):
    broker.request("GET", "/nowhere?auth_signature=x")
    return {"kind": "http", "code": "404", "method": "GET", "path": "/nowhere"}


def refuse_malformed(broker):
    with Raw(broker) as connection:
        connection.send(b"BAD\r\n\r\n").rest()
    return {"kind": "http", "code": "400"}


def refuse_auth(broker):
    assert broker.api("GET", "/channels", **own(secret="wrong"))[0] == 401
    return {"kind": "auth", "code": "401", "app": "app-id", "path": "/apps/1/channels"}


def refuse_handshake(broker):
    with RawClient(broker, key="nobody", handshake=False) as client:
        client.read_upgrade()
        assert client.expect_close().code == 4001
        return {"kind": "handshake", "code": "4001", "peer": local(client), "path": "/app/nobody"}


def refuse_disabled(broker):
    with RawClient.of(broker, "off", handshake=False) as client:
        client.read_upgrade()
        assert client.expect_close().code == 4003
        return {"kind": "handshake", "code": "4003", "app": "off", "peer": local(client)}


def refuse_plain_get(broker):
    assert broker.request("GET", "/app/own-key")[0] == 426
    return {"kind": "handshake", "code": "426", "path": "/app/own-key"}


def connected(kind):
    """A refusal that a connected client gets for what `kind` makes it say."""
    def refuse(broker):
        with RawClient(broker, **own()) as client:
            more = kind(client)
            return {"app": "app-id", "socket_id": client.socket_id, "peer": local(client), **more}
    refuse.__name__ = kind.__name__
    return refuse


@connected
def refuse_subscription(client):
    client.send_subscribe("private-x", auth="own-key:" + "0" * 64)
    client.expect_refusal("private-x", 401)
    return {"kind": "subscription", "code": "401", "channel": "private-x"}


@connected
def refuse_sign_in(client):
    client.send_sign_in('{"id":"u"}', "own-key:" + "0" * 64)
    client.expect_error(4009)
    return {"kind": "sign_in", "code": "4009"}


@connected
def refuse_client_event(client):
    client.subscribe("open")
    client.send("client-x", {}, channel="open")
    client.expect_error(4301)
    return {"kind": "client_event", "code": "4301", "channel": "open"}


@connected
def refuse_message(client):
    client.send_raw("{")
    client.expect_error(None)
    return {"kind": "message"}


@connected
def refuse_web_socket(client):
    client.send_bytes(frame(1, b"x", masked=False))
    assert client.expect_close().code == 1002
    return {"kind": "websocket", "code": "1002"}


def refuse_unauthorized(broker):
    with RawClient.of(broker, "timed") as client:
        assert client.expect_close().code == 4009
        return {"kind": "authorization", "code": "4009", "app": "timed", "socket_id": client.socket_id, "peer": local(client)}


def refuse_slow(broker):
    with RawClient(broker, **own(), receive_buffer=4096) as client:
        client.subscribe("flood")
        for _ in range(600):
            broker.trigger("flood", "e", "x" * 10_000, **own())
            if "kind=slow_consumer" in broker.log():
                break
        return {"kind": "slow_consumer", "code": "4100", "app": "app-id", "socket_id": client.socket_id, "peer": local(client)}


ALL = [refuse_http, refuse_malformed, refuse_auth, refuse_handshake, refuse_disabled, refuse_plain_get, refuse_subscription,
       refuse_sign_in, refuse_client_event, refuse_message, refuse_web_socket, refuse_unauthorized, refuse_slow]


@pytest.mark.parametrize("refuse", ALL, ids=lambda one: one.__name__)
def test_a_refusal_is_one_line_that_says_who_whose_and_why(broker, refuse):
    """In production the caller is told less, and the operator just as much."""
    found = the_refusal(broker, **refuse(broker))
    assert found["peer"].startswith("127.0.0.1:"), found
    assert "auth_signature=" not in found.get("path", ""), found
    if found["kind"] == "auth":
        assert "HMAC-SHA256" in found["reason"] and "GET\n/apps/1/channels\nauth_key=own-key" in found["reason"], found


def test_a_limit_has_its_line(broker):
    """429: one of several at most, when a second ends between the calls"""
    for _ in range(6):
        broker.api("GET", "/channels", **own())
    found = wait_until(lambda: [line for line in refusals(broker) if line["kind"] == "limit"], "a line")[0]
    assert found["code"] == "429" and found["app"] == "app-id" and found["peer"] and "More than 1" in found["reason"], found


@pytest.mark.parametrize("trusted, headers, peer", [
    (True, PROXY, "203.0.113.9"), (True, {"Forwarded": 'for=6.6.6.6, for="[2001:db8::9]:80"'}, "[2001:db8::9]:80"),
    (True, {"X-Forwarded-For": "unknown"}, None), (True, {}, None), (False, PROXY, None)],
    ids=["x-forwarded-for", "forwarded", "no address", "no header", "not trusted"])
def test_behind_a_trusted_proxy_the_peer_is_its_client(trusted, headers, peer):
    """The last entry is the proxy's own word; what stands before it the client may have written."""
    with Broker({"trustProxy": trusted, "logLevel": "debug", "apps": [app()]}) as broker:
        broker.request("GET", "/nowhere", headers=headers)
        found = the_refusal(broker, kind="http")
        with RawClient(broker, headers=headers) as client:
            client.send_raw("{")
            client.expect_error(None)
            later = the_refusal(broker, kind="message")
            assert later["peer"] == (peer or local(client)), later
        if peer:
            assert found["peer"] == peer and found["via"].startswith("127.0.0.1:"), found
        else:
            assert found["peer"].startswith("127.0.0.1:") and "via" not in found, found


@pytest.mark.parametrize("networks, chain, peer", [
    (["loopback"], "6.6.6.6, 203.0.113.9, 127.0.0.2", "203.0.113.9"),
    (["127.0.0.1", "10.0.0.0/8"], "203.0.113.9, 127.0.0.2, 10.1.2.3", "127.0.0.2"),
    (["10.0.0.0/8", "private", "::1"], "203.0.113.9", None)], ids=["a chain", "as far as it is ours", "another network"])
def test_proxies_of_listed_networks_are_believed_and_nobody_else(networks, chain, peer):
    """The right-most address that is no proxy of ours; a peer outside says nothing that counts."""
    with Broker({"trustProxy": networks, "logLevel": "debug", "apps": [app()]}) as broker:
        broker.request("GET", "/nowhere", headers={"X-Forwarded-For": chain})
        found = the_refusal(broker, kind="http")
        if peer:
            assert found["peer"] == peer and found["via"].startswith("127.0.0.1:"), found
        else:
            assert found["peer"].startswith("127.0.0.1:") and "via" not in found, found


def test_json_has_the_same_fields_one_object_a_line():
    """Also of a warning at the start, of what goes well, of a state dump; numbers are numbers. A reload changes the format."""
    settings = {"logLevel": "debug", "logFormat": "json", "apps": [app()]}
    with Broker(settings) as broker:
        with RawClient(broker) as client:
            client.subscribe("room")
            client.send_raw("{")
            client.expect_error(None)
        broker.request("GET", "/now\"here?x=1")
        broker.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: '"msg":"loop"' in broker.log() and '"msg":"disconnected"' in broker.log(), "the state")
        said = [json.loads(line) for line in broker.log().splitlines()]
        assert all(list(line)[:3] == ["time", "level", "msg"] for line in said)
        by_message = collections.defaultdict(list)
        for line in said:
            by_message[line["msg"]].append(line)
        assert {"listening", "refused", "connected", "subscribed", "disconnected", "state", "loop"} <= set(by_message)
        [http_refusal] = [line for line in by_message["refused"] if line["kind"] == "http"]
        assert http_refusal["code"] == 404 and http_refusal["path"] == '/now"here' and http_refusal["method"] == "GET"
        assert by_message["listening"][0]["pid"] == broker.pid
        (pathlib.Path(broker.directory.name) / "config.json").write_text(json.dumps({**settings, "logFormat": "text"}))
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "msg=reloaded" in broker.log(), "logfmt again")


def test_what_says_the_same_is_one_line_a_second_and_what_differs_is_not():
    """The rest is counted; whose it is, its path and reason make a difference, ports and socket ids do not."""
    with Broker({"apps": [app(), named_app("other")]}) as broker:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(RawClient.of(broker, "other") if number % 2 else RawClient(broker))
                       for number in range(8)]
            for client in clients:
                client.send_bytes(frame(1, b"{") * 100)
            for client in clients:
                assert client.frames_until_pong()
        for _ in range(20):
            for path in ("/one", "/two"):
                broker.request("GET", path)
        broker.begin_drain()
        broker.wait_ended()
        said = [line for line in refusals(broker) if "reason" in line]
        for wanted, count in ({"app": "app-id"}, 400), ({"app": "other"}, 400), ({"path": "/one"}, 20), ({"path": "/two"}, 20):
            mine = [seconds(line) for line in said if line.items() >= wanted.items()]
            # The limiter's clock is not the line's: a line is written some time after it was admitted, on a slow machine a long one.
            assert mine and len(mine) - 1 <= mine[-1] - mine[0] + 2, (wanted, mine)
        left_out = sum(int(line.get("suppressed", 0)) for line in refusals(broker))
        assert left_out + len(said) == 840


def seconds(line: dict) -> float:
    return datetime.datetime.fromisoformat(line["time"].replace("Z", "+00:00")).timestamp()


@pytest.mark.parametrize("loops", [1, 2])
def test_a_flood_of_refusals_is_a_few_lines_and_a_right_count(loops):
    """Frames of one read, several clients, and HTTP; the limit is of the process, not of a loop"""
    with Broker({"loops": loops, "apps": [app()]}) as broker:
        sent = collections.Counter()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(RawClient(broker)) for _ in range(4)]
            for _ in range(5):
                for client in clients:
                    client.send_bytes(frame(1, b"{") * 300)
                    sent["message"] += 300
                for _ in range(20):
                    broker.request("GET", "/nowhere")
                    sent["http"] += 1
            for client in clients:
                assert client.frames_until_pong()
        broker.begin_drain()
        broker.wait_ended()
        seen, times = collections.Counter(), collections.defaultdict(list)
        for line in refusals(broker):
            seen[line["kind"]] += int(line.get("suppressed", 0)) + ("reason" in line)
            times[line["kind"]].append(seconds(line))
        assert seen == sent
        for kind, at in times.items():
            for index, start in enumerate(at):
                # The limiter's clock is not the line's: a line is written some time after it was admitted.
                within = [time for time in at[index:] if time - start < 0.8]
                assert len(within) <= LIMIT + 1, (kind, start, len(within))


def test_how_many_lines_there_are_is_an_option():
    with Broker({"refusalLinesPerSecond": 0, "apps": [app()]}) as broker:
        for _ in range(3):
            broker.request("GET", "/nowhere")
        broker.begin_drain()
        broker.wait_ended()
        assert all("reason" not in line for line in refusals(broker))
        assert sum(int(line["suppressed"]) for line in refusals(broker)) == 3


def test_what_goes_well_is_traced_at_debug_and_only_there():
    for level in ("debug", "info"):
        with Broker({"logLevel": level, "apps": [app()]}) as broker:
            with RawClient(broker) as client:
                client.subscribe("private-a")
                client.send("client-x", {}, channel="private-a")
                client.unsubscribe("private-a")
                client.sign_in("ann")
                broker.trigger(["c1", "c2"], 'say "hi"', "12345")
                client.send_bytes(frame(8, b"\x03\xe8"))
                assert client.expect_close().code == 1000
                who = {"app": "app-id", "socket_id": client.socket_id, "peer": local(client)}
            with RawClient(broker) as gone:
                pass
            wait_until(lambda: level == "info" or broker.log().count("msg=disconnected") == 2, "both ends")
            traced = [line for line in lines(broker.log()) if line["level"] == "debug" and line["msg"] != "heap trimmed"]
        if level == "info":
            assert traced == []
            continue
        mine = [line for line in traced if line.get("socket_id") == who["socket_id"]]
        assert [line["msg"] for line in mine] == [
            "connected", "subscribed", "client event", "unsubscribed", "signed in", "disconnected"]
        assert all(line.items() >= who.items() for line in mine), mine
        assert mine[0]["client"] == "test" and mine[2]["event"] == "client-x" and mine[4]["user_id"] == "ann"
        assert {line.get("channel") for line in mine[1:4]} == {"private-a"}
        assert mine[5]["cause"] == "the client closed" and mine[5]["code"] == "1000"
        assert int(mine[5]["lifetime_seconds"]) <= 60
        [other] = [line for line in traced if line["msg"] == "disconnected" and line["socket_id"] == gone.socket_id]
        assert other["cause"] == "the client closed without a close frame"
        [published] = [line for line in traced if line["msg"] == "published"]
        assert published.items() >= {"app": "app-id", "channel": "c1,c2", "event": r"say \"hi\"", "data_bytes": "5"}.items()


def test_every_line_of_a_hostile_run_is_logfmt():
    """Names, keys and events full of quotes, controls and broken UTF-8"""
    nasty = '"\\ =\n\r\t\x00\x1b[2J\x9b\u2028\u202e\ud7ff💥é'
    with Broker({"logLevel": "debug", "apps": [app()]}) as broker:
        with RawClient(broker, query="protocol=7&client=%22%0A%FF%C3%28a=b") as client:
            client.send_subscribe(nasty)
            client.send_subscribe("private-" + nasty, auth=nasty)
            client.send_sign_in(json.dumps({"id": nasty}), nasty + ":x")
            client.send_sign_in(json.dumps({"id": nasty}))
            client.send_subscribe("private-ok")
            client.send("client-" + nasty, {}, channel="private-ok")
            client.send("client-" + nasty, {}, channel=nasty)
            client.send_raw(nasty)
            broker.trigger("ok", nasty, nasty)
            assert client.frames_until_pong()
        for key in ("%22%20%0A", "%FF%FE", "a%3Db"):
            with RawClient(broker, key=key, handshake=False) as refused:
                refused.read_upgrade()
                refused.expect_close()
        with Raw(broker) as connection:
            connection.send(b'GET /"x\\y=\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n').rest()
        broker.begin_drain()
        broker.wait_ended()
        log = broker.log()
    said = lines(log)
    assert len([line for line in said if line["msg"] == "refused"]) >= 8
    assert any(nasty[:9] in line.get("channel", "") for line in said), "a value reads back as it was"
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", log)
