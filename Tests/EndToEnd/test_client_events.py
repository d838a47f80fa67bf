"""Client events: what is passed on, to whom, and what is refused (reference §4, PW-095…PW-108)."""

import json
import threading

import pytest

from harness import Broker, app, named_app, wait_until
from rawclient import PING, RawClient, frame, text

FAST = {"clientEventsPerSecond": -1}


@pytest.fixture(scope="module")
def broker():
    apps = [app(limits=FAST), named_app("off", clientEvents=False), named_app("rated"), named_app("slow", limits={
        "clientEventsPerSecond": 2}), named_app("tiny", limits={**FAST, "clientEventBytes": 100,
        "eventNameCharacters": 20})]
    with Broker({"apps": apps}) as running:
        yield running


@pytest.fixture
def pair(broker):
    with broker.client() as sender, broker.client() as receiver:
        yield sender, receiver


def both_in(pair, channel, name=None):
    for client, user in zip(pair, ("u1", "u2")):
        client.subscribe(channel, user=user if channel.startswith("presence") else None)
        if "cache" in channel:
            client.expect("pusher:cache_miss", channel)
    if channel.startswith("presence"):
        pair[0].expect("pusher_internal:member_added", channel)


@pytest.mark.parametrize("channel", ["private-chat", "private-cache-chat"])
def test_the_others_on_a_private_channel_get_it_and_the_sender_nothing(pair, channel):
    """PW-095 PW-096"""
    both_in(pair, channel)
    pair[0].send("client-typing", {"who": "Ann"}, channel=channel)
    assert pair[1].receive() == {"event": "client-typing", "channel": channel, "data": '{"who":"Ann"}'}
    pair[0].nothing_until_marker()


@pytest.mark.parametrize("channel", ["presence-chat", "presence-cache-chat"])
def test_on_a_presence_channel_the_frame_names_its_sender(pair, channel):
    """PW-096"""
    both_in(pair, channel)
    pair[0].send("client-typing", {"who": "Ann"}, channel=channel)
    assert pair[1].receive() == {"event": "client-typing", "channel": channel, "data": '{"who":"Ann"}', "user_id": "u1"}
    pair[0].nothing_until_marker()


def test_a_numeric_user_is_named_as_a_string(broker, pair):
    """PW-096"""
    pair[0].subscribe("presence-number", '{"user_id":7}')
    pair[1].join("presence-number", "other")
    pair[0].expect("pusher_internal:member_added")
    pair[0].send("client-x", {}, channel="presence-number")
    assert pair[1].expect("client-x")["user_id"] == "7"


@pytest.mark.parametrize("forged", ["u2", 2, None, {"id": "u2"}])
def test_a_forged_user_id_is_ignored(pair, forged):
    """PW-097"""
    both_in(pair, "presence-forged")
    both_in(pair, "private-forged")
    pair[0].send("client-x", {}, channel="presence-forged", user_id=forged)
    assert pair[1].expect("client-x", "presence-forged")["user_id"] == "u1"
    pair[0].send("client-x", {}, channel="private-forged", user_id=forged)
    assert "user_id" not in pair[1].expect("client-x", "private-forged")


def test_the_user_of_another_channel_or_sign_in_is_not_used(pair):
    """PW-096 PW-097"""
    both_in(pair, "presence-mixed")
    both_in(pair, "private-mixed")
    pair[0].sign_in("signed-in-name")
    pair[0].send("client-x", {}, channel="private-mixed")
    assert "user_id" not in pair[1].expect("client-x", "private-mixed")
    pair[0].send("client-x", {}, channel="presence-mixed")
    assert pair[1].expect("client-x", "presence-mixed")["user_id"] == "u1"


DATA = {
    "object": ('{"b": 1,  "a": [true, null]}', '{"b":1,"a":[true,null]}'), "array": ("[1, 2]", "[1,2]"),
    "number": ("1.50", "1.50"),
    "true": ("true", "true"), "null": ("null", "null"), "empty object": ("{}", "{}"), "string": ('"plain"', "plain"),
    "empty string": ('""', ""), "string with JSON": ('" { \\"a\\" : 1 } "', ' { "a" : 1 } '),
    "unicode": ('{"ü":"🐦"}', '{"ü":"🐦"}'), "quotes inside": ('{"a":"\\"x\\\\"}', '{"a":"\\"x\\\\"}'),
    "spaces inside strings": ('{ "a b" : " c  d " }', '{"a b":" c  d "}'),
    "string with escapes": ('"\\u00fc\\n\\/"', "ü\n/")}


@pytest.mark.parametrize("name", DATA)
def test_strings_pass_unchanged_and_all_else_as_its_json_text(pair, name):
    """PW-098"""
    sent, expected = DATA[name]
    both_in(pair, "private-data")
    pair[0].send_raw(f'{{"event":"client-d","channel":"private-data","data":{sent}}}')
    got = pair[1].expect("client-d", "private-data")["data"]
    assert isinstance(got, str), got
    assert got == expected or (sent[0] != '"' and json.loads(got) == json.loads(expected)), got


@pytest.mark.parametrize("channel", ["plain", "cache-plain", "private-encrypted-x", "private-encrypted-cache-x",
    "#server-to-user-u1"])
def test_a_channel_of_the_wrong_kind_refuses_with_4301(pair, channel):
    """PW-099 PW-108"""
    for client in pair:
        client.sign_in("u1")
        client.subscribe(channel)
        if "cache" in channel:
            client.expect("pusher:cache_miss", channel)
    pair[0].send("client-x", {"a": 1}, channel=channel)
    pair[0].expect_error(4301)
    pair[0].nothing_until_pong()
    pair[1].nothing_until_marker()


@pytest.mark.parametrize("channel", ["private-outside", "presence-outside"])
def test_who_is_not_subscribed_reaches_nobody(broker, pair, channel):
    """PW-100"""
    pair[1].subscribe(channel, user="u2" if channel.startswith("presence") else None)
    pair[0].send("client-x", {}, channel=channel)
    pair[0].expect_error(None)
    pair[0].nothing_until_pong()
    pair[1].nothing_until_marker()


def test_who_left_reaches_nobody(pair):
    """PW-100"""
    both_in(pair, "private-left")
    pair[0].unsubscribe("private-left")
    pair[0].send("client-x", {}, channel="private-left")
    pair[0].expect_error(None)
    pair[1].nothing_until_marker()


def test_with_the_feature_off_nothing_is_passed_on(broker):
    """PW-101 PW-108"""
    with broker.client_of("off") as sender, broker.client_of("off") as receiver:
        both_in((sender, receiver), "private-off")
        sender.send("client-x", {}, channel="private-off")
        sender.expect_error(4301)
        sender.nothing_until_pong()
        receiver.nothing_until_marker()


def burst(channel: str, count: int, start: int = 0) -> bytes:
    return b"".join(text({"event": "client-n", "channel": channel, "data": n}) for n in range(start, start + count))


def test_more_than_ten_in_a_second_are_dropped_until_the_second_is_over(broker):
    """PW-102 PW-108"""
    with RawClient.of(broker, "rated") as sender, broker.client_of("rated") as receiver:
        both_in((sender, receiver), "private-rate")
        sender.send_bytes(burst("private-rate", 11))
        refused = sender.frames_until_pong()
        assert len(refused) >= 1
        assert all(frame["event"] == "pusher:error" and frame["data"]["code"] == 4301 for frame in refused), refused
        got = receiver.frames_until_marker()
        assert [frame["data"] for frame in got] == [str(n) for n in range(10)], "the first ten, in order"

        def works_again():
            sender.send("client-again", {}, channel="private-rate")
            return not sender.frames_until_pong()

        wait_until(works_again, "sending works again", timeout=3)
        receiver.expect("client-again", "private-rate")


def test_dropped_events_are_not_delivered_later(broker):
    """PW-102: dropped, not queued"""
    with RawClient.of(broker, "slow") as sender, broker.client_of("slow") as receiver:
        both_in((sender, receiver), "private-slow")
        sender.send_bytes(burst("private-slow", 30))
        refused = len(sender.frames_until_pong())
        delivered = [frame["data"] for frame in receiver.frames_until_marker()]
        assert delivered[:2] == ["0", "1"] and len(delivered) + refused == 30 and refused >= 25, (delivered, refused)
        wait_until(lambda: not (sender.send("client-x", {}, channel="private-slow") or sender.frames_until_pong()),
            "a token")
        receiver.expect("client-x", "private-slow")


def test_each_connection_has_its_own_ten(broker):
    """PW-103"""
    with RawClient.of(broker, "rated") as one, RawClient.of(broker,
        "rated") as two, broker.client_of("rated") as receiver:
        for client in (one, two, receiver):
            client.subscribe("private-each")
        one.send_bytes(burst("private-each", 10))
        two.send_bytes(burst("private-each", 10, start=100))
        numbers = [int(receiver.expect("client-n", "private-each")["data"]) for _ in range(20)]
        assert sorted(numbers) == [*range(10), *range(100, 110)]
        for client in (one, two):
            assert all(frame["event"] == "client-n" for frame in client.frames_until_pong())


@pytest.mark.parametrize("name, code", [("client-" + "x" * 194, 4301), ("client-" + "é" * 194, 4301),
                                        ("Client-x", ...),
                                        ("xclient-y", ...), ("foo-client-bar", ...), ("client", ...),
                                        ("CLIENT-X", ...), (" client-x", ...)])
def test_a_name_too_long_or_without_the_prefix_is_not_delivered(pair, name, code):
    """PW-104"""
    both_in(pair, "private-names")
    pair[0].send(name, {}, channel="private-names")
    if code is not ...:
        pair[0].expect_error(code)
    pair[0].nothing_until_pong()
    pair[1].nothing_until_marker()


@pytest.mark.parametrize("name", ["client-", "client-" + "x" * 193, "client-" + "é" * 193, "client-pusher:x",
    "client-a b\\ü\""])
def test_a_name_up_to_200_characters_is_delivered(pair, name):
    """PW-104"""
    both_in(pair, "private-long-names")
    pair[0].send(name, {}, channel="private-long-names")
    pair[1].expect(name, "private-long-names")


@pytest.mark.parametrize("data, allowed", [
    ("x" * 10_240, True), ("x" * 10_241, False), ("é" * 5_120, True), ("é" * 5_121, False), ({"a": "x" * 10_200}, True),
    ({"a": "x" * 10_240}, False), ({"a": "x" * 40_000}, False), ('"' * 10_240, True)])
def test_a_payload_over_the_limit_is_refused_with_4301(pair, data, allowed):
    """PW-105 PW-108"""
    both_in(pair, "private-payload")
    pair[0].send("client-big", data, channel="private-payload")
    if allowed:
        got = pair[1].expect("client-big", "private-payload")["data"]
        assert got == data if isinstance(data, str) else json.loads(got) == data
    else:
        pair[0].expect_error(4301)
        pair[1].nothing_until_marker()
    pair[0].nothing_until_pong()


def test_the_limits_are_the_apps(broker):
    """PW-104 PW-105"""
    with broker.client_of("tiny") as sender, broker.client_of("tiny") as receiver:
        both_in((sender, receiver), "private-tiny")
        sender.send("client-" + "n" * 14, {}, channel="private-tiny")
        sender.expect_error(4301)
        sender.send("client-x", "d" * 101, channel="private-tiny")
        sender.expect_error(4301)
        sender.send("client-" + "n" * 13, "d" * 100, channel="private-tiny")
        receiver.expect("client-" + "n" * 13, "private-tiny")


def test_another_tab_of_the_same_user_gets_it(broker, pair):
    """PW-106"""
    for client in pair:
        client.sign_in("same")
        client.join("presence-same", "same")
        client.subscribe("private-same")
    pair[0].send("client-x", {}, channel="presence-same")
    assert pair[1].expect("client-x", "presence-same")["user_id"] == "same"
    pair[0].send("client-x", {}, channel="private-same")
    pair[1].expect("client-x", "private-same")
    pair[0].nothing_until_marker()


def test_pings_and_subscriptions_are_not_counted(broker):
    """PW-107: nor may they be refused"""
    with RawClient.of(broker, "rated") as sender, broker.client_of("rated") as receiver:
        both_in((sender, receiver), "private-pings")
        pings = (text({"event": "pusher:ping", "data": {}}) + frame(PING, b"p")) * 60
        subscribes = b"".join(text({"event": "pusher:subscribe", "data": {"channel": f"c{n}"}}) for n in range(30))
        sender.send_bytes(pings + subscribes + burst("private-pings", 10) + pings)
        events = [sender.receive()["event"] for _ in range(60 + 30 + 60)]
        assert events.count("pusher:pong") == 120 and "pusher:error" not in events
        for number in range(10):
            assert receiver.expect("client-n", "private-pings")["data"] == str(number)


def test_refused_client_events_leave_the_connection_as_it_was(pair):
    """PW-108: twenty refusals of every cause, and it still serves"""
    both_in(pair, "private-calm")
    pair[0].subscribe("calm")
    for _ in range(5):
        for channel, name, data in (("calm", "client-x", 1), ("private-calm", "client-" + "x" * 200, 1),
            ("private-calm", "client-x", "y" * 20_000)):
            pair[0].send(name, data, channel=channel)
            pair[0].expect_error(4301)
    pair[0].send("client-ok", {}, channel="private-calm")
    pair[1].expect("client-ok", "private-calm")


def test_client_events_keep_their_order(broker):
    """PW-095: one sender, one order"""
    with RawClient(broker) as sender:
        sender.subscribe("private-order")
        receivers = [broker.client() for _ in range(4)]
        try:
            for client in receivers:
                client.subscribe("private-order")
            threading.Thread(target=sender.send_bytes, args=(burst("private-order", 300),)).start()
            for client in receivers:
                assert [client.expect("client-n")["data"] for _ in range(300)] == [str(n) for n in range(300)]
        finally:
            for client in receivers:
                client.close()
