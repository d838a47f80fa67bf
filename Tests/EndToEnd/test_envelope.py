"""The shape of everything the broker says (reference §0, §2, PW-036, PW-038, PW-183)."""

import json

import pytest

from harness import Broker, app, named_app
from rawclient import TEXT, RawClient, text
from session import check_error

CONNECTION_LEVEL = {"pusher:connection_established", "pusher:pong", "pusher:signin_success", "pusher:error",
                    "pusher_internal:watchlist_events"}
OBJECT_DATA = {"pusher:error", "pusher:subscription_error"}


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(subscriptionCount=True), named_app("calm", clientEvents=False)]}) as running:
        yield running


@pytest.fixture(scope="module")
def conversation(broker):
    """Every frame of a session that meets every event the broker can send."""
    frames = []

    def read(client, event):
        while True:
            frame = client.read_frame()
            frames.append(frame)
            if json.loads(frame.payload)["event"] == event:
                return

    with RawClient(broker, handshake=False) as client, broker.client() as friend:
        client.read_upgrade()
        client.greet = lambda: None
        frames.append(client.read_frame())
        client.socket_id = json.loads(frames[0].event["data"])["socket_id"]
        user = json.dumps({"id": "ann", "watchlist": ["bob"] + [f"u{i}" for i in range(120)]})
        client.send_sign_in(user)
        read(client, "pusher:error")  # 4302: the list is too long
        friend.sign_in("bob")
        read(client, "pusher_internal:watchlist_events")
        client.send_subscribe("cache-shape")
        read(client, "pusher:cache_miss")
        client.send_subscribe("presence-shape", user="ann")
        read(client, "pusher_internal:subscription_succeeded")
        friend.join("presence-shape", "bob", {"name": "Böb \U0001f426"})
        read(client, "pusher_internal:member_added")
        friend.send("client-hi", {"a": [1, None, "ä"]}, channel="presence-shape")
        read(client, "client-hi")
        friend.unsubscribe("presence-shape")
        read(client, "pusher_internal:member_removed")
        broker.trigger("cache-shape", "App\\Events\\Shape", "ü \"quoted\" \\ \U0001f426 \u0001")
        read(client, "App\\Events\\Shape")
        client.send_subscribe("private-shape", auth="app-key:bad")
        read(client, "pusher:error")
        client.send_raw("{nonsense")
        read(client, "pusher:error")
        client.send("client-x", {}, channel="cache-shape")
        read(client, "pusher:error")
        client.send("pusher:ping", {})
        read(client, "pusher:pong")
    return frames


def test_every_frame_is_one_unmasked_text_frame_of_a_json_object(conversation):
    """PW-036"""
    for frame in conversation:
        assert (frame.opcode, frame.fin, frame.rsv, frame.masked) == (TEXT, True, 0, False), frame
        message = json.loads(frame.payload.decode("utf-8", "strict"))
        assert isinstance(message, dict) and isinstance(message["event"], str), message


def test_the_conversation_met_every_event(conversation):
    """PW-036: so that the other tests of this file mean something"""
    met = {json.loads(frame.payload)["event"] for frame in conversation}
    assert met >= CONNECTION_LEVEL | OBJECT_DATA | {
        "pusher_internal:subscription_succeeded", "pusher_internal:member_added", "pusher_internal:member_removed",
        "pusher_internal:subscription_count", "pusher:cache_miss", "client-hi", "App\\Events\\Shape"}


def test_connection_level_frames_have_no_channel_key_and_others_have_one(conversation):
    """PW-183 PW-005 PW-024"""
    for frame in conversation:
        message = frame.event
        assert ("channel" not in message) == (message["event"] in CONNECTION_LEVEL), message
        assert isinstance(message.get("channel", ""), str), message


def test_data_is_always_present_and_a_string_except_in_errors(conversation):
    """PW-036: §0 rules 1 and 4"""
    for frame in conversation:
        message = frame.event
        assert isinstance(message["data"], dict if message["event"] in OBJECT_DATA else str), message


def test_no_member_is_sent_twice_or_with_null(conversation):
    """PW-183 PW-036"""
    for frame in conversation:
        def check(pairs):
            names = [name for name, _ in pairs]
            assert len(set(names)) == len(names), frame
            return dict(pairs)

        message = json.loads(frame.payload, object_pairs_hook=check)
        assert None not in message.values(), message
        assert set(message) <= {"event", "channel", "data", "user_id"}, message


def test_no_client_local_name_is_ever_on_the_wire(conversation):
    """PW-036: §3.3"""
    local = {"pusher:subscription_succeeded", "pusher:member_added", "pusher:member_removed",
        "pusher:subscription_count"}
    assert local.isdisjoint(frame.event["event"] for frame in conversation)


def test_every_error_has_an_object_with_message_and_code_and_no_channel(conversation):
    """PW-038"""
    errors = [frame.event for frame in conversation if frame.event["event"] == "pusher:error"]
    codes = {check_error(error)["code"] for error in errors}
    assert {4302, 4301, None} <= codes, codes


@pytest.mark.parametrize("name, code", [("calm", 4301), ("no-such", 4001)])
def test_errors_of_other_causes_have_the_same_shape(broker, name, code):
    """PW-038"""
    with RawClient.of(broker, name, handshake=False) as client:
        client.read_upgrade()
        if code == 4301:
            client.greet()
            client.send_bytes(text({"event": "client-x", "channel": "private-x", "data": {}}))
        client.expect_error(code)
