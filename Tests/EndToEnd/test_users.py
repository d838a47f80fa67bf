"""Signing in, sending to a user, terminating a user (reference §3.11, §5.1, §5.4, §5.5, PW-109…PW-118, PW-123)."""

import json
import urllib.parse

import pytest

from harness import Broker, app, channel_auth, credentials, named_app, user_auth
from session import check_error


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), named_app("other")]}) as running:
        yield running


@pytest.mark.parametrize("user_data", [
    '{"id":"u1"}', '{"id":"12345","user_info":{"name":"Ann"}}', ' { "id" : "u1" ,\n"extra":[1,2] } ',
    '{"user_info":"ü 🐦","id":"\\u0075\\"1"}', '{"id":"a@b.example"}', '{"id":"' + "i" * 128 + '"}',
    '{"id":"u1","watchlist":[]}', '{"id":"u1","user_info":{"t":"ab\\ud83d"}}'])
def test_a_valid_sign_in_is_confirmed_with_the_very_string(client, user_data):
    """PW-109"""
    client.send_sign_in(user_data)
    frame = client.receive()
    assert set(frame) == {"event", "data"} and frame["event"] == "pusher:signin_success", frame
    assert isinstance(frame["data"], str) and json.loads(frame["data"])["user_data"] == user_data
    assert "auth" not in json.loads(frame["data"]), "auth is not echoed"
    client.nothing_until_marker()


def test_the_data_of_a_sign_in_may_be_a_string(client):
    """PW-109: §2.1"""
    user = '{"id":"u1"}'
    client.send("pusher:signin", json.dumps({"auth": user_auth(client.socket_id, user), "user_data": user}))
    client.expect("pusher:signin_success")


@pytest.mark.parametrize("change", [
    lambda good: good[:-1] + ("0" if good[-1] != "0" else "1"), lambda good: "", lambda good: good.split(":")[1],
    lambda good: good.replace(":", "::user::"), lambda good: "other-key:" + good.split(":")[1], lambda good: "x:y:z",
    lambda good: good + "0"])
def test_a_wrong_signature_is_refused_with_4009_and_the_socket_stays(client, change):
    """PW-110"""
    user = '{"id":"u1"}'
    client.send_sign_in(user, change(user_auth(client.socket_id, user)))
    client.expect_error(4009)
    client.nothing_until_marker()
    client.send_subscribe("#server-to-user-u1")
    client.expect_refusal("#server-to-user-u1", 401, "AuthError")
    client.sign_in("u1")


def test_a_signature_for_another_socket_or_purpose_is_refused(broker, client):
    """PW-110"""
    user = '{"id":"u1"}'
    with broker.client() as other:
        for auth in (user_auth(other.socket_id, user), channel_auth(client.socket_id, "user", user),
                     user_auth(client.socket_id, user + " "),
                     user_auth(client.socket_id, user, "app-key", "other-secret")):
            client.send_sign_in(user, auth)
            client.expect_error(4009)


@pytest.mark.parametrize("user_data", [
    "", "not json", "[]", "null", '"u1"', "7", "{}", '{"id":""}', '{"id":null}', '{"id":7}', '{"id":1.5}',
    '{"id":true}', '{"id":["u"]}',
    '{"id":{}}', '{"user_id":"u1"}', '{"id":"u1"', '{"id":"u1"}}', '{"id":"' + "i" * 129 + '"}'])
def test_user_data_without_a_usable_id_is_refused(client, user_data):
    """PW-110"""
    client.send_sign_in(user_data)
    client.expect_error(4009)
    client.nothing_until_marker()


@pytest.mark.parametrize("data", [
    ..., {}, {"auth": "app-key:x"}, {"user_data": '{"id":"u1"}'}, {"auth": None, "user_data": None},
    {"auth": 5, "user_data": 5},
    {"auth": "app-key:x", "user_data": {"id": "u1"}}, [], "", "[]", 7])
def test_a_sign_in_with_missing_or_mistyped_fields_is_refused(client, data):
    """PW-110"""
    client.send_raw(json.dumps({"event": "pusher:signin", **({} if data is ... else {"data": data})}))
    client.expect_error(4009)
    client.nothing_until_pong()
    client.sign_in("u1")


@pytest.mark.parametrize("character", ["a", "é", "€", "🐦"])
def test_the_longest_id_can_be_published_to_watched_and_terminated(broker, client, character):
    """PW-109 PW-113 PW-116 PW-119: 128 characters everywhere, whatever they are in bytes"""
    user = character * 128
    with broker.client() as watcher, broker.client() as member:
        watcher.sign_in("watcher", watchlist=[user])
        assert json.loads(watcher.receive()["data"])["events"] == [{"name": "offline", "user_ids": [user]}]
        client.sign_in(user)
        assert json.loads(watcher.receive()["data"])["events"] == [{"name": "online", "user_ids": [user]}]
        client.subscribe(f"#server-to-user-{user}")
        broker.trigger(f"#server-to-user-{user}", "letter", "{}")
        client.expect("letter", f"#server-to-user-{user}")
        assert member.join(f"presence-longest-{ord(character)}", user)["ids"] == [user]
        path = urllib.parse.quote(user, safe="")
        assert broker.api("GET", f"/channels/%23server-to-user-{path}")[0] == 200
        assert broker.api("POST", f"/users/{path}/terminate_connections", b"{}") == (200, {})
        assert client.expect_close().code == 4009
        member.nothing_until_pong()


@pytest.mark.parametrize("character", ["a", "é", "€", "🐦"])
def test_a_longer_id_is_refused_everywhere(broker, client, character):
    """PW-110 PW-121: and the limit is named"""
    user = character * 129
    client.send_sign_in(json.dumps({"id": user}))
    assert "128" in client.expect_error(4009)
    client.send_sign_in(json.dumps({"id": "u", "watchlist": ["v", user]}))
    assert "watchlist[1]" in client.expect_error(4009)
    client.send_subscribe("presence-longest", user=user)
    assert "128" in client.expect_refusal("presence-longest", 4301, "LimitReached")["error"]
    channel = f"#server-to-user-{user}"
    client.send_subscribe(channel)
    assert "128" in client.expect_refusal(channel, 4009, "LimitReached")["error"]
    for method, path, body in (
            ("POST", "/events", {"name": "e", "channel": channel, "data": "d"}),
            ("POST", "/batch_events", {"batch": [{"name": "e", "channel": channel, "data": "d"}]}),
            ("GET", "/channels/" + urllib.parse.quote(channel, safe=""), None),
            ("POST", f"/users/{urllib.parse.quote(user, safe='')}/terminate_connections", {})):
        status, reply = broker.api(method, path, body)
        assert status == 400 and "128" in reply["error"], (path, status, reply)


def test_signing_in_again_as_the_same_user_succeeds_and_replaces_the_data(client):
    """PW-111"""
    client.sign_in("u1", user_info={"v": 1})
    client.sign_in("u1", user_info={"v": 2})
    snapshot = json.loads(client.subscribe("presence-again")["data"])["presence"]
    assert snapshot["hash"] == {"u1": {"v": 2}}


def test_signing_in_as_another_user_fails_and_the_first_identity_stays(client, broker):
    """PW-111"""
    client.sign_in("first")
    user = '{"id":"second"}'
    client.send_sign_in(user)
    client.expect_error(4009)
    broker.trigger("#server-to-user-first", "still-me", "{}")
    client.expect("still-me", "#server-to-user-first")
    broker.trigger("#server-to-user-second", "not-me", "{}")
    client.nothing_until_marker()


@pytest.mark.parametrize("identity", ["u1", "a@b.example", "with space", "ü", "12", "a:b/c"])
def test_a_user_may_subscribe_to_its_own_channel_only(client, identity):
    """PW-112"""
    channel = f"#server-to-user-{identity}"
    client.send("pusher:subscribe", {"auth": "", "channel": channel})
    client.expect_refusal(channel, 401, "AuthError")
    client.sign_in(identity)
    client.send("pusher:subscribe", {"auth": "", "channel": channel})
    assert client.receive() == {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"}
    for other in ("#server-to-user-u2", f"#server-to-user-{identity}x", f"#Server-to-user-{identity}"):
        client.send("pusher:subscribe", {"channel": other})
        assert client.receive()["event"] == "pusher:subscription_error"
        check_error(client.receive())
    client.nothing_until_pong()


def test_a_user_event_reaches_every_signed_in_connection_of_the_user_once(broker):
    """PW-113 PW-114: subscribed to the user channel or not"""
    with broker.client() as one, broker.client() as two, broker.client() as bob, broker.client() as nobody:
        one.sign_in("ann")
        one.subscribe("#server-to-user-ann")
        two.sign_in("ann")
        bob.sign_in("bob")
        nobody.join("presence-as-ann", "ann")
        broker.trigger("#server-to-user-ann", "for-ann", '{"n":1}')
        for client in (one, two):
            assert client.receive() == {"event": "for-ann", "channel": "#server-to-user-ann", "data": '{"n":1}'}
            client.nothing_until_marker()
        bob.nothing_until_marker()
        nobody.nothing_until_marker()


def test_unsubscribing_from_the_user_channel_does_not_stop_user_events(broker, client):
    """PW-114: delivery follows the sign-in"""
    client.sign_in("steady")
    client.subscribe("#server-to-user-steady")
    client.unsubscribe("#server-to-user-steady")
    broker.trigger("#server-to-user-steady", "e", "{}")
    client.expect("e", "#server-to-user-steady")


def test_a_user_event_to_nobody_is_accepted(broker):
    """PW-113"""
    broker.trigger("#server-to-user-nobody", "e", "{}")


def test_users_of_two_apps_are_two_users(broker, client):
    """PW-113 PW-054"""
    with broker.client_of("other") as other:
        client.sign_in("shared")
        other.sign_in("shared")
        broker.trigger("#server-to-user-shared", "mine", "{}")
        client.expect("mine")
        other.nothing_until_marker()
        assert broker.api("POST", "/users/shared/terminate_connections", {}, **credentials("other"))[0] == 200
        assert other.expect_close().code == 4009
        client.nothing_until_marker()


def test_the_excluded_socket_does_not_get_the_user_event(broker):
    """PW-115"""
    with broker.client() as one, broker.client() as two:
        one.sign_in("carl")
        two.sign_in("carl")
        broker.trigger("#server-to-user-carl", "e", "{}", socket_id=one.socket_id)
        two.expect("e", "#server-to-user-carl")
        one.nothing_until_marker()


@pytest.mark.parametrize("body", [{}, None])
def test_terminating_closes_all_signed_in_connections_of_the_user_and_no_other(broker, body):
    """PW-116 PW-118"""
    with broker.client() as one, broker.client() as two, broker.client() as bob, broker.client() as presence:
        one.sign_in("doomed")
        two.sign_in("doomed")
        bob.sign_in("bob")
        presence.join("presence-doomed", "doomed")
        assert broker.api("POST", "/users/doomed/terminate_connections", body) == (200, {})
        for client in (one, two):
            closed = client.expect_close()
            assert closed.code == 4009 and closed.reason, closed
            assert all(check_error(frame)["code"] == 4009 for frame in client.last_frames), client.last_frames
        bob.nothing_until_marker()
        presence.nothing_until_marker()
    with broker.client() as back:
        back.sign_in("doomed")
        broker.trigger("#server-to-user-doomed", "welcome", "{}")
        back.expect("welcome", "#server-to-user-doomed")


def test_terminating_takes_the_user_out_of_its_presence_channels(broker, client):
    """PW-116 PW-075"""
    client.join("presence-watch", "watcher")
    with broker.client() as doomed:
        doomed.sign_in("doomed-2")
        doomed.join("presence-watch", "doomed-2")
        client.expect("pusher_internal:member_added")
        assert broker.api("POST", "/users/doomed-2/terminate_connections", {})[0] == 200
        assert json.loads(client.expect("pusher_internal:member_removed")["data"]) == {"user_id": "doomed-2"}
        assert doomed.expect_close().code == 4009


@pytest.mark.parametrize("user", ["nobody", "never%20seen", "%C3%BC", "x" * 128])
def test_terminating_an_unknown_user_is_fine(broker, user):
    """PW-117"""
    assert broker.api("POST", f"/users/{user}/terminate_connections", {}) == (200, {})


def test_a_user_id_in_the_path_is_percent_decoded(broker, client):
    """PW-116: §6.8"""
    client.sign_in("a b/ü")
    assert broker.api("POST", "/users/a%20b%2F%C3%BC/terminate_connections", {}) == (200, {})
    assert client.expect_close().code == 4009


def test_user_channels_are_not_listed(broker, client):
    """PW-123: GET /channels and the single channel"""
    client.sign_in("hidden")
    client.subscribe("#server-to-user-hidden")
    client.subscribe("listed")
    status, reply = broker.api("GET", "/channels")
    assert status == 200 and "listed" in reply["channels"]
    assert not [name for name in reply["channels"] if name.startswith("#")], reply
    status, reply = broker.api("GET", "/channels", params={"filter_by_prefix": "#"})
    assert (status, reply) == (200, {"channels": {}})


def test_a_sign_in_without_a_sign_in_before_it_is_not_remembered_by_the_user_name(broker):
    """PW-113 PW-110: after its connections closed, nothing of a user stays"""
    with broker.client() as ann:
        ann.sign_in("brief-guest")
    with broker.client() as other:
        other.sign_in("guest-2")
        broker.trigger("#server-to-user-brief-guest", "e", "{}")
        other.nothing_until_marker()
