"""Publishes that may be repeated: `X-Idempotency-Key`, or `idempotency_key` in the body (issue 7 D)."""

import http.client
import json
import threading

import pytest

from harness import Broker, app, credentials, named_app
from http_tools import Caller, Raw, assert_error, assert_success, chunks, event, signed_post

KEY_HEADER = "X-Idempotency-Key"
WATCHED = ("by-1",)


def is_replay(reply) -> bool:
    return reply.headers.get("x-idempotency-replayed") == "true"


def names(client, count: int) -> list[str]:
    return [client.receive()["event"] for _ in range(count)]


@pytest.mark.parametrize("place", ["header", "body", "both"])
@pytest.mark.parametrize("path", ["/events", "/batch_events"])
def test_a_repetition_gets_the_first_answer_and_publishes_nothing(caller, client, place, path):
    """PW-139, PW-152"""
    channel, key = f"once-{place}", f"{path}-{place}"
    client.subscribe(channel)
    one = {"name": "e", "channel": channel, "data": "d", "info": "subscription_count"}
    body = one if path == "/events" else {"batch": [one, one]}
    body = {**body, "idempotency_key": key} if place != "header" else body
    headers = {KEY_HEADER: key} if place != "body" else {}
    first = caller("POST", path, body, headers=headers)
    assert_success(first)
    count = 1 if path == "/events" else 2
    assert names(client, count) == ["e"] * count
    client.unsubscribe(channel)
    again = [caller("POST", path, body, headers=headers) for _ in range(3)]
    # Nobody listens any more, and the answers say what the first did.
    assert [reply.body for reply in again] == [first.body] * 3 and b'"subscription_count":1' in first.body
    assert not is_replay(first) and all(map(is_replay, again))
    client.subscribe(channel)
    assert_success(caller.publish(name="last", channel=channel))
    assert names(client, 1) == ["last"]


def test_a_key_in_the_header_is_the_same_key_in_the_body(caller, client):
    client.subscribe("same")
    body = {"name": "e", "channel": "same", "data": "d", "idempotency_key": "same-key"}
    assert_success(caller("POST", "/events", body))
    assert is_replay(caller("POST", "/events", body, headers={KEY_HEADER: "same-key"}))
    assert names(client, 1) == ["e"]
    client.nothing_until_pong()


def test_another_publish_with_the_same_key_is_409(caller, bystander):
    headers = {KEY_HEADER: "conflict"}
    one = {"name": "e", "channel": "conflict-a", "data": "d"}
    assert_success(caller("POST", "/events", one, headers=headers))
    others = [("/events", {**one, "data": "D"}, ()), ("/events", one, (("info", "subscription_count"),)),
              ("/batch_events", {"batch": [one]}, ())]
    for path, body, params in others:
        assert_error(caller("POST", path, body, params, headers=headers), 409, "idempotency")
    assert is_replay(caller("POST", "/events", one, headers=headers)), "a conflict forgets nothing"
    bystander.assert_undisturbed(caller)


def test_a_key_in_the_query_of_another_time_is_the_same_publish(caller):
    """The signature, its time and its key are not part of what is asked for; other parameters are, in any order."""
    body = b'{"data":"d"}'
    for number, params in enumerate(([("name", "e"), ("channel", "q")], [("channel", "q"), ("name", "e")])):
        reply = caller("POST", "/events", body, params, headers={KEY_HEADER: "query"})
        assert_success(reply)
        assert is_replay(reply) == (number == 1)


@pytest.mark.parametrize("header, member", [("", None), ("k" * 129, None), ("a", "b"), (None, ""), (None, 5), (None, ["k"]),
                                            (None, "é" * 65), (None, True)])
def test_a_malformed_key_is_400(caller, bystander, header, member):
    one, own = {"name": "e", "channel": "by-1", "data": "d"}, {} if member is None else {"idempotency_key": member}
    calls = [("/events", {**one, **own}), ("/batch_events", {"batch": [one], **own})]
    if header is None:
        calls.append(("/batch_events", {"batch": [{**one, **own}]}))
    for path, body in calls:
        reply = caller("POST", path, body, headers={} if header is None else {KEY_HEADER: header})
        assert_error(reply, 400, "idempotency")
    bystander.assert_undisturbed(caller)


def test_two_headers_are_400(broker):
    body = event("twice")
    with Raw(broker) as raw:
        raw.send(signed_post(body, f"Content-Length: {len(body)}", f"{KEY_HEADER}: a", f"{KEY_HEADER}: a"))
        assert_error(raw.reply(), 400, KEY_HEADER)


def test_null_is_no_key(caller, client):
    client.subscribe("null")
    for _ in range(2):
        assert not is_replay(caller.publish(channel="null", idempotency_key=None))
    assert names(client, 2) == ["e", "e"]


def test_a_refused_publish_does_not_use_up_its_key():
    """Refused by its form, by a rate, by the day's quota: the same key may still be used."""
    apps = [named_app("rate", limits={"backendEventsPerSecond": 2}), named_app("day", limits={"messagesPerDay": 1})]
    with Broker({"apps": apps}) as broker:
        call = Caller(broker, **credentials("rate"))
        headers = {KEY_HEADER: "k"}
        assert_error(call("POST", "/events", {"name": "", "channel": "c", "data": "d"}, headers=headers), 400)
        wide = {"name": "e", "channels": ["a", "b", "c"], "data": "d"}
        assert_error(call("POST", "/events", wide, headers=headers), 429)
        reply = call("POST", "/events", {**wide, "channels": ["a"]}, headers=headers)
        assert_success(reply)
        assert not is_replay(reply)
        call = Caller(broker, **credentials("day"))
        assert_success(call.publish(channel="a"))
        assert_error(call("POST", "/events", wide, headers=headers), 403)
        assert_error(call("POST", "/events", {**wide, "data": "other"}, headers=headers), 403)


def test_a_repetition_takes_reads_and_no_messages():
    """It publishes nothing, so no quota of publishes; but its rate is that of reads."""
    limits = {"messagesPerDay": 1, "readRequestsPerSecond": 2}
    with Broker({"apps": [named_app("q", limits=limits)]}) as broker:
        call = Caller(broker, **credentials("q"))
        replies = [call("POST", "/events", {"name": "e", "channel": "c", "data": "d"}, headers={KEY_HEADER: "k"})
                   for _ in range(40)]
        assert [reply.status for reply in replies[:3]] == [200] * 3 and is_replay(replies[1])
        assert {reply.status for reply in replies} == {200, 429}
        assert_error(next(reply for reply in replies if reply.status == 429), 429)


def test_a_key_belongs_to_its_app_and_not_to_its_credentials():
    two = named_app("two", keys=[{"key": "spare", "secret": "spare-secret"}])
    with Broker({"apps": [named_app("one"), two]}) as broker:
        callers = [Caller(broker, **credentials("one")), Caller(broker, **credentials("two")),
                   Caller(broker, app_id="two", key="spare", secret="spare-secret")]
        replies = [call("POST", "/events", {"name": "e", "channel": "c", "data": "d"}, headers={KEY_HEADER: "k"})
                   for call in callers]
        assert [is_replay(reply) for reply in replies] == [False, False, True]


def test_events_of_a_batch_may_have_keys_of_their_own(caller, client):
    """As sockudo's libraries send them: what was published before is not published again, whatever else the batch holds."""
    client.subscribe("items")

    def item(name: str, key=None, **members) -> dict:
        return {"name": name, "channel": "items", "data": "d", **members} | ({"idempotency_key": key} if key else {})

    info = {"info": "subscription_count"}
    first = caller("POST", "/batch_events", {"batch": [item("a", "i-a"), item("b", "i-b", **info), item("c")]})
    assert assert_success(first) == {"batch": [{}, {"subscription_count": 1}, {}]}
    again = caller("POST", "/batch_events", {"batch": [item("b", "i-b", **info), item("d", "i-d"), item("c"),
                                                       item("a", "i-a")]})
    assert assert_success(again) == {"batch": [{"subscription_count": 1}, {}, {}, {}]} and not is_replay(again)
    assert names(client, 5) == ["a", "b", "c", "d", "c"]
    assert is_replay(caller("POST", "/batch_events", {"batch": [item("d", "i-d"), item("a", "i-a")]}))
    conflict = {"batch": [item("n", "i-n"), item("other", "i-a")]}
    assert_error(caller("POST", "/batch_events", conflict), 409, "batch[1]")
    twice = {"batch": [item("n", "i-n"), item("n", "i-n")]}
    assert_error(caller("POST", "/batch_events", twice), 400, "batch[1]")
    client.nothing_until_pong()
    assert not is_replay(caller("POST", "/batch_events", {"batch": [item("n", "i-n")]})), "neither claimed a key"
    assert names(client, 1) == ["n"]


def keyed(*keys: str) -> dict:
    return {"batch": [{"name": "e", "channel": "c", "data": "d", "idempotency_key": key} for key in keys]}


def test_what_a_batch_repeats_takes_a_read_and_only_what_is_new_takes_messages():
    """PW-139: two messages of the day's three, then one, however often the two are repeated; the repetitions have a rate."""
    limits = {"messagesPerDay": 3, "readRequestsPerSecond": 5}
    with Broker({"apps": [named_app("q", limits=limits)]}) as broker:
        call = Caller(broker, **credentials("q"))
        assert_success(call("POST", "/batch_events", keyed("a", "b")))
        assert_success(call("POST", "/batch_events", keyed("a", "b", "c")))
        assert_error(call("POST", "/batch_events", keyed("a", "d")), 403)
        replies = [call("POST", "/batch_events", keyed("a", "c")) for _ in range(60)]
        assert {reply.status for reply in replies} == {200, 429}


def test_a_refused_batch_does_not_use_up_the_keys_of_its_events():
    with Broker({"apps": [named_app("rate", limits={"backendEventsPerSecond": 2})]}) as broker:
        call = Caller(broker, **credentials("rate"))
        assert_error(call("POST", "/batch_events", keyed("a", "b", "c")), 429)
        reply = call("POST", "/batch_events", keyed("a"))
        assert_success(reply)
        assert not is_replay(reply)


def test_a_keyed_body_in_chunks_is_the_same_publish(broker, caller):
    body = event("chunks")
    for number in range(2):
        with Raw(broker) as raw:
            lines = ["Transfer-Encoding: chunked", f"{KEY_HEADER}: chunks"]
            reply = raw.send(signed_post(body, *lines, framed=chunks(body[:5], body[5:]))).reply()
            assert_success(reply)
            assert is_replay(reply) == (number == 1)


def test_the_same_key_on_all_loops_at_once_publishes_once():
    """32 callers on two loops, 50 keys, all at the same moment for each: one event each, everybody the same answer."""
    with Broker({"loops": 2, "apps": [app()]}) as broker, broker.client() as client:
        client.subscribe("race")
        barrier, wrong = threading.Barrier(32), []

        def run() -> None:
            call = Caller(broker)
            for number in range(50):
                body = {"name": f"e{number}", "channels": ["race"] + [f"r{n}" for n in range(99)], "data": "d"}
                barrier.wait(timeout=60)
                try:
                    reply = call("POST", "/events", body, headers={KEY_HEADER: f"race-{number}"})
                    if (reply.status, reply.json) != (200, {}):
                        wrong.append(reply)
                except (OSError, http.client.HTTPException) as failure:
                    wrong.append(failure)
            call.close()

        threads = [threading.Thread(target=run) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert names(client, 50) == [f"e{number}" for number in range(50)]
        client.nothing_until_pong()


@pytest.mark.memory
def test_keys_without_number_cost_bounded_memory():
    """10,000 keys an app; the oldest are forgotten, the newest are not."""
    with Broker({"apps": [app()]}) as broker:
        call = Caller(broker)
        body = {"name": "e", "channel": "c", "data": "d"}
        raw = json.dumps(body).encode()
        with Raw(broker) as connection:
            for start in range(0, 10_100, 100):
                connection.send(b"".join(
                    signed_post(raw, f"Content-Length: {len(raw)}", f"{KEY_HEADER}: {number:0128d}")
                    for number in range(start, start + 100)))
                for _ in range(100):
                    assert_success(connection.reply())
        assert broker.resident_bytes() < 64 << 20
        assert is_replay(call("POST", "/events", raw, headers={KEY_HEADER: f"{10_099:0128d}"}))
        assert not is_replay(call("POST", "/events", raw, headers={KEY_HEADER: f"{0:0128d}"}))
