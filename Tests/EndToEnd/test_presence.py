"""Presence rosters: who is in, told to whom, once (reference §3.7, PW-068…PW-083)."""

import json
import zlib

import pytest

from harness import Broker, app, channel_auth, named_app, wait_until
from rawclient import RawClient

ADDED, REMOVED = "pusher_internal:member_added", "pusher_internal:member_removed"


@pytest.fixture(scope="module")
def broker():
    apps = [app(), named_app("brief", activityTimeoutSeconds=1)]
    with Broker({"pongTimeoutSeconds": 1, "apps": apps}) as running:
        yield running


def added(client, channel) -> dict:
    frame = client.expect(ADDED, channel)
    assert isinstance(frame["data"], str), frame
    return json.loads(frame["data"])


def removed(client, channel, user, **options) -> None:
    frame = client.expect(REMOVED, channel, **options)
    assert json.loads(frame["data"]) == {"user_id": user}, frame


def test_the_first_member_sees_itself(people):
    """PW-068"""
    [ann] = people(1)
    assert ann.join("presence-first", "u1", {"name": "Ann", "n": [1, None]}) == {
        "count": 1, "ids": ["u1"], "hash": {"u1": {"name": "Ann", "n": [1, None]}}}
    ann.nothing_until_marker()


@pytest.mark.parametrize("written, identity", [
    ("10", "10"), ("10.0", "10"), ("0", "0"), ("-7", "-7"), ("9007199254740992", "9007199254740992"), ('"10"', "10"),
    ('"10.0"', "10.0"),
    ('"a@b+c.example"', "a@b+c.example"), ('"ü 🐦"', "ü 🐦"), ('" "', " "), ('"' + "i" * 128 + '"', "i" * 128),
    ('"\\u0061\\"\\\\"', 'a"\\')])
def test_a_user_id_is_a_string_or_a_number_and_always_told_as_a_string(people, written, identity):
    """PW-069"""
    channel = f"presence-id-{zlib.crc32(written.encode())}"
    first, second = people(2)
    first.join(channel, "first")
    data = json.loads(second.subscribe(channel, f'{{"user_id":{written}}}')["data"])["presence"]
    assert data["ids"] == ["first", identity] or data["ids"] == [identity, "first"], data
    assert set(data["hash"]) == {"first", identity} and data["count"] == 2, data
    assert added(first, channel)["user_id"] == identity
    second.unsubscribe(channel)
    removed(first, channel, identity)


def test_10_and_string_10_are_the_same_user(people):
    """PW-069 PW-073"""
    watcher, number, string = people(3)
    watcher.join("presence-same-ten", "watcher")
    number.subscribe("presence-same-ten", '{"user_id":10}')
    assert added(watcher, "presence-same-ten")["user_id"] == "10"
    assert json.loads(string.subscribe("presence-same-ten", '{"user_id":"10"}')["data"])["presence"]["count"] == 2
    watcher.nothing_until_marker()


@pytest.mark.parametrize("info", ["", ',"user_info":null'])
def test_missing_user_info_is_null_in_the_hash(people, info):
    """PW-070"""
    [ann] = people(1)
    frame = ann.subscribe("presence-no-info", '{"user_id":"u1"' + info + "}")
    assert json.loads(frame["data"])["presence"] == {"count": 1, "ids": ["u1"], "hash": {"u1": None}}


@pytest.mark.parametrize("info", [
    '{"name":"Ann","nested":{"a":[1,2,{"b":null}]}}', '"text \\u00fc \\" \\\\ 🐦"', "7", "1.50", "true", "[]", "{}",
    '{"user_id":"someone else","__proto__":1}'])
def test_any_json_may_be_the_user_info(people, info):
    """PW-068 PW-072"""
    channel = f"presence-info-{zlib.crc32(info.encode())}"
    watcher, ann = people(2)
    watcher.join(channel, "w")
    frame = ann.subscribe(channel, '{"user_id":"ann","user_info":' + info + "}")
    assert json.loads(frame["data"])["presence"]["hash"]["ann"] == json.loads(info)
    assert added(watcher, channel) == {"user_id": "ann", "user_info": json.loads(info)}


@pytest.mark.parametrize("data", [
    None, "", "not json", "{", "[]", '"u1"', "null", "7", "{}", '{"user_id":null}', '{"user_id":true}',
    '{"user_id":[]}', '{"user_id":["u"]}',
    '{"user_id":{}}', '{"user_id":""}', '{"user_info":{"a":1}}', '{"user_id":"u1"', '{"user_id":"u1"}x',
    '{"user_id":"u1",}',
    '{"user_id":"\\ud800"}', "{'user_id':'u1'}", '{"user_id":NaN}', '{"USER_ID":"u1"}'])
def test_unusable_channel_data_is_refused(people, broker, data):
    """PW-071"""
    watcher, ann = people(2)
    watcher.join("presence-unusable", "watcher")
    ann.send_subscribe("presence-unusable", data)
    ann.expect_refusal("presence-unusable", 4302, "InvalidChannelData")
    ann.nothing_until_marker()
    watcher.nothing_until_marker()


def test_a_second_user_is_announced_to_the_first_only(people):
    """PW-072"""
    ann, bob = people(2)
    ann.join("presence-second", "ann", {"name": "Ann"})
    snapshot = bob.join("presence-second", "bob", {"name": "Bob"})
    assert snapshot["count"] == 2 and sorted(snapshot["ids"]) == ["ann", "bob"]
    assert snapshot["hash"] == {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}}
    assert added(ann, "presence-second") == {"user_id": "bob", "user_info": {"name": "Bob"}}
    ann.nothing_until_marker()
    bob.nothing_until_marker()


def test_a_second_connection_of_a_user_is_not_announced_and_the_first_info_stays(people):
    """PW-073 PW-074 PW-075"""
    watcher, tab1, tab2 = people(3)
    watcher.join("presence-tabs", "watcher")
    assert tab1.join("presence-tabs", "ann", {"tab": 1})["count"] == 2
    assert added(watcher, "presence-tabs") == {"user_id": "ann", "user_info": {"tab": 1}}
    snapshot = tab2.join("presence-tabs", "ann", {"tab": 2})
    assert snapshot["count"] == 2 and snapshot["hash"]["ann"] == {"tab": 1}, snapshot
    watcher.nothing_until_marker()
    tab1.nothing_until_marker()
    tab1.close()
    tab2.nothing_until_marker()
    watcher.nothing_until_marker()
    tab2.close()
    removed(watcher, "presence-tabs", "ann")
    watcher.nothing_until_marker()


def test_after_a_user_left_completely_its_info_is_new(people):
    """PW-073 PW-076: first wins until the user leaves"""
    watcher, ann = people(2)
    watcher.join("presence-return", "watcher")
    for version in (1, 2):
        assert ann.join("presence-return", "ann", {"v": version})["hash"]["ann"] == {"v": version}
        assert added(watcher, "presence-return")["user_info"] == {"v": version}
        ann.unsubscribe("presence-return")
        removed(watcher, "presence-return", "ann")


def test_unsubscribing_is_leaving_that_channel_only(people):
    """PW-076 PW-081"""
    watcher, ann = people(2)
    for channel in ("presence-one", "presence-two"):
        watcher.join(channel, "watcher")
        ann.join(channel, "ann")
        added(watcher, channel)
    ann.unsubscribe("presence-one")
    removed(watcher, "presence-one", "ann")
    watcher.nothing_until_marker()
    watcher.unsubscribe("presence-two")
    assert sorted(watcher.join("presence-two", "watcher")["ids"]) == ["ann", "watcher"]


def test_unsubscribing_one_of_two_connections_is_not_leaving(people):
    """PW-074 PW-076"""
    watcher, tab1, tab2 = people(3)
    watcher.join("presence-half", "watcher")
    tab1.join("presence-half", "ann")
    added(watcher, "presence-half")
    tab2.join("presence-half", "ann")
    tab1.unsubscribe("presence-half")
    tab1.nothing_until_pong()
    watcher.nothing_until_marker()
    tab2.unsubscribe("presence-half")
    removed(watcher, "presence-half", "ann")


def test_one_user_may_be_different_people_in_two_channels(people):
    """PW-081"""
    watcher, ann = people(2)
    watcher.join("presence-left", "watcher")
    ann.join("presence-left", "ann")
    added(watcher, "presence-left")
    assert ann.join("presence-right", "someone-else")["ids"] == ["someone-else"]
    watcher.nothing_until_marker()


def test_a_second_subscribe_gives_a_fresh_snapshot_and_announces_nothing(people):
    """PW-073: §3.5"""
    ann, bob = people(2)
    ann.join("presence-twice", "ann")
    bob.join("presence-twice", "bob")
    added(ann, "presence-twice")
    assert sorted(ann.join("presence-twice", "ann")["ids"]) == ["ann", "bob"]
    bob.nothing_until_marker()
    ann.unsubscribe("presence-twice")
    removed(bob, "presence-twice", "ann")
    bob.nothing_until_marker()


def test_a_second_subscribe_as_another_user_is_refused(people):
    """PW-056: §3.5"""
    ann, bob = people(2)
    bob.join("presence-swap", "bob")
    ann.join("presence-swap", "ann")
    added(bob, "presence-swap")
    ann.send_subscribe("presence-swap", user="mallory")
    ann.expect_refusal("presence-swap", 401, "AuthError")
    bob.nothing_until_marker()
    assert sorted(bob.join("presence-swap", "bob")["ids"]) == ["ann", "bob"]


def test_a_tcp_reset_is_leaving_at_once(broker, people):
    """PW-077"""
    [watcher] = people(1)
    watcher.join("presence-reset", "watcher")
    victim = RawClient(broker)
    victim.join("presence-reset", "victim")
    added(watcher, "presence-reset")
    victim.abort()
    removed(watcher, "presence-reset", "victim", timeout=3)


def test_a_vanished_peer_leaves_with_the_liveness_timeout(broker, people):
    """PW-077: no reset ever comes; the silence ends it"""
    watcher = RawClient.of(broker, "brief", answers_pings=True)
    watcher.join("presence-vanish", "watcher")
    with RawClient.of(broker, "brief") as victim:
        victim.join("presence-vanish", "victim")
        added(watcher, "presence-vanish")
        removed(watcher, "presence-vanish", "victim", timeout=5)
    watcher.close()


def test_a_signed_in_connection_needs_no_channel_data(people):
    """PW-082"""
    watcher, ann, tab = people(3)
    watcher.join("presence-signed-in", "watcher")
    ann.sign_in("ann", user_info={"name": "Ann"})
    snapshot = json.loads(ann.subscribe("presence-signed-in")["data"])["presence"]
    assert snapshot["hash"] == {"watcher": None, "ann": {"name": "Ann"}}, snapshot
    assert added(watcher, "presence-signed-in") == {"user_id": "ann", "user_info": {"name": "Ann"}}
    tab.sign_in("ann")
    assert json.loads(tab.subscribe("presence-signed-in",
        user="other")["data"])["presence"]["count"] == 3, "channel_data wins"
    assert added(watcher, "presence-signed-in")["user_id"] == "other"


def test_without_sign_in_and_channel_data_it_is_refused_even_if_signed(people):
    """PW-082 PW-071"""
    [ann] = people(1)
    ann.send_subscribe("presence-nobody", auth=channel_auth(ann.socket_id, "presence-nobody"))
    ann.expect_refusal("presence-nobody", 4302, "InvalidChannelData")


@pytest.mark.parametrize("data", [
    '{ "user_id" : "u" , "user_info" : { "name" : "Ann" } }', '{"user_id":"u","user_info":{"name":"\\u0041nn"}}',
    '{"user_info":{"name":"Ann"},"user_id":"\\u0075"}', '\n{"user_id":"u",\n\t"user_info":{"name":"Ann"}}\r\n',
    '{"user_id":"u","user_info":{"name":"Ann"},"extra":{"a":[1,2]}}'])
def test_the_bytes_of_channel_data_are_verified_as_they_came(people, data):
    """PW-083"""
    [ann] = people(1)
    assert json.loads(ann.subscribe("presence-bytes", data)["data"])["presence"]["hash"] == {"u": {"name": "Ann"}}


def test_the_escapes_of_the_outer_json_do_not_matter(people):
    """PW-083: what is signed is the decoded string"""
    [ann] = people(1)
    data = '{"user_id":"ü/🐦"}'
    auth = channel_auth(ann.socket_id, "presence-escapes", data)
    inner = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else "\\ud83d\\udc26" for c in data)
    data = f'{{"channel":"presence\\u002descapes","auth":"{auth}","channel_data":"{inner}"}}'
    ann.send_raw(f'{{"event":"pusher:subscribe","data":{data}}}')
    frame = ann.expect("pusher_internal:subscription_succeeded", "presence-escapes")
    assert json.loads(frame["data"])["presence"]["ids"] == ["ü/🐦"]


def test_the_roster_is_empty_after_everybody_left(people, broker):
    """PW-075 PW-076"""
    for client in people(3):
        client.join("presence-empty", "u")
        client.close()
    wait_until(lambda: broker.api("GET", "/channels/presence-empty")[1].get("occupied") is False,
        "the channel is vacated")
    [ann] = people(1)
    assert ann.join("presence-empty", "ann")["ids"] == ["ann"]
