"""Opening a connection: the upgrade, the first frame, protocol versions (reference §1.1–§1.3, PW-001…PW-019)."""

import json
import re

import pytest

from harness import Broker, app, named_app
from rawclient import TEXT, RawClient, frame, upgrade_request


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), named_app("strict", strictProtocol=True),
        named_app("hosted", activityTimeoutSeconds=120)]}) as running:
        yield running


def test_the_first_and_only_frame_is_connection_established(broker):
    """PW-001"""
    with RawClient(broker, handshake=False) as client:
        client.read_upgrade()
        first = client.read_frame()
        assert first.opcode == TEXT and first.event["event"] == "pusher:connection_established", first
        client.nothing_until_pong()


def test_its_data_is_a_string_that_holds_an_object_with_socket_id_and_activity_timeout(broker):
    """PW-002 PW-003 PW-004 PW-005"""
    with broker.client() as client:
        assert set(client.hello) == {"event", "data"}, client.hello
        assert isinstance(client.hello["data"], str)
        data = json.loads(client.hello["data"])
        assert isinstance(data["socket_id"], str) and re.fullmatch(r"\d+\.\d+", data["socket_id"]), data
        assert type(data["activity_timeout"]) is int and data["activity_timeout"] >= 1, data


@pytest.mark.parametrize("name, seconds", [("strict", 45), ("hosted", 120)])
def test_the_activity_timeout_is_the_apps(broker, name, seconds):
    """PW-004"""
    with broker.client_of(name) as client:
        assert json.loads(client.hello["data"])["activity_timeout"] == seconds


def test_a_thousand_concurrent_connections_have_a_thousand_socket_ids(broker):
    """PW-006"""
    clients = []
    try:
        for _ in range(1000):
            clients.append(RawClient(broker, handshake=False))
        for client in clients:
            client.read_upgrade()
            client.greet()
        assert len({client.socket_id for client in clients}) == 1000
        for client in (clients[0], clients[499], clients[-1]):
            client.nothing_until_pong()
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("query", ["protocol=5", "protocol=6", "protocol=7", "", "client=js", "version=8.6.0"])
def test_protocols_5_to_7_and_a_missing_one_are_accepted(broker, query):
    """PW-007"""
    with broker.client(query=query) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("protocol, code", [
    ("1", 4007), ("3", 4007), ("4", 4007), ("8", 4007), ("99", 4007), ("0", 4007),
    ("abc", 4006), ("7.5", 4006), ("7x", 4006), ("0x7", 4006)])
def test_an_unsupported_protocol_ends_in_4007_and_a_malformed_one_in_4006(broker, protocol, code):
    """PW-008"""
    with RawClient(broker, query=f"protocol={protocol}&client=js", handshake=False) as client:
        client.read_upgrade()
        client.expect_error(code)
        assert client.expect_close().code == code and client.last_frames == []


def test_a_protocol_beyond_every_integer_does_not_hurt(broker):
    """PW-008"""
    with RawClient(broker, query="protocol=" + "9" * 100, handshake=False) as client:
        client.read_upgrade()
        assert client.expect_close().code in (4006, 4007)


def test_a_strict_app_wants_a_protocol(broker):
    """PW-007 PW-008: code 4008 (§1.4 row 2)"""
    with RawClient.of(broker, "strict", query="client=js", handshake=False) as client:
        client.read_upgrade()
        client.expect_error(4008)
        assert client.expect_close().code == 4008
    with broker.client_of("strict") as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("target", [
    "/nope", "/app", "/app/", "/app/app/app-key", "/app/app-key/more", "/APP/app-key", "//app", "/app-key", "/app//"])
def test_an_unknown_path_is_refused_at_once(broker, target):
    """PW-013"""
    with RawClient(broker, target=target, handshake=False) as client:
        if client.read_head() == 101:
            assert client.expect_close().code in (4005,)
        else:
            assert client.status == 404, client.head


def test_one_trailing_slash_is_tolerated(broker):
    """PW-013: §1.1"""
    with RawClient(broker, target="/app/app-key/?protocol=7") as client:
        client.nothing_until_pong()


def test_a_path_prefix_is_required_when_configured():
    """PW-013: §1.1"""
    with Broker({"pathPrefix": "/pusher", "apps": [app()]}) as broker:
        with broker.client(prefix="/pusher") as client:
            client.nothing_until_pong()
        with RawClient(broker, handshake=False) as client:
            assert client.read_head() == 404 or client.expect_close().code == 4005


@pytest.mark.parametrize("offered, answered", [
    ("pusher-channels-protocol-7", "pusher-channels-protocol-7"), ("first, second", "first"),
    ("first,second", "first"), (None, None)])
def test_the_first_offered_subprotocol_is_echoed(broker, offered, answered):
    """PW-014"""
    with RawClient(broker, headers={"Sec-WebSocket-Protocol": offered}) as client:
        assert client.headers.get("sec-websocket-protocol") == answered, client.head


def test_a_huge_subprotocol_header_is_refused_without_harm(broker):
    """PW-014: CVE-2021-32640"""
    with RawClient(broker, headers={"Sec-WebSocket-Protocol": "a, " * 20_000 + "b"}, handshake=False) as client:
        assert client.read_head() == 431
    with broker.client() as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("query", [
    "flash=false&version=8.6.0&client=js&protocol=7", "protocol=7", "protocol=7&unknown=1&x[]=2&empty=&bare",
    "protocol=7&client=My%20Client&version=1.2.3-beta%2B4", "protocol=7&&client=js&"])
def test_query_parameters_come_in_any_order_with_unknown_extras(broker, query):
    """PW-015"""
    with RawClient(broker, query=query) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("headers", [
    {"Connection": "keep-alive, Upgrade"}, {"Connection": "upgrade", "Upgrade": "WebSocket"}, {"Upgrade": "WEBSOCKET"},
    {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}])
def test_upgrade_tokens_are_case_insensitive_and_may_be_listed(broker, headers):
    """PW-001: §1.2"""
    with RawClient(broker, headers=headers) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("change", [str.lower, str.upper])
def test_header_names_are_case_insensitive(broker, change):
    """PW-001: §1.2"""
    first, *lines = upgrade_request("/app/app-key?protocol=7").decode().split("\r\n")
    odd = [change(name) + colon + value for name, colon, value in (line.partition(":") for line in lines)]
    with RawClient(broker, request="\r\n".join([first, *odd]).encode()) as client:
        client.nothing_until_pong()


@pytest.mark.parametrize("headers, statuses", [
    ({"Upgrade": None, "Connection": None}, (400, 426)), ({"Sec-WebSocket-Key": None}, (400,)),
    ({"Sec-WebSocket-Version": "12"}, (400, 426)), ({"Sec-WebSocket-Version": None}, (400, 426)),
    ({"Sec-WebSocket-Key": "short"}, (400,))])
def test_a_request_that_is_no_upgrade_gets_a_4xx(broker, headers, statuses):
    """PW-001: §1.2"""
    with RawClient(broker, headers=headers, handshake=False) as client:
        assert client.read_head() in statuses, client.head


def test_a_ping_written_with_the_request_is_answered_after_the_handshake_frame(broker):
    """PW-017"""
    ping = frame(TEXT, '{"event":"pusher:ping","data":""}')
    with RawClient(broker, pipelined=ping) as client:
        client.expect("pusher:pong")
        client.nothing_until_pong()


def test_a_subscription_written_with_the_request_is_served_after_the_handshake_frame(broker):
    """PW-017: §2.2"""
    early = frame(TEXT, '{"event":"pusher:subscribe","data":{"channel":"early-bird"}}')
    with RawClient(broker, pipelined=early) as client:
        client.expect("pusher_internal:subscription_succeeded", "early-bird")


def test_the_request_may_come_in_single_bytes(broker):
    """PW-017: the head is parsed whatever the segments"""
    with RawClient(broker, pipelined=frame(TEXT, '{"event":"pusher:ping"}'), chunk=1) as client:
        client.expect("pusher:pong")


def test_a_percent_encoded_key_is_decoded_once(broker):
    """PW-019"""
    for target in ("/app/app%2Dkey?protocol=7", "/app/%61%70%70%2dkey/?protocol=7"):
        with RawClient(broker, target=target) as client:
            client.nothing_until_pong()
    with RawClient(broker, target="/app/app%252Dkey?protocol=7", handshake=False) as client:
        client.read_upgrade()
        assert client.expect_close().code == 4001
