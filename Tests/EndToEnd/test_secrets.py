"""What must never be said (PW-182; invariant 10 of Sources/ARCHITECTURE.md)."""

import json
import pathlib
import signal

import pytest

from certificates import Authority
from harness import Broker, app, channel_auth, target, user_auth, wait_until
from rawclient import RawClient

SECRETS = ["zq-secret-7f3a-first", "zq-secret-7f3a-second"]
THIRD = "zq-secret-7f3a-third"


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_configured_secret_is_anywhere_in_a_whole_run(form, tmp_path):
    """PW-182: app secrets, the metrics' token, the passphrase of a key, what an endpoint of webhooks is told: from a warning at the start over
    refusals, metrics, a state dump, reloads good and bad, to the end"""
    token, passphrase, hooks = "zq-token-55d1", "zq-phrase-90aa", ["zq-query-31cc", "zq-header-72ee"]
    webhook = {"url": f"http://127.0.0.1:1/w?a=1&token={hooks[0]}", "headers": {"Authorization": f"Bearer {hooks[1]}"},
               "allowPrivate": True}
    authority = Authority(tmp_path)
    pair = authority.leaf("leaf", "localhost", passphrase=passphrase)
    settings = {"logLevel": "debug", "logFormat": form, "refusalLinesPerSecond": 1000,
                "metrics": {"token": token}, "tls": pair,
                "apps": [app(secret=SECRETS[0], keys=[{"key": "second", "secret": SECRETS[1]}], webhooks=[webhook]), app(
                    id="third", aliases=[], key="third", secret=THIRD)]}
    with Broker(settings, flags=("--takeover-socket", str(tmp_path / "t"))) as broker:
        file = pathlib.Path(broker.directory.name) / "config.json"
        said = [broker.metrics(Authorization=f"Bearer {token}")]
        for wrong in ("", f"Bearer {token}x", token):
            status, _, reply = broker.request("GET", "/metrics", headers={"Authorization": wrong}, port=broker.metrics_port)
            assert status == 401
            said.append(reply.decode())
        for secret in (*SECRETS, THIRD, token, *hooks):
            with RawClient(broker, key=secret, handshake=False) as refused:
                refused.read_upgrade()
                refused.expect_close()
            for path in (f"/{secret}", f"/apps/{secret}/events?auth_key={secret}", f"/metrics?token={secret}"):
                broker.request("GET", path)
            with RawClient(broker, secret=SECRETS[0]) as client:
                client.send_subscribe("private-x", auth=f"{secret}:{'0' * 64}")
                client.send_sign_in('{"id":"u"}', f"{secret}:0")
                client.frames_until_pong()
        broker.process.send_signal(signal.SIGUSR1)
        for text, word in ((json.dumps(settings).replace(token, token + "2"), "reloaded"), (json.dumps(settings)[:-1], "refused;"),
                           (json.dumps({**settings, "tls": {**pair, "only": "x"}}), "refused;"),
                           (json.dumps(settings).replace("http://127", f"http://{hooks[0]}@127"), "refused;"),
                           (json.dumps(settings).replace("Bearer ", "Bearer\\n"), "refused;")):
            before = broker.log().count(word)
            file.write_text(text)
            broker.process.send_signal(signal.SIGHUP)
            wait_until(lambda: broker.log().count(word) > before, word)
        wait_until(lambda: "longest_turn" in broker.log(), "the state")
        broker.begin_drain()
        broker.wait_ended()
        said.append(broker.log())
    assert "Bearer with the token of metrics.token is wanted" in said[-1], "what the metrics refuse is logged too"
    for secret in (*SECRETS, THIRD, token, passphrase, *hooks):
        assert not any(secret in text for text in said), (secret, [text for text in said if secret in text][0][-3000:])


@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_secret_and_no_expected_signature_is_in_a_frame_a_reply_or_the_log(level):
    """PW-182: while everything that can be refused is refused"""
    settings = app(secret=SECRETS[0], keys=[{"key": "second", "secret": SECRETS[1]}], authorizedConnections=False)
    said, forbidden = [], list(SECRETS)
    with Broker({"logLevel": level, "refusalLinesPerSecond": 1000, "apps": [settings]}) as broker:
        with RawClient(broker, secret=SECRETS[0]) as client:
            channel, member, user = "presence-quiet", '{"user_id":"u"}', '{"id":"u"}'
            for secret, key in zip(SECRETS, ("app-key", "second")):
                forbidden += [channel_auth(client.socket_id, "private-quiet", None, key, secret).split(":")[1],
                              channel_auth(client.socket_id, channel, member, key, secret).split(":")[1],
                              user_auth(client.socket_id, user, key, secret).split(":")[1]]
            for key in ("app-key", "second", "nobody"):
                for auth in (f"{key}:{'0' * 64}", f"{key}:short", key, ""):
                    client.send_subscribe("private-quiet", auth=auth)
                    client.send_subscribe(channel, member, auth=auth)
                    client.send_sign_in(user, auth)
            for secret in SECRETS:  # key and secret swapped, everywhere a key is named
                client.send_subscribe("private-quiet", auth=f"{secret}:{'0' * 64}")
                client.send_sign_in(user, f"{secret}:{'0' * 64}")
                with RawClient(broker, key=secret, handshake=False) as swapped:
                    swapped.read_upgrade()
                    assert swapped.expect_close().code == 4001
                call = {"key": secret, "secret": "app-key"}
                assert broker.api("GET", "/channels", **call)[0] == 401
                assert broker.api("GET", "/channels", app_id=secret, **call)[0] == 404
                assert client.frames_until_pong(), "they are told to their sender only"
            client.send_raw("{")
            client.send("client-x", {}, channel="private-quiet")
            said += [json.dumps(frame) for frame in client.frames_until_pong()]
            for other in ("nobody", SECRETS[0]):
                with RawClient(broker, key="unknown" if other == "nobody" else "app-key", query="protocol=99",
                    handshake=False) as refused:
                    refused.read_upgrade()
                    refused.expect_close()
                    said += [json.dumps(frame) for frame in refused.last_frames]
            body = b'{"name":"e","channel":"c","data":"{}"}'
            good = target("POST", "/apps/1/events", body, secret=SECRETS[0])
            forbidden.append(good.split("auth_signature=")[1])
            base = good.split("auth_signature=")[0]
            for spoiled in (base + "auth_signature=" + "0" * 64, base.rstrip("&"),
                good.replace("auth_version=1.0", "auth_version=2")):
                status, _, reply = broker.request("POST", spoiled, body, {"Content-Type": "application/json"})
                assert status == 401
                said.append(reply.decode())
            assert broker.request("POST", good, body, {"Content-Type": "application/json"})[0] == 200
            for accepted in (channel, "private-quiet"):
                client.subscribe(accepted, member if accepted == channel else None)
            client.send_sign_in(user)
            client.expect("pusher:signin_success")
        broker.begin_drain()
        broker.wait_ended()
        said.append(broker.log())
    text = "\n".join(said)
    for secret in forbidden:
        assert secret not in text, secret
        assert secret.upper() not in text, secret


def test_a_log_line_cannot_be_forged_by_a_peer():
    """PW-182: control bytes of a peer are escaped in the log"""
    with Broker({"logLevel": "debug", "apps": [app()]}) as broker:
        with RawClient(broker, key="evil%0A%1B%5B31mFORGED", handshake=False) as client:
            client.read_head()
        with RawClient(broker, query="protocol=7&client=a%0AFORGED&version=%1B%5B2J") as client:
            client.send("pusher:\nFORGED\u001b[31m", {})
            client.send_subscribe("private-\nFORGED")
            client.frames_until_pong()
        assert "\x1b" not in broker.log()
        assert not [line for line in broker.log().splitlines() if line.startswith("FORGED")]
