"""The official Python library and sockudo's, as they come from PyPI, against the broker (PW §6.4)."""

import asyncio
import base64
import json

import pusher
import pytest
from nacl.secret import SecretBox
from pusher.errors import PusherBadAuth, PusherBadRequest, PusherBadStatus, PusherForbidden
from sockudo_http_python import (AsyncSockudo, ChannelParams, ChannelsParams, Event, PresenceUser, Sockudo,
                                 SockudoOptions, Status, TriggerOptions)

from harness import Broker, app

MASTER_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
DISABLED = {"id": "3", "key": "disabled-key", "secret": "disabled-secret", "enabled": False}


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), DISABLED]}) as running:
        yield running


def official_client(broker, app_id="1", key="app-key", secret="app-secret", **options):
    return pusher.Pusher(app_id=app_id, key=key, secret=secret, host="127.0.0.1", port=broker.port, ssl=False, **options)


@pytest.fixture(scope="module")
def official(broker):
    return official_client(broker, encryption_master_key_base64=MASTER_KEY)


@pytest.fixture(scope="module")
def sockudo(broker):
    options = SockudoOptions(host="127.0.0.1", port=broker.port)
    with Sockudo("app-id", "app-key", "app-secret", MASTER_KEY, options) as library:
        yield library


def decrypted(data: str, secret: bytes) -> str:
    sealed = json.loads(data)
    nonce, text = base64.b64decode(sealed["nonce"]), base64.b64decode(sealed["ciphertext"])
    return SecretBox(secret).decrypt(text, nonce).decode()


# pusher 3.3.4


def test_pw_139_official_trigger(official, client):
    """PW-139, PW-131: one channel, data as the library spells it (JSON with spaces, UTF-8 unescaped)."""
    client.subscribe("official")
    assert official.trigger("official", "greeting", {"text": "hé 😀", "list": [1, 2]}) == {}
    assert client.expect("greeting", "official")["data"] == '{"text": "hé 😀", "list": [1, 2]}'
    assert official.trigger("official", "greeting", "plain text") == {}
    assert client.expect("greeting", "official")["data"] == "plain text"


def test_pw_146_official_trigger_to_several_channels_excluding_a_socket(broker, official, client):
    """PW-146, PW-139"""
    with broker.client() as other:
        for each in (client, other):
            each.subscribe("official-a")
            each.subscribe("official-b")
        assert official.trigger(["official-a", "official-b"], "e", {}, client.socket_id) == {}
        assert {other.expect("e")["channel"] for _ in range(2)} == {"official-a", "official-b"}
        client.nothing_until_pong()


def test_pw_140_official_trigger_to_a_hundred_channels(official):
    """PW-140"""
    assert official.trigger([f"official-{n}" for n in range(100)], "e", {}) == {}


def test_pw_151_official_batch(official, client):
    """PW-151, PW-152"""
    client.subscribe("official-batch")
    batch = [{"channel": "official-batch", "name": f"e{n}", "data": {"n": n}} for n in range(10)]
    assert official.trigger_batch(batch) == {}
    assert [client.receive()["event"] for _ in range(10)] == [f"e{n}" for n in range(10)]


def test_pw_129_pw_158_official_channels_info(official, client):
    """PW-129, PW-130, PW-158, PW-159, Q39: a GET with the MD5 of nothing, and `info` with a raw comma."""
    client.subscribe("presence-listed", user="u1")
    client.subscribe("official-listed")
    assert {"presence-listed", "official-listed"} <= set(official.channels_info()["channels"])
    assert official.channels_info("presence-listed", ["user_count", "subscription_count"]) == {
        "channels": {"presence-listed": {"user_count": 1, "subscription_count": 1}}}
    assert official.channels_info("nothing-begins-like-this") == {"channels": {}}


def test_pw_160_official_channel_info(official, client):
    """PW-160, PW-161, PW-129"""
    client.subscribe("presence-official-one", user="u1")
    assert official.channel_info("presence-official-one", ["user_count", "subscription_count"]) == {
        "occupied": True, "user_count": 1, "subscription_count": 1}
    assert official.channel_info("nobody") == {"occupied": False}
    assert official.channel_info("a_b=c@d,e.f;g") == {"occupied": False}


def test_pw_163_official_users_info(official, client):
    """PW-163, PW-129"""
    client.subscribe("presence-official-users", user="u1")
    assert official.users_info("presence-official-users") == {"users": [{"id": "u1"}]}
    assert official.users_info("presence-official-empty") == {"users": []}


def test_pw_055_official_channel_authentication(official, client):
    """PW-055, PW-083: private, and presence with Python's spaces in channel_data."""
    answer = official.authenticate("private-official", client.socket_id)
    client.subscribe("private-official", auth=answer["auth"])
    user = {"user_id": "u1", "user_info": {"name": "Zoë", "list": [1, 2]}}
    answer = official.authenticate("presence-official-auth", client.socket_id, user)
    frame = client.subscribe("presence-official-auth", answer["channel_data"], auth=answer["auth"])
    assert json.loads(frame["data"])["presence"]["hash"] == {"u1": user["user_info"]}


def test_pw_065_official_encrypted_channel(official, client):
    """PW-065: the shared secret of the library's auth answer opens what the library published."""
    answer = official.authenticate("private-encrypted-official", client.socket_id)
    client.subscribe("private-encrypted-official", auth=answer["auth"])
    assert official.trigger("private-encrypted-official", "secret", {"text": "hé"}) == {}
    data = client.expect("secret", "private-encrypted-official")["data"]
    assert json.loads(decrypted(data, base64.b64decode(answer["shared_secret"]))) == {"text": "hé"}


def test_pw_139_official_user_authentication_and_send_to_user(broker, official, client):
    """PW-109, PW-139 (§5.4): the library has no sendToUser, but lets the channel pass."""
    answer = official.authenticate_user(client.socket_id, {"id": "official-user", "user_info": {"name": "Zoë"}})
    client.send("pusher:signin", answer)
    client.expect("pusher:signin_success")
    assert official.trigger("#server-to-user-official-user", "e", {"a": 1}) == {}
    assert client.expect("e", "#server-to-user-official-user")["data"] == '{"a": 1}'


def test_pw_139_official_terminate_despite_its_broken_path(broker, official):
    """PW-139 (§6.8): /users/{id}/terminate_connections without /apps/{id}; the app comes from auth_key."""
    with broker.client() as client, broker.client() as stranger:
        client.sign_in("official-gone")
        stranger.sign_in("official-stays")
        assert official.terminate_user_connections("official-gone") == {}
        assert client.expect_close().code == 4009
        stranger.nothing_until_pong()


def test_pw_138_official_errors_by_status(broker, official):
    """PW-138, PW-135, PW-136: the library raises by status."""
    with pytest.raises(PusherBadAuth):
        official_client(broker, secret="wrong").trigger("c", "e", {})
    with pytest.raises(PusherBadAuth):
        official_client(broker, key="wrong").terminate_user_connections("u")
    with pytest.raises(PusherForbidden):
        official_client(broker, "3", "disabled-key", "disabled-secret").trigger("c", "e", {})
    with pytest.raises(PusherBadStatus, match="404"):
        official_client(broker, "99").trigger("c", "e", {})
    with pytest.raises(PusherBadStatus, match="413"):
        official.trigger("c", "e", "d" * 10_241)
    with pytest.raises(PusherBadRequest):
        official.trigger("c", "pusher:e", {})
    with pytest.raises(PusherBadRequest):
        official.channels_info("private-", ["user_count"])


def test_pw_154_official_keeps_its_connection(official):
    """PW-154: the library's pool; fifty calls."""
    for number in range(50):
        assert official.trigger("official-pool", "e", str(number)) == {}


# sockudo-http-python 2.2.0


def succeeded(result):
    assert result.status is Status.SUCCESS and result.status_code == 200, result
    return result.json()


def test_pw_139_sockudo_trigger(sockudo, client):
    """PW-139, PW-149: its tags and extras are ignored; its idempotency key is in the header and in the body."""
    client.subscribe("sockudo-a")
    client.subscribe("sockudo-b")
    assert succeeded(sockudo.trigger("sockudo-a", "e", {"a": 1})) == {}
    assert client.expect("e", "sockudo-a")["data"] == '{"a":1}'
    options = TriggerOptions(socket_id=client.socket_id, idempotency_key="k", tags={"a": "b"})
    assert succeeded(sockudo.trigger(["sockudo-a", "sockudo-b"], "e", "d", options)) == {}
    client.nothing_until_pong()


def test_pw_148_sockudo_trigger_with_info(sockudo, client):
    """PW-148"""
    client.subscribe("presence-sockudo", user="u1")
    options = TriggerOptions(info=["user_count", "subscription_count"])
    assert succeeded(sockudo.trigger(["presence-sockudo", "sockudo-x"], "e", "d", options)) == {
        "channels": {"presence-sockudo": {"user_count": 1, "subscription_count": 1},
                     "sockudo-x": {"subscription_count": 0}}}


def test_pw_151_sockudo_batch(sockudo, client):
    """PW-151, PW-152"""
    client.subscribe("sockudo-batch")
    batch = [Event("sockudo-batch", f"e{n}", {"n": n}) for n in range(9)]
    assert succeeded(sockudo.trigger_batch(batch)) == {}
    assert [client.receive()["event"] for _ in batch] == [event.name for event in batch]
    asked = [Event(None, "e", "d", channels=["sockudo-batch"]), Event("sockudo-batch", "e", "d", info="subscription_count")]
    assert succeeded(sockudo.trigger_batch(asked)) == {"batch": [{}, {"subscription_count": 1}]}


def test_pw_158_sockudo_state(sockudo, client):
    """PW-130, PW-158, PW-160, PW-163, PW-164: queries by urlencode, channel names escaped in the path."""
    client.subscribe("presence-sockudo@a,b;c", user="u1")
    params = ChannelsParams("presence-sockudo@", ["user_count", "subscription_count"])
    counts = {"user_count": 1, "subscription_count": 1}
    assert succeeded(sockudo.list_channels(params)) == {"channels": {"presence-sockudo@a,b;c": counts}}
    assert succeeded(sockudo.get_channel("presence-sockudo@a,b;c", ChannelParams("user_count,subscription_count"))) == {
        "occupied": True, **counts}
    assert succeeded(sockudo.get_channel_users("presence-sockudo@a,b;c")) == {"users": [{"id": "u1"}]}


def test_pw_139_sockudo_users(broker, sockudo):
    """PW-109, PW-139: sign-in, send_to_user, terminate."""
    with broker.client() as client, broker.client() as stranger:
        client.send("pusher:signin", json.loads(sockudo.authenticate_user(client.socket_id, {"id": "sockudo@user"})))
        client.expect("pusher:signin_success")
        assert succeeded(sockudo.send_to_user("sockudo@user", "e", {"a": 1})) == {}
        assert client.expect("e", "#server-to-user-sockudo@user")["data"] == '{"a":1}'
        assert succeeded(sockudo.terminate_user_connections("sockudo@user")) == {}
        assert client.expect_close().code == 4009
        stranger.nothing_until_pong()


def test_pw_055_sockudo_channel_authentication(sockudo, client):
    """PW-055, PW-065: private, presence and encrypted."""
    client.subscribe("private-sockudo", auth=json.loads(sockudo.authenticate(client.socket_id, "private-sockudo"))["auth"])
    user = PresenceUser("u1", {"name": "Zoë"})
    answer = json.loads(sockudo.authenticate(client.socket_id, "presence-sockudo-auth", user))
    client.subscribe("presence-sockudo-auth", answer["channel_data"], auth=answer["auth"])
    answer = json.loads(sockudo.authenticate(client.socket_id, "private-encrypted-sockudo"))
    client.subscribe("private-encrypted-sockudo", auth=answer["auth"])
    assert succeeded(sockudo.trigger("private-encrypted-sockudo", "secret", "hé")) == {}
    data = client.expect("secret", "private-encrypted-sockudo")["data"]
    assert json.loads(decrypted(data, base64.b64decode(answer["shared_secret"]))) == "hé"


def test_pw_138_sockudo_errors(broker, sockudo):
    """PW-138: 4xx is final for the library, 401 an authentication error."""
    assert sockudo.trigger("not legal", "e", "d").status is Status.CLIENT_ERROR
    assert sockudo.trigger("c", "e", "d" * 10_241).status_code == 413
    with Sockudo("1", "app-key", "wrong", None, SockudoOptions(port=broker.port)) as wrong:
        assert wrong.trigger("c", "e", "d").status is Status.AUTHENTICATION_ERROR


def test_pw_154_sockudo_async_concurrently(broker, client):
    """PW-154, PW-139: forty calls at once through the library's own pool."""
    client.subscribe("sockudo-async")

    async def run():
        async with AsyncSockudo("1", "app-key", "app-secret", None, SockudoOptions(port=broker.port)) as library:
            return await asyncio.gather(*(library.trigger("sockudo-async", "e", str(n)) for n in range(40)))

    assert all(succeeded(result) == {} for result in asyncio.run(run()))
    assert {client.expect("e", "sockudo-async")["data"] for _ in range(40)} == {str(n) for n in range(40)}
