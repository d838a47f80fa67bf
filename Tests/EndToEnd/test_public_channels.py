"""Subscribing, names and delivery (reference §3.1, §3.2, §3.5, §3.6, §3.10, PW-039…PW-054)."""

import json
import threading

import pytest

from harness import Broker, app, credentials, named_app
from session import check_error

ALLOWED = "_-=@,.;"


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), named_app("other"), named_app("short", limits={"channelNameBytes": 164})]}) as running:
        yield running


@pytest.mark.parametrize("data", [
    {"channel": "plain-1"}, {"channel": "plain-2", "auth": ""}, {"channel": "plain-3", "auth": None},
    {"channel": "plain-4", "auth": "", "channel_data": None}, {"channel": "plain-5", "unknown": {"a": [1]}},
    {"channel": "plain-6", "auth": "app-key:0000"}])
def test_a_public_channel_needs_no_auth(client, data):
    """PW-039 PW-040"""
    client.send("pusher:subscribe", data)
    assert client.receive() == {
        "event": "pusher_internal:subscription_succeeded", "channel": data["channel"], "data": "{}"}


@pytest.mark.parametrize("inner", ['{"channel":"twice-encoded"}', ' { "auth" : "" , "channel" : "twice-encoded" } ',
                                   '{"channel":"twice\\u002dencoded"}'])
def test_data_may_be_a_string_that_holds_the_object(client, inner):
    """PW-041"""
    client.send("pusher:subscribe", inner)
    client.expect("pusher_internal:subscription_succeeded", "twice-encoded")


def test_a_name_may_be_written_with_json_escapes(client, broker):
    """PW-039: the name is the decoded string"""
    client.send_raw('{"event":"pusher:subscribe","data":{"channel":"\\u0065scaped\\u002D1"}}')
    client.expect("pusher_internal:subscription_succeeded", "escaped-1")
    broker.trigger("escaped-1", "e", "{}")
    client.expect("e", "escaped-1")


PAYLOADS = {
    "object": '{"b":1,"a":[1.0,2e3]}', "spaces": ' { "x" :\t1 } \n', "empty": "", "plain text": "not JSON at all",
    "number": "1.000",
    "quotes": 'a "quoted" \\ backslash / slash', "controls": "\u0000\u0001\u001f\u007f\r\n\t", "latin": "äöü ÿ",
    "emoji": "🐦\u200d⬛",
    "line separators": "\u2028\u2029", "nul escape text": "\\u0000", "long": "x" * 10_240,
    "long and multibyte": "é" * 5_120}


@pytest.mark.parametrize("name", PAYLOADS)
def test_an_event_arrives_with_its_data_verbatim(client, broker, name):
    """PW-042"""
    client.subscribe("verbatim")
    broker.trigger("verbatim", "my-event", PAYLOADS[name])
    assert client.receive() == {"event": "my-event", "channel": "verbatim", "data": PAYLOADS[name]}


@pytest.mark.parametrize("name", [
    "App\\Events\\OrderShipped", ".client-x", "a b", "ünï", "x:y", "client-from-server", "pushers", "n" * 200,
    "é" * 200, '"', "\t"])
def test_an_event_arrives_with_its_name_verbatim(client, broker, name):
    """PW-042"""
    client.subscribe("names")
    broker.trigger("names", name, "{}")
    client.expect(name, "names")


def test_no_event_precedes_the_subscription_succeeded(broker):
    """PW-043: subscriptions race a publisher; each sees its own beginning first, then a gapless run"""
    stop = threading.Event()

    def publish():
        count = 0
        while not stop.is_set():
            count += 1
            broker.trigger("race", "tick", str(count))

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for _ in range(30):
            with broker.client() as client:
                client.subscribe("race")
                numbers = [int(client.expect("tick", "race")["data"]) for _ in range(3)]
                assert numbers == list(range(numbers[0], numbers[0] + 3))
    finally:
        stop.set()
        publisher.join()


def test_a_second_subscribe_succeeds_again_and_changes_nothing(client, broker):
    """PW-044"""
    client.subscribe("again")
    client.subscribe("again")
    broker.trigger("again", "once", "{}")
    client.expect("once", "again")
    client.nothing_until_marker()
    client.unsubscribe("again")
    broker.trigger("again", "gone", "{}")
    client.nothing_until_marker()


def test_after_unsubscribe_there_is_no_frame_and_no_reply(client, broker):
    """PW-045"""
    client.subscribe("leaving")
    client.unsubscribe("leaving")
    client.nothing_until_pong()
    broker.trigger("leaving", "late", "{}")
    client.nothing_until_marker()
    client.subscribe("leaving")
    broker.trigger("leaving", "back", "{}")
    client.expect("back", "leaving")


def test_not_one_frame_of_a_channel_follows_its_unsubscribe(broker):
    """PW-045: §3.6, while a publisher keeps going"""
    stop = threading.Event()

    def publish():
        while not stop.is_set():
            broker.trigger("torrent", "drop", "{}")

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        with broker.client() as client:
            for _ in range(20):
                client.subscribe("torrent")
                client.expect("drop", "torrent")
                client.unsubscribe("torrent")
                client.frames_until_pong()  # what was under way before the broker read the unsubscribe
                client.nothing_until_marker()
    finally:
        stop.set()
        publisher.join()


@pytest.mark.parametrize("channel", ["never-seen", "private-never", "presence-never", "bad name", "", "#x", "x" * 300])
def test_unsubscribe_from_an_unknown_channel_is_harmless(client, channel):
    """PW-046"""
    client.unsubscribe(channel)
    for frame in client.frames_until_pong():
        assert channel == "" and check_error(frame)["code"] is None, frame


@pytest.mark.parametrize("data", [
    {}, {"channel": ""}, {"channel": None}, {"channel": 5}, {"channel": True}, {"channel": ["a"]},
    {"channel": {"a": 1}},
    {"auth": ""}, [], "", "[]", 7, True, "channel"])
def test_a_subscribe_without_a_usable_channel_fails_and_the_socket_stays(client, data):
    """PW-047"""
    client.send("pusher:subscribe", data)
    frames = client.frames_until_pong()
    assert frames and all(frame["event"] in ("pusher:error", "pusher:subscription_error") for frame in frames), frames
    check_error(frames[-1])


def test_names_up_to_the_limit_are_accepted(broker):
    """PW-048"""
    for name, limit in (("other", 200), ("short", 164)):
        with broker.client_of(name) as client:
            client.subscribe("a")
            client.subscribe("n" * limit)
            broker.trigger("n" * limit, "e", "{}", **credentials(name))
            client.expect("e", "n" * limit)
            client.send_subscribe("n" * (limit + 1))
            assert client.expect_refusal("n" * (limit + 1), 4009)["type"] in ("LimitReached", "InvalidChannelName")
            client.send_subscribe("private-" + "n" * (limit - 7))
            client.expect_refusal("private-" + "n" * (limit - 7), 4009)
            client.nothing_until_pong()


@pytest.mark.parametrize("channel", [
    "a b", " a", "a ", "a:b", "a/b", "a*", "*", "ä", "日本", "🐦", "#a", "#", "##server-to-user-1", "a#b", "a\n",
    "a\u0000b", "a\tb", "a\\b",
    'a"b', "a'b", "a+b", "a%20b", "a!b", "a?b", "a&b", "a(b)", "a[b]", "a{b}", "a|b", "a~b", "a`b", "a$b", "a^b",
    "a<b>", "#server-to-user",
    "private-a b", "presence-a/b", "cache-a:b", "\u007f", "a\u2028"])
def test_a_name_with_any_other_character_is_refused(client, channel):
    """PW-049"""
    client.send_subscribe(channel)
    client.expect_refusal(channel, 4009, "InvalidChannelName")
    client.nothing_until_pong()


def test_every_allowed_character_is_accepted(client, broker):
    """PW-050"""
    letters = "".join(chr(code) for code in range(128) if chr(code).isalnum())
    for channel in [*ALLOWED, ALLOWED, letters, f"a{ALLOWED}Z9", "-", "private", "presence", "cache", "0"]:
        client.subscribe(channel)
        broker.trigger(channel, "e", "{}")
        client.expect("e", channel)


def test_names_are_case_sensitive(client, broker):
    """PW-051"""
    client.subscribe("Foo")
    broker.trigger("foo", "lower", "{}")
    broker.trigger("Foo", "upper", "{}")
    client.expect("upper", "Foo")
    client.nothing_until_marker()


@pytest.mark.parametrize("channel", [
    "privateers", "my-private-x", "presenceful", "xcache-y", "Private-x", "PRESENCE-x", "Cache-x", "my-presence-x",
    "my-cache-x",
    "private_x", "cached-x", "x-private-encrypted-y", "server-to-user-1", ".private-x"])
def test_prefixes_are_anchored(client, broker, channel):
    """PW-052: public, and uncached"""
    broker.trigger(channel, "before", "{}")
    client.send("pusher:subscribe", {"channel": channel})
    assert client.expect("pusher_internal:subscription_succeeded", channel)["data"] == "{}"
    client.nothing_until_marker()
    client.send("client-x", {}, channel=channel)
    client.expect_error(4301)


def test_one_connection_on_200_channels_gets_events_of_each(client, broker):
    """PW-053"""
    channels = [f"many-{index}" for index in range(200)]
    for channel in channels:
        client.send_subscribe(channel)
    for channel in channels:
        client.expect("pusher_internal:subscription_succeeded", channel)
    broker.trigger(channels[:100], "first", "1")
    broker.trigger(channels[100:], "second", "2")
    got = {frame["channel"]: frame["data"] for frame in (client.receive() for _ in channels)}
    assert got == {channel: "1" if index < 100 else "2" for index, channel in enumerate(channels)}
    client.nothing_until_marker()


def test_two_apps_do_not_see_each_others_events(client, broker):
    """PW-054"""
    with broker.client_of("other") as other:
        client.subscribe("shared-name")
        other.subscribe("shared-name")
        broker.trigger("shared-name", "mine", "{}")
        broker.trigger("shared-name", "theirs", "{}", **credentials("other"))
        client.expect("mine", "shared-name")
        other.expect("theirs", "shared-name")
        client.subscribe("private-shared")
        other.subscribe("private-shared")
        other.send("client-hello", {}, channel="private-shared")
        other.nothing_until_pong()
        client.nothing_until_marker()
        other.nothing_until_marker()


def test_two_apps_do_not_share_rosters_caches_or_exclusions(client, broker):
    """PW-054"""
    with broker.client_of("other") as other:
        assert client.join("presence-shared", "ann")["ids"] == ["ann"]
        assert other.join("presence-shared", "bob")["ids"] == ["bob"]
        client.nothing_until_marker()
        broker.trigger("cache-mine", "mine", "{}")
        broker.trigger("cache-theirs", "theirs", "{}", **credentials("other"))
        for one, channel in ((other, "cache-mine"), (client, "cache-theirs")):
            one.subscribe(channel)
            one.expect("pusher:cache_miss", channel)
        other.subscribe("excluding")
        broker.trigger("excluding", "e", "{}", socket_id=client.socket_id, **credentials("other"))
        other.expect("e", "excluding")


def test_one_order_for_all_subscribers(broker):
    """PW-043: two publishers at once, ten subscribers, one sequence"""
    clients = [broker.client() for _ in range(10)]
    try:
        for client in clients:
            client.subscribe("ordered")

        def publish(who):
            for index in range(40):
                broker.trigger("ordered", "e", json.dumps([who, index]))

        threads = [threading.Thread(target=publish, args=(who,)) for who in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen = [[client.expect("e", "ordered")["data"] for _ in range(80)] for client in clients]
        assert all(sequence == seen[0] for sequence in seen)
        for who in (1, 2):
            assert [i for w, i in map(json.loads, seen[0]) if w == who] == list(range(40))
    finally:
        for client in clients:
            client.close()
