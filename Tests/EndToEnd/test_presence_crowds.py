"""Presence rosters at their limits and under crowds (reference §3.7, PW-078…PW-080)."""

import json
import threading

import pytest

from harness import Broker, app, credentials, named_app
from rawclient import RawClient

ADDED, REMOVED = "pusher_internal:member_added", "pusher_internal:member_removed"


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), named_app("small", limits={"presenceMembers": 3}), named_app("roomy")]}) as running:
        yield running


def test_a_full_channel_refuses_new_users_only(people, broker):
    """PW-078"""
    inside = people(3, "small")
    for index, client in enumerate(inside):
        client.join("presence-full", f"u{index}")
    [late, tab] = people(2, "small")
    late.send_subscribe("presence-full", user="u3")
    late.expect_refusal("presence-full", 4100, "LimitReached")
    late.nothing_until_marker()
    assert tab.join("presence-full", "u0")["count"] == 3
    inside[1].unsubscribe("presence-full")
    inside[1].frames_until_pong()
    assert late.join("presence-full", "u3")["count"] == 3


def test_the_default_limit_is_100_users(broker):
    """PW-078"""
    clients = [RawClient(broker) for _ in range(102)]
    try:
        for index, client in enumerate(clients[:100]):
            client.join("presence-hundred", f"u{index}")
        clients[100].send_subscribe("presence-hundred", user="u100")
        clients[100].expect_refusal("presence-hundred", 4100, "LimitReached")
        assert clients[101].join("presence-hundred", "u7")["count"] == 100
    finally:
        for client in clients:
            client.close()


def test_an_oversized_member_is_refused(people):
    """PW-079"""
    [ann] = people(1)
    ann.send_subscribe("presence-big", user="ann", user_info={"text": "x" * 2048})
    ann.expect_refusal("presence-big", 4301, "LimitReached")
    ann.nothing_until_marker()
    assert ann.join("presence-big", "ann", {"text": "x" * 1900})["count"] == 1


def test_a_user_id_over_128_characters_is_refused(people):
    """PW-071 PW-079: §3.7 limits"""
    [ann] = people(1)
    ann.send_subscribe("presence-long-id", user="i" * 129)
    frames = ann.frames_until_pong()
    assert [frame["event"] for frame in frames] == ["pusher:subscription_error", "pusher:error"], frames


def test_fifty_users_joining_at_once_all_end_with_the_same_roster(broker):
    """PW-080"""
    users = {f"user-{index}" for index in range(50)}
    clients = [RawClient(broker) for _ in users]
    try:
        def join(part):
            for client, user in part:
                client.send_subscribe("presence-crowd", user=user)

        pairs = list(zip(clients, sorted(users)))
        threads = [threading.Thread(target=join, args=(pairs[index::5],)) for index in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            known = set(json.loads(client.expect("pusher_internal:subscription_succeeded")["data"])["presence"]["ids"])
            while known != users:
                user = json.loads(client.expect(ADDED, "presence-crowd")["data"])["user_id"]
                assert user not in known, f"{user} twice"
                known.add(user)
        for client in clients:
            client.nothing_until_pong()
        for client, _ in pairs[1::2]:
            client.close()
        stay = {user for _, user in pairs[0::2]}
        for client, _ in pairs[0::2]:
            known = set(users)
            while known != stay:
                known.remove(json.loads(client.expect(REMOVED)["data"])["user_id"])
    finally:
        for client in clients:
            client.close()


def test_a_storm_of_joins_and_leaves_ends_in_one_truth(broker):
    """PW-080: snapshot and deltas stay exact while members flap"""
    with broker.client_of("roomy") as watcher:
        known = set(watcher.join("presence-flap", "watcher")["ids"])

        def flap(name):
            with RawClient.of(broker, "roomy") as client:
                for _ in range(25):
                    client.send_subscribe("presence-flap", user=name)
                    client.unsubscribe("presence-flap")
                client.frames_until_pong()

        threads = [threading.Thread(target=flap, args=(f"f{index % 4}",)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for frame in watcher.frames_until_marker():
            user = json.loads(frame["data"])["user_id"]
            assert (frame["event"] == ADDED) == (user not in known), frame
            known ^= {user}
        users = broker.api("GET", "/channels/presence-flap/users", **credentials("roomy"))[1]["users"]
        assert known == {user["id"] for user in users} == {"watcher"}
