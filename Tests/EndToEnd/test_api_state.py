"""What the API says about channels, users and connections, and terminate (PW §6.7, §6.8)."""

import urllib.parse

import pytest

from harness import Broker, app, wait_until
from http_tools import Caller, assert_error, assert_success


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), {"id": "2", "key": "other-key", "secret": "other-secret"}]}) as running:
        yield running


def test_pw_158_only_occupied_channels_are_listed(broker):
    """PW-158, PW-123, Q15: an object, also when empty; user channels never; vacated ones no more; apps apart."""
    other = Caller(broker, app_id="2", key="other-key", secret="other-secret")
    assert assert_success(other.get("/channels")) == {"channels": {}}
    with broker.client(key="other-key", secret="other-secret") as client:
        client.sign_in("u1")
        client.subscribe("listed")
        client.subscribe("presence-listed", user="u1")
        client.subscribe("left")
        client.unsubscribe("left")
        client.nothing_until_pong()
        assert assert_success(other.get("/channels")) == {"channels": {"listed": {}, "presence-listed": {}}}
        assert "listed" not in assert_success(Caller(broker).get("/channels"))["channels"]
    wait_until(lambda: other.get("/channels").json == {"channels": {}}, "the vacated channels leaving the list")


def test_pw_158_an_event_to_an_unoccupied_channel_does_not_occupy_it(caller):
    """PW-158: nor does a cached one."""
    for name in ("unoccupied", "cache-unoccupied"):
        assert_success(caller.publish(channel=name))
        assert name not in assert_success(caller.get("/channels"))["channels"]


def test_pw_159_the_prefix_filters(caller, client):
    """PW-159"""
    for name in ("filter-a", "filter-b", "xfilter-c"):
        client.subscribe(name)
    channels = assert_success(caller.get("/channels", filter_by_prefix="filter-"))["channels"]
    assert channels == {"filter-a": {}, "filter-b": {}}
    assert assert_success(caller.get("/channels", filter_by_prefix="filter-z"))["channels"] == {}


def test_pw_159_user_count_counts_distinct_users(broker, caller):
    """PW-159: with a presence prefix."""
    with broker.client() as one, broker.client() as same, broker.client() as two:
        for each, user in ((one, "u1"), (same, "u1"), (two, "u2")):
            each.subscribe("presence-count", user=user)
        reply = assert_success(caller.get("/channels", filter_by_prefix="presence-count", info="user_count"))
        assert reply == {"channels": {"presence-count": {"user_count": 2}}}
        reply = assert_success(caller.get("/channels", filter_by_prefix="presence-count",
                                          info="subscription_count,user_count"))
        assert reply == {"channels": {"presence-count": {"user_count": 2, "subscription_count": 3}}}


@pytest.mark.parametrize("prefix", [None, "", "p", "presence", "private-", "xpresence-"])
def test_pw_159_user_count_without_a_presence_prefix_is_refused(caller, prefix):
    """PW-159"""
    params = {"info": "user_count"} | ({} if prefix is None else {"filter_by_prefix": prefix})
    assert_error(caller.get("/channels", **params), 400, "user_count")


def test_pw_159_subscription_count_is_allowed_for_any_prefix(caller, client):
    """PW-159 (§6.7)"""
    client.subscribe("counted")
    reply = assert_success(caller.get("/channels", filter_by_prefix="counted", info="subscription_count"))
    assert reply == {"channels": {"counted": {"subscription_count": 1}}}


@pytest.mark.parametrize("path", ["/channels", "/channels/c"])
@pytest.mark.parametrize("info", ["members", "subscription_count,members", "Subscription_Count"])
def test_pw_161_an_unknown_attribute_is_refused(caller, path, info):
    """PW-159, PW-161"""
    assert_error(caller.get(path, info=info), 400, "info")


@pytest.mark.parametrize("name", ["nobody", "private-nobody", "private-encrypted-nobody", "presence-nobody"])
def test_pw_160_an_unknown_channel_is_not_occupied(caller, name):
    """PW-160: 200, and exactly what was asked (here nothing)."""
    assert assert_success(caller.get(f"/channels/{name}")) == {"occupied": False}


def test_pw_160_info_on_an_unoccupied_channel_gives_zeros(caller):
    """PW-160 (§6.7)"""
    assert assert_success(caller.get("/channels/presence-nobody", info="user_count,subscription_count")) == {
        "occupied": False, "user_count": 0, "subscription_count": 0}


def test_pw_161_subscription_count_counts_connections(broker, caller, client):
    """PW-161, PW-160"""
    client.subscribe("one-channel")
    with broker.client() as second:
        second.subscribe("one-channel")
        assert assert_success(caller.get("/channels/one-channel", info="subscription_count")) == {
            "occupied": True, "subscription_count": 2}
    wait_until(lambda: caller.get("/channels/one-channel", info="subscription_count").json["subscription_count"] == 1,
               "the count after a disconnect")


@pytest.mark.parametrize("name", ["public", "private-x", "cache-x", "private-cache-x", "presenceful"])
def test_pw_161_user_count_on_a_channel_without_users_is_refused(caller, name):
    """PW-161"""
    assert_error(caller.get(f"/channels/{name}", info="user_count"), 400, "user_count")


def test_pw_161_user_count_on_presence_counts_users(broker, caller):
    """PW-161"""
    with broker.client() as one, broker.client() as same:
        one.subscribe("presence-one", user="u1")
        same.subscribe("presence-one", user="u1")
        assert assert_success(caller.get("/channels/presence-one", info="user_count,subscription_count")) == {
            "occupied": True, "user_count": 1, "subscription_count": 2}


def test_pw_162_info_cache_tells_the_cached_data_and_its_time_to_live(caller, client):
    """PW-162"""
    client.subscribe("cache-info")
    client.expect("pusher:cache_miss", "cache-info")
    assert assert_success(caller.get("/channels/cache-info", info="cache")) == {"occupied": True, "cache": None}
    assert_success(caller.publish(channel="cache-info", name="kept", data='{"é":"x\\n"}'))
    cache = assert_success(caller.get("/channels/cache-info", info="cache"))["cache"]
    assert cache["data"] == '{"é":"x\\n"}' and set(cache) == {"data", "ttl"}
    assert isinstance(cache["ttl"], int) and 0 < cache["ttl"] <= 1800


@pytest.mark.parametrize("name", ["cache-e", "private-cache-e", "presence-cache-e", "private-encrypted-cache-e"])
def test_pw_162_every_kind_of_cache_channel_tells_its_cache(caller, name):
    """PW-162: also when nobody is subscribed."""
    assert assert_success(caller.get(f"/channels/{name}", info="cache")) == {"occupied": False, "cache": None}
    assert_success(caller.publish(channel=name, data="kept"))
    assert assert_success(caller.get(f"/channels/{name}", info="cache"))["cache"]["data"] == "kept"


def test_pw_163_users_are_distinct_string_ids(broker, caller):
    """PW-163"""
    with broker.client() as one, broker.client() as same, broker.client() as number, broker.client() as odd:
        one.subscribe("presence-users", user="u1")
        same.subscribe("presence-users", user="u1")
        number.subscribe("presence-users", user=10)
        odd.subscribe("presence-users", user='é "x"')
        users = assert_success(caller.get("/channels/presence-users/users"))["users"]
    assert sorted(user["id"] for user in users) == ["10", "u1", 'é "x"']
    assert all(set(user) == {"id"} for user in users)


def test_pw_163_an_empty_presence_channel_has_no_users(caller):
    """PW-163"""
    assert assert_success(caller.get("/channels/presence-empty/users")) == {"users": []}


@pytest.mark.parametrize("name", ["public", "private-x", "cache-x", "private-encrypted-x", "presenceful"])
def test_pw_163_users_of_a_channel_without_users_is_refused(caller, name):
    """PW-163"""
    assert_error(caller.get(f"/channels/{name}/users"), 400, "presence")


def test_pw_164_an_escaped_name_in_the_path_is_the_same_channel(broker, caller, client):
    """PW-164: every legal character that may be escaped, escaped and not."""
    name = "presence-a_b=c@d,e.f;g"
    client.subscribe(name, user="u1")
    everything = "".join(f"%{byte:02X}" for byte in name.encode())
    for path in (name, urllib.parse.quote(name, safe=""), everything, everything.lower()):
        assert assert_success(caller.get(f"/channels/{path}"))["occupied"] is True
        assert assert_success(caller.get(f"/channels/{path}/users")) == {"users": [{"id": "u1"}]}
    twice = urllib.parse.quote(urllib.parse.quote(name, safe=""), safe="")
    assert caller.get(f"/channels/{twice}").status == 400, "the path must be decoded once, and `%` is no legal character"


@pytest.mark.parametrize("name", ["a%20b", "a%2Fb", "%00", "%C3%BC", "c" * 201, "a:b", "%23x", "a*b"])
def test_pw_164_an_illegal_name_in_the_path_is_no_channel(caller, name):
    """PW-164, PW-160: 400 or 404, never 5xx; `%2F` does not become a path separator."""
    for suffix in ("", "/users"):
        reply = caller.get(f"/channels/{name}{suffix}")
        assert reply.status in (400, 404), reply
        assert_error(reply, reply.status)


@pytest.mark.parametrize("bad", ["%", "%z", "%zz", "a%2", "%u0041", "%ff", "%C3%28"])
def test_pw_164_a_broken_escape_in_the_path_is_a_client_error(caller, bad):
    """PW-164: 400, 401 or 404; the next call on the connection is served."""
    reply = caller.get(f"/channels/{bad}")
    assert reply.status in (400, 401, 404), reply
    assert_success(caller.get("/channels"))


@pytest.mark.parametrize("method, path", [
    ("GET", ""), ("GET", "/"), ("GET", "/event"), ("GET", "/channels/c/user"), ("GET", "/channels/c/users/x"),
    ("POST", "/events/x"), ("GET", "/users"), ("GET", "/users/u"), ("POST", "/users/u/terminate"), ("GET", "/stats/x"),
    ("GET", "/channels//users"), ("GET", "/../1/channels"), ("GET", "/Channels"),
])
def test_pw_166_an_unknown_route_is_404(caller, method, path):
    """PW-166, PW-138"""
    assert_error(caller(method, path, {} if method == "POST" else None), 404)


@pytest.mark.parametrize("method, path", [
    ("GET", "/events"), ("PUT", "/events"), ("DELETE", "/events"), ("PATCH", "/events"), ("GET", "/batch_events"),
    ("POST", "/channels"), ("DELETE", "/channels"), ("POST", "/channels/c"), ("DELETE", "/channels/c"),
    ("POST", "/channels/presence-c/users"), ("GET", "/users/u/terminate_connections"), ("POST", "/connections"),
])
def test_pw_166_a_wrong_method_on_a_known_route_is_405(caller, method, path):
    """PW-166, PW-138; RFC 9110 §15.5.6: the reply names the allowed methods."""
    reply = caller(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
    assert_error(reply, 405)
    assert method not in reply.headers["allow"] and reply.headers["allow"], reply


@pytest.mark.parametrize("path", ["/channels", "/channels/c", "/channels/presence-c/users", "/connections"])
def test_pw_166_a_trailing_slash_is_routed_and_signed_as_it_stands(caller, path):
    """PW-166 (§6.1: do not normalise for the signature, route both)."""
    assert_success(caller.get(path + "/"))


def test_pw_158_reverbs_connections_route_counts_connections(broker):
    """PW-158 (§6.10): `{"connections":n}`, which Laravel Pulse reads; per app."""
    other = Caller(broker, app_id="2", key="other-key", secret="other-secret")
    wait_until(lambda: other.get("/connections").json == {"connections": 0}, "no connection left of earlier tests")
    with broker.client(key="other-key", secret="other-secret"), broker.client(key="other-key", secret="other-secret"):
        assert assert_success(other.get("/connections")) == {"connections": 2}
    wait_until(lambda: other.get("/connections").json == {"connections": 0}, "the count after the close")


# terminate_connections


@pytest.mark.parametrize("body", [None, b"{}", b'{"x":1}'])
@pytest.mark.parametrize("user", ["nobody", "user%40example.com", "a%20b", "%C3%BC"])
def test_pw_139_terminate_is_200_even_when_nobody_matched(caller, user, body):
    """PW-139 (§6.8: body empty or an object; always `200 {}`; the id is percent-decoded)."""
    assert assert_success(caller("POST", f"/users/{user}/terminate_connections", body)) == {}


@pytest.mark.parametrize("user", ["u1", "user@example.com", "é x"])
def test_pw_139_terminate_closes_every_signed_in_connection_of_the_user_and_no_other(broker, caller, user):
    """PW-139 (§5.5: 4009; presence-only identities are not affected)."""
    with broker.client() as tab, broker.client() as second, broker.client() as stranger, broker.client() as member:
        tab.sign_in(user)
        second.sign_in(user)
        stranger.sign_in("somebody-else")
        member.subscribe("presence-terminate", user=user)
        assert_success(caller("POST", f"/users/{urllib.parse.quote(user, safe='')}/terminate_connections", {}))
        for each in (tab, second):
            assert each.expect_close().code == 4009
            assert any(frame["event"] == "pusher:error" and frame["data"]["code"] == 4009
                       for frame in each.last_frames), each.last_frames
        stranger.nothing_until_pong()
        member.nothing_until_pong()
