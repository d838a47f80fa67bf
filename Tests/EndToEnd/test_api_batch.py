"""POST /apps/{id}/batch_events: ten events at once, or none (PW §6.6)."""

import pytest

from harness import Broker, app
from http_tools import Caller, assert_error, assert_success

WATCHED = ("by-1", "by-2")


def item(channel="by-1", name="e", data="d", **members) -> dict:
    return {"channel": channel, "name": name, "data": data, **members}


def batch(caller, *items):
    return caller("POST", "/batch_events", {"batch": list(items)})


def test_pw_151_ten_events_are_delivered_in_order(broker, caller):
    """PW-151: also across channels of one subscriber, as far as one channel goes."""
    with broker.client() as client:
        client.subscribe("batch-a")
        client.subscribe("batch-b")
        items = [item("batch-a" if n % 2 else "batch-b", f"e{n}", f"d{n}") for n in range(10)]
        assert assert_success(batch(caller, *items)) == {}
        frames = [client.receive() for _ in items]
        for channel in ("batch-a", "batch-b"):
            assert [f["data"] for f in frames if f["channel"] == channel] == [
                i["data"] for i in items if i["channel"] == channel]


@pytest.mark.parametrize("items", [0, 11, 50])
def test_pw_151_none_and_eleven_are_refused(caller, bystander, items):
    """PW-151 (§6.6: an empty batch is 400 too)."""
    assert_error(batch(caller, *[item()] * items), 400, "batch")
    bystander.assert_undisturbed(caller)


BAD_ITEMS = {
    "no name": ({"channel": "by-1", "data": "d"}, 400, "name"),
    "name null": (item(name=None), 400, "name"),
    "name too long": (item(name="n" * 201), 400, "name"),
    "reserved name": (item(name="pusher:x"), 400, "name"),
    "no channel": ({"name": "e", "data": "d"}, 400, "channel"),
    "channel null": (item(None), 400, "channel"),
    "bad channel": (item("a b"), 400, "channel"),
    "channel a list": (item(["by-1"]), 400, "channel"),
    "no data": ({"channel": "by-1", "name": "e"}, 400, "data"),
    "data null": (item(data=None), 400, "data"),
    "data too large": (item(data="d" * 10_241), 413, "data"),
    "bad socket_id": (item(socket_id="abc"), 400, "socket_id"),
    "bad info": (item(info="members"), 400, "info"),
    "a number": (5, 400, "batch"),
    "null": (None, 400, "batch"),
    "a list": ([], 400, "batch"),
    "a string": ("e", 400, "batch"),
    "empty": ({}, 400, ""),
}


@pytest.mark.parametrize("bad", BAD_ITEMS)
@pytest.mark.parametrize("place", [0, 4, 9])
def test_pw_151_one_invalid_item_publishes_nothing(caller, bystander, bad, place):
    """PW-151: all or nothing, wherever the bad item stands; 413 only for its data."""
    value, status, named = BAD_ITEMS[bad]
    items = [item(data=str(n)) for n in range(10)]
    items[place] = value
    assert_error(batch(caller, *items), status, named, f"batch[{place}]")
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("text", ["[", '{"name":"e\\x"}', '{"name":01}', '{"data":{"a":[1,]}}', '{"name":"e\\ud83d"}'])
def test_pw_150_what_is_no_json_in_one_item_is_told_with_its_index(caller, bystander, text):
    """PW-150 PW-151: also an interpreted string that is cut through a character."""
    good = b'{"channel":"by-1","name":"e","data":"d"}'
    body = b'{"batch":[%s,%s,%s' % (good, good, text.encode()) + (b",%s]}" % good if text != "[" else b"")
    assert_error(caller("POST", "/batch_events", body), 400, "batch[2]")
    bystander.assert_undisturbed(caller)


def test_pw_151_ten_events_of_ten_kilobytes_fit(broker, caller):
    """PW-151 (§6.1: a body limit of 1 MiB holds ten 10 KiB events in their longest escapes)."""
    with broker.client() as client:
        client.subscribe("heavy")
        items = [item("heavy", data="\u0001" * 10_240) for _ in range(10)]
        assert_success(batch(caller, *items))
        for _ in items:
            assert client.expect("e", "heavy")["data"] == "\u0001" * 10_240


def test_pw_151_items_may_name_several_channels_and_exclude_a_socket(broker, caller):
    """PW-151, PW-146 (§6.6: accept `channels` in items)."""
    with broker.client() as sender, broker.client() as other:
        for each in (sender, other):
            each.subscribe("wide-a")
            each.subscribe("wide-b")
        assert_success(batch(caller, {"channels": ["wide-a", "wide-b"], "name": "one", "data": "d"},
                             item("wide-a", "two", socket_id=sender.socket_id), item("wide-a", "three", socket_id=None)))
        names = [[each.receive()["event"] for _ in range(count)] for each, count in ((sender, 3), (other, 4))]
        assert names[0].count("one") == 2 and names[0].count("two") == 0 and names[0].count("three") == 1
        assert names[1].count("one") == 2 and names[1].count("two") == 1 and names[1].count("three") == 1


def test_pw_152_info_of_one_item_is_index_aligned(broker, caller):
    """PW-152, Q38: `batch` is an array of the same length; items that did not ask get `{}`."""
    with broker.client() as client:
        client.subscribe("presence-batch", user="u1")
        reply = assert_success(batch(caller, item("x"), item("presence-batch", info="user_count,subscription_count"),
                                     item("y"), item("y", info="subscription_count"), item("y", info="user_count")))
    assert reply == {"batch": [{}, {"user_count": 1, "subscription_count": 1}, {}, {"subscription_count": 0}, {}]}


def test_pw_152_without_info_the_reply_is_empty(caller):
    """PW-152"""
    assert assert_success(batch(caller, item("x"), item("x", info=None))) == {}


def test_pw_145_object_data_in_a_batch_is_stringified(broker, caller):
    """PW-145"""
    with broker.client() as client:
        client.subscribe("batch-object")
        assert_success(batch(caller, item("batch-object", data={"a": [1, 2]})))
        assert client.expect("e", "batch-object")["data"] == '{"a":[1,2]}'


def test_pw_149_unknown_members_are_ignored_in_items_and_beside_the_batch(caller):
    """PW-149"""
    body = {"batch": [item("x", tags={"a": 1}, extras=None)], "unknown": [1, 2]}
    assert assert_success(caller("POST", "/batch_events", body)) == {}


def test_pw_151_the_batch_size_is_the_apps():
    """PW-151: the same rule at another limit."""
    with Broker({"apps": [app(limits={"batchEvents": 2, "eventDataBytes": 4})]}) as strict:
        call = Caller(strict)
        assert_success(batch(call, item(data="1234"), item(data="1234")))
        assert_error(batch(call, *[item()] * 3), 400, "batch")
        assert_error(batch(call, item(), item(data="12345")), 413, "data")
