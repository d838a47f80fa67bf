"""Online and offline events of watched users (reference §5.3, PW-119…PW-121)."""

import json

import pytest

from harness import Broker, app, named_app
from session import check_error

EVENTS = "pusher_internal:watchlist_events"


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), named_app("off", watchlist=False),
        named_app("three", limits={"watchlist": 3})]}) as running:
        yield running


def check_events(frame: dict) -> dict:
    """The frame as §5.3 wants it; gives {"online": ids, "offline": ids}."""
    assert set(frame) == {"event", "data"} and frame["event"] == EVENTS and isinstance(frame["data"], str), frame
    events = json.loads(frame["data"])["events"]
    assert isinstance(events, list) and events, frame
    names = [event["name"] for event in events]
    assert len(set(names)) == len(names) and set(names) <= {"online", "offline"}, frame
    for event in events:
        assert event["user_ids"] and all(isinstance(user, str) for user in event["user_ids"]), frame
    return {event["name"]: sorted(event["user_ids"]) for event in events}


def test_after_sign_in_the_state_of_every_watched_user_is_told(people):
    """PW-119"""
    bob, ann = people(2)
    bob.sign_in("w1-bob")
    ann.sign_in("w1-ann", watchlist=["w1-bob", "w1-carl", "w1-dora"])
    assert check_events(ann.receive()) == {"online": ["w1-bob"], "offline": ["w1-carl", "w1-dora"]}
    ann.nothing_until_marker()
    bob.nothing_until_marker()


def test_empty_groups_are_left_out(people):
    """PW-119"""
    bob, ann, eve = people(3)
    bob.sign_in("w2-bob")
    ann.sign_in("w2-ann", watchlist=["w2-bob"])
    assert check_events(ann.receive()) == {"online": ["w2-bob"]}
    eve.sign_in("w2-eve", watchlist=["w2-nobody"])
    assert check_events(eve.receive()) == {"offline": ["w2-nobody"]}


@pytest.mark.parametrize("watchlist", [[], None])
def test_without_a_watchlist_nothing_is_told(people, watchlist):
    """PW-119"""
    [ann] = people(1)
    ann.sign_in("w3-ann", watchlist=watchlist)
    ann.nothing_until_marker()


def test_the_first_connection_is_online_and_the_last_one_offline(people):
    """PW-120"""
    ann, tab1, tab2 = people(3)
    ann.sign_in("w4-ann", watchlist=["w4-bob"])
    assert check_events(ann.receive()) == {"offline": ["w4-bob"]}
    tab1.sign_in("w4-bob")
    assert check_events(ann.receive()) == {"online": ["w4-bob"]}
    tab2.sign_in("w4-bob")
    tab2.sign_in("w4-bob")
    ann.nothing_until_marker()
    tab1.close()
    tab2.nothing_until_marker()
    ann.nothing_until_marker()
    tab2.close()
    assert check_events(ann.receive()) == {"offline": ["w4-bob"]}
    ann.nothing_until_marker()


def test_a_presence_channel_does_not_make_a_user_online(people):
    """PW-120"""
    ann, bob = people(2)
    ann.sign_in("w5-ann", watchlist=["w5-bob"])
    assert check_events(ann.receive()) == {"offline": ["w5-bob"]}
    bob.join("presence-w5", "w5-bob")
    ann.nothing_until_marker()


def test_one_may_watch_oneself(people):
    """PW-119"""
    [ann] = people(1)
    ann.sign_in("w6-ann", watchlist=["w6-ann"])
    assert check_events(ann.receive()) == {"online": ["w6-ann"]}


def test_two_watchers_are_both_told_and_a_watcher_that_left_is_not_missed(people):
    """PW-120"""
    ann, eve, bob = people(3)
    for watcher, name in ((ann, "w7-ann"), (eve, "w7-eve")):
        watcher.sign_in(name, watchlist=["w7-bob"])
        assert check_events(watcher.receive()) == {"offline": ["w7-bob"]}
    bob.sign_in("w7-bob")
    for watcher in (ann, eve):
        assert check_events(watcher.receive()) == {"online": ["w7-bob"]}
    eve.close()
    bob.abort()
    assert check_events(ann.receive()) == {"offline": ["w7-bob"]}


def test_a_new_sign_in_replaces_the_watchlist(people):
    """PW-111 PW-120: §5.1"""
    ann, bob, carl = people(3)
    ann.sign_in("w8-ann", watchlist=["w8-bob"])
    check_events(ann.receive())
    ann.sign_in("w8-ann", watchlist=["w8-carl"])
    assert check_events(ann.receive()) == {"offline": ["w8-carl"]}
    bob.sign_in("w8-bob")
    ann.nothing_until_marker()
    carl.sign_in("w8-carl")
    assert check_events(ann.receive()) == {"online": ["w8-carl"]}


def too_long(people, name, length, limit, prefix):
    ann, inside, outside = people(3, name)
    ids = [f"{prefix}-{index}" for index in range(length)]
    ann.sign_in(f"{prefix}-ann", watchlist=ids)
    frames = ann.frames_until_marker()
    assert check_error(next(frame for frame in frames if frame["event"] == "pusher:error"))["code"] == 4302
    [events] = [check_events(frame) for frame in frames if frame["event"] == EVENTS]
    assert events == {"offline": sorted(ids[:limit])} and len(frames) == 2
    outside.sign_in(ids[limit])
    outside.nothing_until_pong()
    ann.nothing_until_marker()
    inside.sign_in(ids[limit - 1])
    assert check_events(ann.receive()) == {"online": [ids[limit - 1]]}


def test_of_150_watched_users_the_first_100_are_watched(people):
    """PW-121"""
    too_long(people, None, 150, 100, "w9")


def test_the_limit_of_the_watchlist_is_the_apps(people):
    """PW-121"""
    too_long(people, "three", 4, 3, "w10")


def test_with_the_feature_off_nothing_is_told(people):
    """PW-119"""
    ann, bob = people(2, "off")
    ann.sign_in("ann", watchlist=["bob"] + [f"u{index}" for index in range(150)])
    bob.sign_in("bob")
    ann.frames_until_marker()
    assert not [frame for frame in ann.frames_until_marker() if frame["event"] == EVENTS]


@pytest.mark.parametrize("watchlist", ['"bob"', "7", "null", "{}", '[1,2,"w11-x"]', '[null]', '[["a"]]', '[""]',
    '["' + "x" * 5000 + '"]'])
def test_an_odd_watchlist_does_not_break_the_sign_in(people, watchlist):
    """PW-119 PW-110: whatever is told is told in strings"""
    [ann] = people(1)
    ann.send_sign_in('{"id":"w11-ann","watchlist":' + watchlist + "}")
    frames = ann.frames_until_marker()
    assert frames and frames[0]["event"] in ("pusher:signin_success", "pusher:error"), frames
    for frame in frames:
        if frame["event"] == EVENTS:
            check_events(frame)


def test_a_user_named_twice_is_told_once(people):
    """PW-119"""
    ann, bob = people(2)
    ann.sign_in("w12-ann", watchlist=["w12-bob", "w12-bob"])
    assert check_events(ann.receive()) == {"offline": ["w12-bob"]}
    bob.sign_in("w12-bob")
    assert check_events(ann.receive()) == {"online": ["w12-bob"]}
    ann.nothing_until_marker()
