"""Story 3. A service with many tenants on one app: `private-tenant-…`, `private-user-…`, `presence-room-…`, `public-…`.

The application's auth endpoint decides who may hear what, and refuses another tenant; the broker must refuse whoever tries to
go round it. People type and move cursors by client events. Each plan has limits, and each limit its own code.
"""

import json
import time

import pusher.errors
import pytest

from auth_endpoint import AuthEndpoint
from clients import AsyncPusherClient, SockudoClient, publisher
from harness import DEADLINE, Broker, app, channel_auth

PLAN = {"id": "3", "key": "plan-key", "secret": "plan-secret", "clientEvents": True,
        "limits": {"connections": 100, "channels": 100, "messagesPerDay": 25}}
PLAN_KEYS = {"key": "plan-key", "secret": "plan-secret"}


@pytest.fixture(scope="module")
def endpoint(broker):
    """The application: users are `tenant/name`; rooms belong to tenants, `presence-room-<tenant>-<room>`."""

    def decide(who: str, channel: str) -> dict | None:
        tenant, _, name = who.partition("/")
        allowed = (channel.startswith((f"private-tenant-{tenant}-", f"presence-room-{tenant}-"))
                   or channel in (f"private-tenant-{tenant}", f"private-user-{name}"))
        if not allowed:
            return None
        return {"user_id": name, "user_info": {"name": name.title()}} if channel.startswith("presence-") else {}

    with AuthEndpoint(publisher(broker), decide) as running:
        yield running


def member(broker, endpoint, who: str) -> SockudoClient:
    return SockudoClient(broker, who=who, endpoint=endpoint)


def test_each_tenant_hears_its_own_channels_through_one_batch_and_all_hear_the_public_one(broker, endpoint):
    with member(broker, endpoint, "acme/ann") as ann, member(broker, endpoint, "globex/bob") as bob:
        for person, tenant, name in ((ann, "acme", "ann"), (bob, "globex", "bob")):
            for channel in (f"private-tenant-{tenant}", f"private-user-{name}", "public-status"):
                person.subscribe(channel, "notice", "last")
        publisher(broker).trigger_batch([
            {"channel": "private-tenant-acme", "name": "notice", "data": {"n": 1}},
            {"channel": "private-tenant-globex", "name": "notice", "data": {"n": 2}},
            {"channel": "private-user-ann", "name": "notice", "data": {"n": 3}},
            {"channel": "public-status", "name": "notice", "data": {"n": 4}},
            {"channel": "public-status", "name": "last", "data": {}},
        ])
        for person in (ann, bob):
            person.inbox.wait("last")
        assert [item["n"] for item in ann.inbox.data("notice")] == [1, 3, 4]
        assert [item["n"] for item in bob.inbox.data("notice")] == [2, 4]


def test_the_endpoint_refuses_another_tenants_channels_and_the_client_is_told(broker, endpoint):
    with member(broker, endpoint, "globex/eve") as eve:
        for channel in ("private-tenant-acme", "private-user-ann", "presence-room-acme-1"):
            eve.begin_subscribe(channel, "notice")
            error = eve.inbox.wait("pusher:subscription_error", channel)
            assert error.data["type"] == "AuthError" and "403" in error.data["error"], error
            assert ("globex/eve", channel) in endpoint.refused
        eve.subscribe("private-tenant-globex")


def test_going_round_the_endpoint_is_refused_by_the_broker_and_the_connection_goes_on(broker, endpoint):
    with member(broker, endpoint, "acme/ann") as ann, broker.client() as eve:
        ann.subscribe("private-tenant-acme", "notice")
        target = "private-tenant-acme"
        forged = {
            "no signature": None,
            "an empty signature": "",
            "a signature for her own channel": channel_auth(eve.socket_id, "private-tenant-globex"),
            "a signature for another connection": channel_auth(ann.socket_id, target),
            "a signature by another secret": channel_auth(eve.socket_id, target, secret="guess"),
            "the key of another app": channel_auth(eve.socket_id, target, key="plan-key"),
        }
        for attempt, auth in forged.items():
            eve.send("pusher:subscribe", {"channel": target, **({} if auth is None else {"auth": auth})})
            refusal = eve.expect("pusher:subscription_error", target)
            assert refusal["data"]["type"] == "AuthError" and refusal["data"]["status"] == 401, (attempt, refusal)
            assert eve.expect("pusher:error")["data"]["code"] is None, attempt
        publisher(broker).trigger(target, "notice", {"secret": True})
        ann.inbox.wait("notice")
        eve.nothing_until_pong()
        eve.subscribe("public-status")


def test_a_room_shows_who_is_there_and_carries_typing_and_cursors_to_the_others_only(broker, endpoint):
    room = "presence-room-acme-42"
    with member(broker, endpoint, "acme/ann") as ann, AsyncPusherClient(broker, who="acme/bob", endpoint=endpoint) as bob:
        assert ann.subscribe(room, "client-typing", "client-cursor").data.count == 1
        roster = bob.subscribe(room, "client-typing", "client-cursor", "last").data
        assert roster == {"presence": {"count": 2, "ids": roster["presence"]["ids"],
                                       "hash": {"ann": {"name": "Ann"}, "bob": {"name": "Bob"}}}}
        assert sorted(roster["presence"]["ids"]) == ["ann", "bob"]
        joined = ann.inbox.wait("pusher:member_added", room).data
        assert (joined.id, joined.info) == ("bob", {"name": "Bob"})
        assert publisher(broker).users_info(room)["users"] in ([{"id": "ann"}, {"id": "bob"}], [{"id": "bob"}, {"id": "ann"}])

        ann.trigger(room, "client-typing", {"on": True})
        for x in range(5):
            ann.trigger(room, "client-cursor", {"x": x, "y": 2 * x})
        bob.trigger(room, "client-typing", {"on": False})
        bob.inbox.wait("client-cursor", count=5)
        ann.inbox.wait("client-typing")
        assert bob.inbox.data() == [{"on": True}, *({"x": x, "y": 2 * x} for x in range(5))]
        assert ann.inbox.data() == [{"on": False}], "a client event came back to its sender"
        bob.unsubscribe(room)
        assert ann.inbox.wait("pusher:member_removed", room).data.id == "bob"


def test_cursors_faster_than_the_plan_are_dropped_with_4301_and_typing_works_again_later(broker, endpoint):
    room = "presence-room-acme-fast"
    with broker.client() as ann, broker.client() as bob:
        for person, name in ((ann, "ann"), (bob, "bob")):
            person.subscribe(room, user=name)
        ann.expect("pusher_internal:member_added", room)
        for x in range(40):
            ann.send("client-cursor", {"x": x}, channel=room)
        errors = [frame["data"]["code"] for frame in ann.frames_until_pong()]
        publisher(broker).trigger(room, "last", {})
        seen = []
        while (frame := bob.receive())["event"] != "last":
            seen.append(json.loads(frame["data"])["x"])
        assert set(errors) == {4301} and len(errors) + len(seen) == 40, (errors, seen)
        assert 10 <= len(seen) <= 20 and seen == sorted(seen) and seen[:10] == list(range(10)), seen


# Plan limits: 100 connections, 100 channels, 25 messages a day.


@pytest.fixture
def plan_broker():
    with Broker({"apps": [app(), PLAN]}) as running:
        yield running


@pytest.mark.parametrize("code", [4004, 4100])
def test_the_hundred_and_first_connection_is_refused_with_the_plans_code_until_one_leaves(code):
    with Broker({"apps": [app(), {**PLAN, "quotaCode": code}]}) as broker:
        people = [broker.client(**PLAN_KEYS) for _ in range(100)]
        refused = broker.client(**PLAN_KEYS, handshake=False)
        closed = refused.expect_close()
        assert closed.code == code, closed
        assert [frame["event"] for frame in refused.last_frames] == ["pusher:error"]
        assert refused.last_frames[0]["data"]["code"] == code
        with broker.client() as elsewhere:
            elsewhere.subscribe("public-status")  # another app of the same broker has its own plan
        people[0].subscribe("public-status")
        people.pop().close()
        with newcomer(broker) as person:
            person.subscribe("public-status")
        for person in people:
            person.close()


def newcomer(broker):
    """A connection on the place that was just left: the broker may see the departure a moment after the new handshake."""
    limit = time.monotonic() + DEADLINE
    while True:
        person = broker.client(**PLAN_KEYS, handshake=False)
        frame = person.receive()
        if frame["event"] == "pusher:connection_established":
            return person
        person.close()
        assert time.monotonic() < limit, f"still refused: {frame}"


def test_the_hundred_and_first_channel_is_refused_and_a_vacated_one_makes_room(plan_broker):
    with plan_broker.client(**PLAN_KEYS) as ann, plan_broker.client(**PLAN_KEYS) as bob:
        for number in range(100):
            ann.subscribe(f"public-{number}")
        bob.send_subscribe("public-100")
        refusal = bob.expect("pusher:subscription_error", "public-100")
        assert (refusal["data"]["type"], refusal["data"]["status"]) == ("LimitReached", 4100), refusal
        bob.expect("pusher:error")
        bob.subscribe("public-7")  # an existing channel is no new one
        status, reply = plan_broker.api("GET", "/channels", app_id="3", **PLAN_KEYS)
        assert status == 200 and len(reply["channels"]) == 100 and "public-100" not in reply["channels"], (status, reply)
        ann.unsubscribe("public-99")
        ann.nothing_until_pong()
        bob.subscribe("public-100")


def test_messages_over_the_days_plan_are_refused_with_403_and_a_batch_is_refused_whole(plan_broker):
    service = publisher(plan_broker, app_id="3", **PLAN_KEYS)
    with plan_broker.client(**PLAN_KEYS) as ann:
        for channel in ("public-a", "public-b"):
            ann.subscribe(channel)
        for number in range(10):
            service.trigger(["public-a", "public-b"], "tick", {"n": number})  # two messages each: 20
        with pytest.raises(pusher.errors.PusherForbidden):
            service.trigger_batch([{"channel": "public-a", "name": "tick", "data": {"n": n}} for n in range(10, 16)])
        for number in range(10, 15):
            service.trigger("public-a", "tick", {"n": number})  # 25
        with pytest.raises(pusher.errors.PusherForbidden) as refusal:
            service.trigger("public-a", "tick", {"n": 15})
        assert "25" in str(refusal.value) or "quota" in str(refusal.value).lower(), refusal.value
        frames = [ann.receive() for _ in range(25)]
        ann.nothing_until_pong()
        assert [json.loads(f["data"])["n"] for f in frames if f["channel"] == "public-a"] == list(range(15))
        assert [json.loads(f["data"])["n"] for f in frames if f["channel"] == "public-b"] == list(range(10))
        publisher(plan_broker).trigger("public-a", "tick", {})  # another app has its own plan
