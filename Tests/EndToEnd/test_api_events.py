"""POST /apps/{id}/events: what is published, to whom, and what the caller is told (PW §6.5)."""

import json
import string

import pytest

from harness import Broker, app
from http_tools import Caller, assert_error, assert_success, event

WATCHED = ("by-1", "by-2")


def test_pw_139_channel_and_channels_publish(caller, client):
    """PW-139: 200, a JSON object, content type application/json; §6.5: the object is empty."""
    client.subscribe("one")
    client.subscribe("two")
    assert assert_success(caller.publish(channel="one")) == {}
    client.expect("e", "one")
    assert assert_success(caller.publish(channels=["one", "two"])) == {}
    assert {client.expect("e")["channel"] for _ in range(2)} == {"one", "two"}


def test_pw_139_the_content_type_is_not_required(caller, client):
    """PW-139 (§6.1: some send a charset, curl users a form type, some none)."""
    client.subscribe("typed")
    for kind in (None, "application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded",
                 "text/plain", "APPLICATION/JSON"):
        assert_success(caller("POST", "/events", event("typed"), headers={"Content-Type": kind} if kind else {}))
        client.expect("e", "typed")


def test_pw_139_channels_wins_over_channel(caller, client):
    """PW-139 (§6.5: if both are given, `channels` wins)."""
    client.subscribe("single")
    client.subscribe("several")
    assert_success(caller.publish(channel="single", channels=["several"]))
    client.expect("e", "several")
    client.nothing_until_pong()


@pytest.mark.parametrize("members", [{"channel": None, "channels": ["nulls"]}, {"channel": "nulls", "channels": None},
                                     {"channel": "nulls", "socket_id": None, "info": None, "tags": None}])
def test_pw_146_null_optional_members_count_as_absent(caller, client, members):
    """PW-146, Q13: Laravel sends `socket_id: null`."""
    client.subscribe("nulls")
    assert assert_success(caller.publish(**members)) == {}
    client.expect("e", "nulls")


def test_pw_140_one_hundred_channels_are_accepted(caller, client):
    """PW-140"""
    names = [f"hundred-{index}" for index in range(100)]
    for name in names[::33]:
        client.subscribe(name)
    assert_success(caller.publish(channels=names))
    assert sorted(client.expect("e")["channel"] for _ in names[::33]) == sorted(names[::33])


@pytest.mark.parametrize("channels", [[], ["by-1"] + [f"more-{index}" for index in range(100)]], ids=["none", "101"])
def test_pw_140_no_channel_and_101_channels_are_refused(caller, bystander, channels):
    """PW-140"""
    assert_error(caller.publish(channels=channels), 400, "channels")
    bystander.assert_undisturbed(caller)


def test_pw_140_a_publish_without_channel_is_refused(caller):
    """PW-140"""
    assert_error(caller.publish(), 400, "channel")


def test_pw_141_a_channel_named_twice_gets_one_frame(caller, client):
    """PW-141"""
    client.subscribe("twice")
    assert_success(caller.publish(channels=["twice", "other", "twice", "twice"]))
    client.expect("e", "twice")
    client.nothing_until_pong()


def test_pw_141_duplicates_do_not_count_twice_in_info(caller):
    """PW-141, PW-148: one entry per unique channel."""
    reply = assert_success(caller.publish(channels=["dup", "dup"], info="subscription_count"))
    assert reply == {"channels": {"dup": {"subscription_count": 0}}}


@pytest.mark.parametrize("name", ["n" * 200, "é" * 200, "😀" * 200, "\\", " ", "a.b:c/d", "\u0001", "日本", '"quoted"',
                                  "pusher", "Pusher:x", "client-x"])
def test_pw_142_names_of_up_to_200_characters_are_accepted_and_arrive_unchanged(caller, client, name):
    """PW-142, PW-155, Q12: counted in Unicode scalars; nothing is filtered; `client-` is an ordinary name here."""
    client.subscribe("names")
    assert_success(caller.publish(name=name, channel="names"))
    assert client.expect(name, "names")["data"] == "d"


@pytest.mark.parametrize("name", ["n" * 201, "é" * 201, "", None, 5, True, ["n"], {"n": 1}],
                         ids=lambda name: repr(name)[:12])
def test_pw_142_a_name_too_long_or_empty_or_no_string_is_refused(caller, bystander, name):
    """PW-142"""
    assert_error(caller.publish(name=name, channel="by-1"), 400, "name")
    bystander.assert_undisturbed(caller)


def test_pw_143_data_is_required(caller, bystander):
    """PW-143: missing and null."""
    assert_error(caller.publish({"name": "e", "channel": "by-1"}), 400, "data")
    assert_error(caller.publish(channel="by-1", data=None), 400, "data")
    bystander.assert_undisturbed(caller)


TEXTS = ["", " ", "0", "null", '{"a":1}', '{ "b" : 2,\n\t"a":[1 , 2] }', "é😀\u2028\u2029", "\x00\x01\x1f\x7f", '"', "\\",
         "</script>", "a" * 10_240, "\\u00e9", "\ufeff"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:16])
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "utf-8"])
def test_pw_143_string_data_arrives_as_it_was_sent(caller, client, text, ascii_only):
    """PW-143, PW-042: verbatim, the empty string included, however the caller escaped it."""
    client.subscribe("verbatim")
    body = json.dumps({"name": "e", "channel": "verbatim", "data": text}, ensure_ascii=ascii_only).encode()
    assert_success(caller.publish(body))
    frame = client.expect("e", "verbatim")
    assert frame == {"event": "e", "channel": "verbatim", "data": text}


@pytest.mark.parametrize("data", ["d" * 10_240, "é" * 5_120, "😀" * 2_560, "\u0001" * 10_240, '"' * 10_240],
                         ids=["ascii", "two bytes", "four bytes", "escaped controls", "escaped quotes"])
def test_pw_144_ten_kilobytes_of_data_are_accepted(caller, client, data):
    """PW-144: bytes of UTF-8, measured after unescaping."""
    client.subscribe("limit")
    assert_success(caller.publish(channel="limit", data=data))
    assert client.expect("e", "limit")["data"] == data


@pytest.mark.parametrize("data", ["d" * 10_241, "é" * 5_120 + "x", "😀" * 2_560 + "x", {"k": "v" * 10_240}],
                         ids=["ascii", "two bytes", "four bytes", "object"])
def test_pw_144_one_byte_more_is_413(caller, bystander, data):
    """PW-144, PW-138"""
    assert_error(caller.publish(channel="by-1", data=data), 413, "data", "10240")
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("given, delivered", [
    (b'{"b":1,"a":[1,2]}', '{"b":1,"a":[1,2]}'), (b'{ "b" : 1 , "a" : [ 1 , "x y" ] }', '{"b":1,"a":[1,"x y"]}'),
    (b"[]", "[]"), (b"5", "5"), (b"-0.50e+1", "-0.50e+1"), (b"true", "true"), (b"false", "false"),
    (b'{"k":"\\u00e9 \\" \xc3\xbc"}', None), (b"[" * 10 + b"]" * 10, "[" * 10 + "]" * 10),
])
def test_pw_145_data_that_is_no_string_is_delivered_as_its_text(caller, client, given, delivered):
    """PW-145: stringified compactly, numbers and key order as they were."""
    client.subscribe("objects")
    assert_success(caller.publish(b'{"name":"e","channel":"objects","data":' + given + b"}"))
    data = client.expect("e", "objects")["data"]
    assert isinstance(data, str)
    assert data == delivered if delivered is not None else json.loads(data) == json.loads(given)


def test_pw_146_socket_id_excludes_exactly_that_connection(broker, caller):
    """PW-146"""
    with broker.client() as sender, broker.client() as other:
        for each in (sender, other):
            each.subscribe("exclude")
        assert_success(caller.publish(channel="exclude", socket_id=sender.socket_id))
        other.expect("e", "exclude")
        sender.nothing_until_pong()
        assert_success(caller.publish(channel="exclude", socket_id="1.1"))
        for each in (sender, other):
            each.expect("e", "exclude")


@pytest.mark.parametrize("socket_id", ["0.0", "123.456", "151004717.3505838415", "9" * 19 + "." + "9" * 20])
def test_pw_146_an_unknown_socket_id_is_fine(caller, socket_id):
    """PW-146: any digits, also more than 64 bits hold."""
    assert assert_success(caller.publish(channel="x", socket_id=socket_id)) == {}


@pytest.mark.parametrize("socket_id", ["abc", "1", "1.", ".1", "1.2.3", "1.2:private-x", "1.2\n", "-1.2", "+1.2", "1.2 ",
                                       "", "1,2", "1.2e3", "١.٢", 1.2, True, ["1.2"], {"a": 1}], ids=ascii)
def test_pw_146_a_malformed_socket_id_is_refused(caller, bystander, socket_id):
    """PW-146"""
    assert_error(caller.publish(channel="by-1", socket_id=socket_id), 400, "socket_id")
    bystander.assert_undisturbed(caller)


ILLEGAL = ["", "a b", "a:b", "a/b", "a*b", "ü", "#x", "#", "#server-to-user-", "a#b", "a\nb", "a\x00b", "c" * 201, " a", "a "]


@pytest.mark.parametrize("name", ILLEGAL, ids=lambda name: ascii(name)[:16])
@pytest.mark.parametrize("place", ["channel", "first", "last"])
def test_pw_147_an_invalid_channel_name_refuses_the_whole_publish(caller, bystander, name, place):
    """PW-147"""
    members = {"channel": {"channel": name}, "first": {"channels": [name, "by-1"]}, "last": {"channels": ["by-1", name]}}
    assert_error(caller.publish(**members[place]), 400, "channel")
    bystander.assert_undisturbed(caller)


def test_pw_147_every_legal_character_and_200_bytes_are_accepted(caller, client):
    """PW-147: the counter-check."""
    for name in (string.ascii_letters + string.digits + "_-=@,.;", "c" * 200, "private-", "presence-cache-x"):
        assert_success(caller.publish(channel=name))


def test_pw_148_info_counts_per_channel(broker, caller):
    """PW-148: ints per channel; user_count only where it applies; zeros where nobody is."""
    with broker.client() as first, broker.client() as second:
        first.subscribe("presence-info", user="u1")
        second.subscribe("presence-info", user="u1")
        first.subscribe("info")
        reply = assert_success(caller.publish(channels=["presence-info", "info", "presence-empty", "empty"],
                                              info="user_count,subscription_count"))
    assert reply == {"channels": {"presence-info": {"user_count": 1, "subscription_count": 2},
                                  "info": {"subscription_count": 1},
                                  "presence-empty": {"user_count": 0, "subscription_count": 0},
                                  "empty": {"subscription_count": 0}}}


def test_pw_148_a_channel_to_which_nothing_applies_is_an_empty_object(caller):
    """PW-148"""
    assert assert_success(caller.publish(channels=["plain", "presence-p"], info="user_count")) == {
        "channels": {"plain": {}, "presence-p": {"user_count": 0}}}


@pytest.mark.parametrize("info", ["members", "user_count,members", "user_count;subscription_count", "User_Count"])
def test_pw_148_an_unknown_attribute_is_refused(caller, bystander, info):
    """PW-148 (§6.5)"""
    assert_error(caller.publish(channel="by-1", info=info), 400, "info")
    bystander.assert_undisturbed(caller)


def test_pw_149_unknown_members_are_ignored(caller, client):
    """PW-149: sockudo's extensions, and anything else, of any type."""
    client.subscribe("unknown")
    extras = {"tags": {"a": "b"}, "extras": [1, {"x": None}], "": 0, "user_id": "forged"}
    assert assert_success(caller.publish(channel="unknown", **extras)) == {}
    assert client.expect("e", "unknown") == {"event": "e", "channel": "unknown", "data": "d"}


@pytest.mark.parametrize("name", ["pusher:x", "pusher:subscription_succeeded", "pusher_internal:member_added", "pusher:",
                                  "pusher_internal:"])
def test_pw_156_reserved_event_names_are_refused(caller, bystander, name):
    """PW-156"""
    assert_error(caller.publish(name=name, channel="by-1"), 400, "name")
    bystander.assert_undisturbed(caller)


def test_pw_157_sequential_publishes_arrive_in_order(broker, caller):
    """PW-157: for every subscriber, whatever its loop."""
    clients = [broker.client() for _ in range(8)]
    for each in clients:
        each.subscribe("order")
    for number in range(200):
        assert_success(caller.publish(channel="order", data=str(number)))
    for each in clients:
        assert [each.expect("e", "order")["data"] for _ in range(200)] == [str(number) for number in range(200)]
        each.close()


def test_pw_139_private_presence_and_encrypted_channels_need_no_channel_auth_to_publish(broker, caller, client):
    """PW-139 (§6.5), PW-065: encrypted data passes byte for byte."""
    for channel in ("private-p", "private-encrypted-p", "presence-p"):
        client.subscribe(channel, user="u" if channel.startswith("presence") else None)
        data = '{ "nonce":"x",  "ciphertext" : "y=="}'
        assert_success(caller.publish(channel=channel, data=data))
        assert client.expect("e", channel)["data"] == data


def test_pw_139_send_to_user_reaches_every_connection_of_the_user(broker, caller):
    """PW-139 (§5.4): the only `#` name; socket_id exclusion applies; others get nothing."""
    with broker.client() as tab, broker.client() as second_tab, broker.client() as stranger:
        tab.sign_in("u1")
        second_tab.sign_in("u1")
        stranger.sign_in("u2")
        assert_success(caller.publish(channel="#server-to-user-u1"))
        for each in (tab, second_tab):
            assert each.expect("e", "#server-to-user-u1")["data"] == "d"
        assert_success(caller.publish(channel="#server-to-user-u1", socket_id=tab.socket_id))
        second_tab.expect("e", "#server-to-user-u1")
        tab.nothing_until_pong()
        stranger.nothing_until_pong()


def test_pw_144_the_limits_are_the_apps(caller):
    """PW-140, PW-142, PW-144: the same limits, set for the app."""
    limits = {"eventChannels": 2, "eventNameCharacters": 3, "eventDataBytes": 4, "channelNameBytes": 5}
    with Broker({"apps": [app(limits=limits)]}) as strict:
        call = Caller(strict)
        assert_success(call.publish(name="abc", channels=["12345", "b"], data="1234"))
        assert_error(call.publish(channels=["a", "b", "c"]), 400, "channels")
        assert_error(call.publish(name="abcd", channel="a"), 400, "name")
        assert_error(call.publish(channel="a", data="12345"), 413, "data")
        assert_error(call.publish(channel="123456"), 400, "channel")
