"""Authorised channels (reference §3.2–§3.4, §8, PW-055…PW-067)."""

import json

import pytest

from harness import Broker, app, channel_auth, named_app, user_auth
from session import check_error, check_refusal

VECTOR = {"key": "278d425bdf160c739803", "secret": "7ad3773142a6692b25b8"}


@pytest.fixture(scope="module")
def broker():
    apps = [app(keys=[{"key": "second-key", "secret": "second-secret"}]), named_app("other"), {"id": "3", **VECTOR},
            named_app("soketi", subscriptionErrors="soketi"), named_app("hosted", subscriptionErrors="hosted")]
    with Broker({"apps": apps}) as running:
        yield running


def not_subscribed(client, broker, channel):
    broker.trigger(channel, "leak", "{}", app_id=client.app_id, key=client.key, secret=client.secret)
    client.nothing_until_marker()


@pytest.mark.parametrize("channel, data, digest", [
    ("private-foobar", None, "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
    ("presence-foobar", '{"user_id":"10","user_info":{"name":"Mr. Pusher"}}',
     "48dac51d2d7569e1e9c0f48c227d4b26f238fa68e5c0bb04222c966909c4f7c4"),
    ("presence-foobar", '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}',
     "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c"),
    ("presence-foobar", None, "71506e66e7fdca106571b8999a849ad34245bc653772e51e0026c1a2475b92ba"),
    ("private-encrypted-foo", None, "e85caab4331194145d44feae15aea9539ea50631afacbc593a9555ceadc42357")])
def test_the_harness_signs_as_the_vectors_say(channel, data, digest):
    """PW-055: vectors A2, A3, A4, A6, A7 hold for what the other tests send"""
    assert channel_auth("1234.1234", channel, data, **VECTOR) == f"{VECTOR['key']}:{digest}"
    signed = user_auth("1234.1234", '{"id":"12345"}', **VECTOR)
    assert signed.endswith("4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba")


@pytest.mark.parametrize("channel", ["private-x", "private-", "private-encrypted-x", "private-cache-x",
                                     "private-encrypted-cache-x", "private-encrypted-", "private-cache-"])
def test_a_right_signature_is_accepted(client, broker, channel):
    """PW-055"""
    client.subscribe(channel)
    if "cache" in channel:
        client.expect("pusher:cache_miss", channel)
    broker.trigger(channel, "e", "{}")
    client.expect("e", channel)


def test_a_right_signature_with_the_vectors_app_is_accepted(broker):
    """PW-055"""
    with broker.client(app_id="3", **VECTOR) as client:
        assert client.subscribe("private-foobar")["data"] == "{}"


def test_every_active_key_of_the_app_may_sign(client, broker):
    """PW-055: §3.2"""
    auth = channel_auth(client.socket_id, "private-two", None, "second-key", "second-secret")
    client.subscribe("private-two", auth=auth)
    with broker.client(key="second-key", secret="second-secret") as other:
        other.subscribe("private-two")
        broker.trigger("private-two", "e", "{}")
        other.expect("e", "private-two")


WRONG = {
    "another digest": lambda good: good[:-1] + ("0" if good[-1] != "0" else "1"),
    "digest cut short": lambda good: good[:-1],
    "digest too long": lambda good: good + "0",
    "not hex": lambda good: good[:-1] + "g",
    "unicode digits": lambda good: good[:-1] + "٣",
    "empty digest": lambda good: good.split(":")[0] + ":",
    "digest only": lambda good: good.split(":")[1],
    "no colon": lambda good: good.replace(":", ""),
    "empty": lambda good: "",
    "colon only": lambda good: ":",
    "no key": lambda good: ":" + good.split(":")[1],
    "space before": lambda good: " " + good,
    "space after": lambda good: good + " ",
    "another key of no app": lambda good: "nobody:" + good.split(":")[1],
    "key of another app": lambda good: "other-key:" + good.split(":")[1],
    "key in another case": lambda good: "APP-KEY:" + good.split(":")[1],
    "the other key's name": lambda good: "second-key:" + good.split(":")[1],
    "two colons": lambda good: good.replace(":", "::"),
    "user style": lambda good: good.replace(":", "::user::"),
    "huge": lambda good: good + "0" * 50_000,
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("channel", ["private-wrong", "private-encrypted-wrong", "presence-wrong"])
def test_a_wrong_auth_is_refused_and_the_socket_stays(client, broker, name, channel):
    """PW-056 PW-057 PW-058 PW-063 PW-064"""
    data = '{"user_id":"u"}' if channel.startswith("presence") else None
    client.send_subscribe(channel, data, auth=WRONG[name](channel_auth(client.socket_id, channel, data)))
    client.expect_refusal(channel, 401, "AuthError")
    not_subscribed(client, broker, channel)


@pytest.mark.parametrize("members", [{}, {"auth": None}, {"auth": ""}])
@pytest.mark.parametrize("channel", [
    "private-x", "private-encrypted-x", "private-cache-x", "private-encrypted-cache-x", "presence-x",
    "presence-cache-x"])
def test_no_auth_is_refused(client, broker, channel, members):
    """PW-057 PW-066 PW-067"""
    broker.trigger(channel, "cached", "{}")
    data = {"channel_data": '{"user_id":"u"}'} if channel.startswith("presence") else {}
    client.send("pusher:subscribe", {"channel": channel, **data, **members})
    client.expect_refusal(channel, 401, "AuthError")
    not_subscribed(client, broker, channel)


def test_a_refused_presence_subscription_leaks_no_member(client, broker):
    """PW-067"""
    with broker.client() as inside:
        inside.join("presence-guarded", "inside")
        client.send_subscribe("presence-guarded", user="intruder", auth="app-key:" + "0" * 64)
        client.expect_refusal("presence-guarded", 401, "AuthError")
        inside.nothing_until_marker()
        with broker.client() as third:
            assert sorted(third.join("presence-guarded", "third")["ids"]) == ["inside", "third"]


def test_a_signature_for_another_socket_or_channel_is_refused(client, broker):
    """PW-059"""
    with broker.client() as other:
        auths = [channel_auth(other.socket_id, "private-mine"), channel_auth(client.socket_id, "private-yours"),
                 channel_auth(client.socket_id, "private-mine", "extra"),
                 channel_auth(client.socket_id, "private-mine:extra"),
                 channel_auth(client.socket_id + "0", "private-mine"), channel_auth("", "private-mine")]
        for auth in auths:
            client.send_subscribe("private-mine", auth=auth)
            client.expect_refusal("private-mine", 401, "AuthError")
    not_subscribed(client, broker, "private-mine")


def test_a_signature_by_another_apps_secret_is_refused(client, broker):
    """PW-058 PW-059"""
    for key in ("app-key", "other-key"):
        auth = channel_auth(client.socket_id, "private-mine", None, key, "other-secret")
        client.send_subscribe("private-mine", auth=auth)
        client.expect_refusal("private-mine", 401, "AuthError")


def test_upper_case_hex_is_accepted(client):
    """PW-060"""
    key, digest = channel_auth(client.socket_id, "private-upper").split(":")
    client.subscribe("private-upper", auth=f"{key}:{digest.upper()}")


def test_after_a_failure_a_good_auth_succeeds(client, broker):
    """PW-061"""
    client.send_subscribe("private-second-try", auth="app-key:bad")
    client.expect_refusal("private-second-try", 401)
    client.subscribe("private-second-try")
    broker.trigger("private-second-try", "e", "{}")
    client.expect("e", "private-second-try")


def test_a_failed_second_subscribe_does_not_break_the_first(client, broker):
    """PW-056 PW-061: §3.5, the auth is checked again"""
    client.subscribe("private-kept")
    client.send_subscribe("private-kept", auth="app-key:bad")
    client.expect_refusal("private-kept", 401)
    broker.trigger("private-kept", "e", "{}")
    client.expect("e", "private-kept")


@pytest.mark.parametrize("data", ['{"user_id":"u1"}', "not json", " ", "ü🐦", "x" * 1000])
def test_channel_data_on_a_private_channel_is_part_of_what_is_signed(client, data):
    """PW-062"""
    client.subscribe("private-with-data", data)
    client.send_subscribe("private-with-data", data, auth=channel_auth(client.socket_id, "private-with-data"))
    client.expect_refusal("private-with-data", 401)


@pytest.mark.parametrize("kind", ["private-", "private-encrypted-", "private-cache-"])
def test_empty_channel_data_may_be_signed_with_or_without_its_colon(client, kind):
    """PW-062: §3.2, hosted signs `socket:channel:`"""
    for name, signed in (("bare", ""), ("colon", ":")):
        channel = f"{kind}empty-{name}"
        auth = channel_auth(client.socket_id, channel + signed)
        client.subscribe(channel, "", auth=auth)
        if "cache" in kind:
            client.expect("pusher:cache_miss", channel)
        client.send_subscribe(channel + "x", "", auth=auth)
        client.expect_refusal(channel + "x", 401, "AuthError")
    client.send_subscribe(channel, auth=auth)
    client.expect_refusal(channel, 401, "AuthError")


def test_null_channel_data_is_no_channel_data(client):
    """PW-062"""
    client.send("pusher:subscribe", {
        "channel": "private-empty-data", "channel_data": None,
        "auth": channel_auth(client.socket_id, "private-empty-data")})
    client.expect("pusher_internal:subscription_succeeded", "private-empty-data")


def test_each_dialect_of_subscription_errors(broker):
    """PW-063 PW-064"""
    with broker.client_of("soketi") as client:
        client.send_subscribe("private-x", auth="soketi-key:bad")
        data = check_refusal(client.receive(), "private-x")
        assert (data["type"], data["status"]) == ("AuthError", 401)
        client.nothing_until_pong()
    with broker.client_of("hosted") as client:
        client.send_subscribe("private-x", auth="hosted-key:bad")
        assert check_error(client.receive())["code"] is None
        client.nothing_until_pong()


ENCRYPTED = '{ "nonce" : "4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9",\t"ciphertext":' \
    '"/GMESnFGlbNn01BuBjp31XYa3i9vZsGKR8fgR9EDhXKx3lzGiUD501A=" ,"a":1e2}'


@pytest.mark.parametrize("channel", ["private-encrypted-bytes", "private-encrypted-cache-bytes"])
def test_encrypted_data_passes_byte_identical(client, broker, channel):
    """PW-065: order, spaces and all"""
    client.subscribe(channel)
    if "cache" in channel:
        client.expect("pusher:cache_miss", channel)
    broker.trigger(channel, "secret", ENCRYPTED)
    assert client.expect("secret", channel)["data"] == ENCRYPTED
    if "cache" in channel:
        client.subscribe(channel)
        assert client.expect("secret", channel)["data"] == ENCRYPTED


def test_a_shared_secret_sent_by_mistake_is_ignored(client):
    """PW-065: §3.2"""
    client.send("pusher:subscribe", {"channel": "private-encrypted-s", "shared_secret": "c2VjcmV0",
                                     "auth": channel_auth(client.socket_id, "private-encrypted-s")})
    assert client.receive() == {
        "event": "pusher_internal:subscription_succeeded", "channel": "private-encrypted-s", "data": "{}"}


def test_the_refusal_names_the_channel_but_no_signature(client):
    """PW-063 PW-182"""
    good = channel_auth(client.socket_id, "private-named")
    client.send_subscribe("private-named", auth="app-key:" + "0" * 64)
    frames = [client.receive(), client.receive()]
    for frame in frames:
        assert "private-named" in json.dumps(frame)
        assert good.split(":")[1] not in json.dumps(frame) and "app-secret" not in json.dumps(frame)
