"""Text cut through a character: JSON by its grammar (RFC 8259 §8.2), no Unicode text (reference §2.1, PW-042, PW-098).

Every browser can send it: `"ab🐦".slice(0, 3)`. What is only passed on arrives as it was sent; names and ids are refused.
`json` reads and writes such strings as a JavaScript engine does.
"""

import json
import random

import pytest

from harness import Broker, app, channel_auth
from http_tools import Caller, assert_error, assert_success

HIGH, LOW = "\ud83d", "\udc26"
SAMPLES = ["ab" + HIGH, HIGH, LOW, LOW + HIGH, HIGH + "🐦", "🐦" + LOW, HIGH + "\\" + LOW, HIGH + '"', "\u0000" + LOW, HIGH + "u"]


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(limits={"clientEventsPerSecond": -1})]}) as running:
        yield running


def joined(broker, channel, count=2):
    clients = [broker.client() for _ in range(count)]
    for client in clients:
        client.subscribe(channel)
    return clients


def random_text(dice: random.Random) -> str:
    """Up to 12 of: halves of pairs, whole pairs, controls, what escapes are made of, other characters."""
    kinds = [lambda: chr(dice.randint(0xD800, 0xDBFF)), lambda: chr(dice.randint(0xDC00, 0xDFFF)), lambda: "🐦",
             lambda: chr(dice.randint(0, 0x1F)), lambda: dice.choice('"\\/u'), lambda: chr(dice.randint(0xA0, 0xD7FF)),
             lambda: chr(dice.randint(0x20, 0x7E))]
    return "".join(dice.choice(kinds)() for _ in range(dice.randint(0, 12)))


def as_sent(text: str) -> str:
    """The text as an engine with UTF-16 strings has it: two halves that meet are one character."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_two_thousand_random_texts_arrive_as_they_were_sent(broker):
    """PW-042 PW-098 PW-145: client events and API events, strings and objects"""
    seed = random.randrange(1 << 32)
    dice, print_seed = random.Random(seed), f"seed {seed}"
    sender, receiver = joined(broker, "private-cut")
    call = Caller(broker)
    for _ in range(40):
        texts = [random_text(dice) for _ in range(50)]
        for text in texts[:20]:
            sender.send("client-e", text, channel="private-cut")
        for text in texts[20:30]:
            sender.send("client-e", {text: [text, {"t": text}]}, channel="private-cut")
        for text in texts[:20]:
            assert as_sent(receiver.expect("client-e")["data"]) == as_sent(text), print_seed
        for text in texts[20:30]:
            data = json.loads(receiver.expect("client-e")["data"])
            [(key, [first, second])] = data.items()
            assert {as_sent(key), as_sent(first), as_sent(second["t"])} == {as_sent(text)}, print_seed
        for start in (30, 40):
            items = [{"channel": "private-cut", "name": "e", "data": text if start == 30 else [text],
                      "socket_id": sender.socket_id}
                     for text in texts[start:start + 10]]
            assert_success(call("POST", "/batch_events", {"batch": items}))
            for text in texts[start:start + 10]:
                data = receiver.expect("e")["data"]
                assert as_sent(data if start == 30 else json.loads(data)[0]) == as_sent(text), print_seed
    for client in (sender, receiver):
        client.close()


@pytest.mark.parametrize("text", SAMPLES, ids=ascii)
def test_it_passes_every_way_there_is(broker, text):
    """PW-042 PW-068 PW-072 PW-086 PW-098 PW-162"""
    number = SAMPLES.index(text)
    sender, receiver = joined(broker, f"private-every-{number}")
    for data in (text, {"t": text}, [text], {text: 1}):
        sender.send("client-e", data, channel=f"private-every-{number}")
        got = receiver.expect("client-e")["data"]
        assert (got if isinstance(data, str) else json.loads(got)) == data
    # An ignored member, in the envelope and in a command.
    sender.send("client-e", "{}", channel=f"private-every-{number}", more=text)
    receiver.expect("client-e")
    sender.send("pusher:subscribe", {"channel": f"open-{number}", "more": text, text: 1})
    sender.expect("pusher_internal:subscription_succeeded")
    # Presence: the snapshot, and what the others hear.
    channel, data = f"presence-every-{number}", json.dumps({"user_id": "u", "user_info": {"t": text}})
    receiver.join(channel, "watcher")
    snapshot = json.loads(sender.subscribe(channel, data)["data"])["presence"]
    assert snapshot["hash"]["u"] == {"t": text}
    assert json.loads(receiver.expect("pusher_internal:member_added")["data"])["user_info"] == {"t": text}
    # Cached, replayed and shown.
    call, channel = Caller(broker), f"cache-every-{number}"
    assert_success(call.publish(channel=channel, data=text, more=text))
    assert call.get(f"/channels/{channel}", info="cache").json["cache"]["data"] == text
    sender.subscribe(channel)
    assert sender.expect("e", channel)["data"] == text
    for client in (sender, receiver):
        client.close()


@pytest.mark.parametrize("text", SAMPLES[:6], ids=ascii)
def test_names_and_ids_are_refused_and_told_why(broker, text):
    """PW-049 PW-071 PW-104 PW-110 PW-142 PW-147"""
    why = "surrogate"
    sender, receiver = joined(broker, "private-strict")
    for event, channel in (("client-" + text, "private-strict"), ("client-e", "private-" + text), (text, "private-strict")):
        sender.send(event, {}, channel=channel)
        assert why in sender.expect_error(None)
    for channel in (text, "private-" + text, "presence-" + text):
        sender.send("pusher:subscribe", {"channel": channel, "auth": "app-key:x"})
        assert why in sender.expect_refusal(channel, 4009, "InvalidChannelName")["error"]
    sender.send("pusher:unsubscribe", {"channel": text})
    assert why in sender.expect_error(None)
    data = json.dumps({"user_id": text})
    sender.send("pusher:subscribe", {"channel": "presence-id", "channel_data": data,
                                     "auth": channel_auth(sender.socket_id, "presence-id", data)})
    assert why in sender.expect_refusal("presence-id", 4302, "InvalidChannelData")["error"]
    for user in ({"id": text}, {"id": "u", "watchlist": [text]}):
        sender.send_sign_in(json.dumps(user))
        assert why in sender.expect_error(4009)
    # The signed texts themselves: they have no bytes that could have been signed.
    sender.send("pusher:subscribe", {"channel": "private-x", "auth": "app-key:x", "channel_data": text})
    assert why in sender.expect_refusal("private-x", 4302, "InvalidChannelData")["error"]
    sender.send("pusher:signin", {"auth": "app-key:x", "user_data": text})
    assert why in sender.expect_error(4009)
    receiver.nothing_until_marker()
    call = Caller(broker)
    good = {"name": "e", "channel": "private-strict", "data": "d"}
    for field, bad in (("name", {"name": text}), ("channel", {"channel": text}), ("channels", {"channels": ["a", text]}),
                       ("info", {"info": text}), ("socket_id", {"socket_id": text})):
        assert_error(call("POST", "/events", {**good, **bad}), 400, field, why)
        assert_error(call("POST", "/batch_events", {"batch": [good, {**good, **bad}]}), 400, f"batch[1].{field}", why)
    receiver.nothing_until_marker()
    for client in (sender, receiver):
        client.close()
