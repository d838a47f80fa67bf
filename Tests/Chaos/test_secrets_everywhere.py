"""X1: nothing that a broker says, shows or leaves behind has a secret in it."""

from __future__ import annotations

import json
import pathlib
import resource
import signal
import subprocess

import pytest

import harness
from certificates import Authority
from following import wrapper
from harness import Broker, app, daemon_environment, named_app, wait_until
from rawclient import RawClient
from signing import channel_auth, target, user_auth

# All that must be kept, each told from any other.
APP, ROTATED, OTHER, TOKEN, PASSPHRASE, ENCRYPTED = (f"zq7f3a-{name}-secret" for name in (
    "app", "rotated", "other", "token", "passphrase", "by-variable"))


def everything_goes_wrong(broker: Broker) -> list[str]:
    """Clients and callers who are refused in every way, and some who are not; gives what they were told, and the proofs they sent."""
    said, proofs = [], []
    with RawClient(broker, secret=APP) as client:
        for secret, key in ((APP, "app-key"), (ROTATED, "next-key")):
            proofs += [channel_auth(client.socket_id, "private-quiet", None, key, secret).split(":")[1],
                       channel_auth(client.socket_id, "presence-quiet", '{"user_id":"u"}', key, secret).split(":")[1],
                       user_auth(client.socket_id, '{"id":"u"}', key, secret).split(":")[1]]
        for key in ("app-key", "next-key", "nobody", APP, ROTATED):
            for auth in (f"{key}:{'0' * 64}", f"{key}:short", key):
                client.send_subscribe("private-quiet", auth=auth)
                client.send_subscribe("presence-quiet", '{"user_id":"u"}', auth=auth)
                client.send_sign_in('{"id":"u"}', auth)
        client.send_raw("{")
        client.send("client-x", {}, channel="private-quiet")
        # Who sends a secret in the place of a key is told what was sent; nobody else is, and no log.
        said += [text for frame in client.frames_until_pong() if not any(key in (text := json.dumps(frame)) for key in (APP, ROTATED))]
        client.subscribe("private-quiet")
        client.subscribe("presence-quiet", '{"user_id":"u"}')
        client.send_sign_in('{"id":"u"}')
        client.expect("pusher:signin_success")
    for key in (APP, OTHER, "nobody"):
        with RawClient(broker, key=key, handshake=False) as refused:
            refused.read_upgrade()
            refused.expect_close()
            # Who sent it is told what was sent.
            said += [json.dumps(frame) for frame in refused.last_frames if key == "nobody"]
    body = b'{"name":"e","channel":"c","data":"{}"}'
    good = target("POST", "/apps/1/events", body, secret=APP)
    proofs.append(good.split("auth_signature=")[1])
    for spoiled in (good[:-64] + "0" * 64, good.replace("auth_version=1.0", "auth_version=2"), good.split("&auth_signature")[0],
                    good.replace("body_md5=", "body_md5=0"), target("POST", "/apps/1/events", body, key="nobody", secret=APP)):
        status, _, reply = broker.request("POST", spoiled, body)
        assert status in (400, 401), (status, reply)
        said.append(reply.decode())
    assert broker.request("POST", good, body)[0] == 200
    for headers in ({"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Basic x"}, {}):
        status, _, reply = broker.request("GET", "/metrics", headers=headers, port=broker.metrics_port)
        assert status == 401
        said.append(reply.decode())
    for path in ("/usage", "/ready", "/live", "/up", "/metrics", "/nothing"):
        for port in (broker.port, broker.metrics_port):
            said.append(broker.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"}, port=port)[2].decode())
    return said + ["PROOFS", *proofs]


def key_lines(authority: Authority, pair: dict) -> list[str]:
    """The inner lines of a private key's file: any of them would give it away."""
    return [line for line in pathlib.Path(pair["key"]).read_text().splitlines() if "---" not in line and len(line) > 30]


@pytest.mark.row("X1")
@pytest.mark.parametrize("level", ["info", "debug"])
def test_no_secret_is_said(measure, tmp_path, level, monkeypatch):
    monkeypatch.setattr(harness, "BINARY", wrapper(tmp_path, 'ulimit -c unlimited; exec "{binary}" "$@"'))
    authority = Authority(tmp_path)
    plain, locked = authority.leaf("plain"), authority.leaf("locked", passphrase=PASSPHRASE)
    settings = {"logLevel": level, "refusalLinesPerSecond": 1_000, "metrics": {"token": TOKEN},
                "tls": {**locked, "certificates": [plain]},
                "apps": [app(secret=APP, keys=[{"key": "next-key", "secret": ROTATED}]), {**named_app("other"), "secret": OTHER}]}
    with Broker(settings) as broker:
        *said, = everything_goes_wrong(broker)
        at = said.index("PROOFS")
        said, proofs = said[:at], said[at + 1:]
        config = pathlib.Path(broker.directory.name) / "config.json"
        # Reloads that fail in all sorts of places, next to the secrets.
        for text in (config.read_text().replace('"secret"', '"secrets"'), config.read_text()[:-40], config.read_text().replace(
                '"keys": [', '"keys": [7, '), config.read_text().replace(f'"{TOKEN}"', f'["{TOKEN}"]'),
                config.read_text().replace(f'"{APP}"', f'"{APP}')):
            good = config.read_text()
            config.write_text(text)
            before = broker.log().count("not reloaded") + broker.log().count("reload failed")
            broker.process.send_signal(signal.SIGHUP)
            reply = subprocess.run([harness.BINARY, "reload", "--pid", str(broker.pid)], capture_output=True, text=True,
                                   env=daemon_environment())
            said += [reply.stdout, reply.stderr]
            check = subprocess.run([harness.BINARY, "config", "check", str(config)], capture_output=True, text=True,
                                   env=daemon_environment())
            said += [check.stdout, check.stderr]
            config.write_text(good)
            assert reply.returncode == 78 and before is not None, reply
        for command in (["config", "show", str(config)], ["config", "show", str(config), "--json", "--origins"]):
            shown = subprocess.run([harness.BINARY, *command], capture_output=True, text=True, env=daemon_environment())
            said += [shown.stdout, shown.stderr]
        pathlib.Path(locked["keyPassphraseFile"]).write_text(PASSPHRASE + "-wrong\n")
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "certificates not loaded" in broker.log(), "a wrong passphrase is told")
        broker.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "msg=loop" in broker.log(), "the state is logged")
        soft, _ = resource.prlimit(broker.pid, resource.RLIMIT_CORE)
        command_line = pathlib.Path(f"/proc/{broker.pid}/cmdline").read_bytes().decode()
        said += [command_line]
        broker.begin_drain()
        broker.wait_ended()
        said.append(broker.log())
    text = "\n".join(said)
    hidden = [APP, ROTATED, OTHER, TOKEN, PASSPHRASE, *key_lines(authority, plain), *key_lines(authority, locked), *proofs]
    found = [secret for secret in hidden if secret in text or secret.upper() in text]
    for secret in found:
        at = text.lower().index(secret.lower())
        print("FOUND", text[max(0, at - 200):at + 120])
    with measure(f"log at {level}, answers, metrics, state, five failed reloads, config show: searched for secrets") as row:
        row.note("searched for", len(hidden))
        row.note("characters", len(text))
        row.exactly("found", len(found))
        row.exactly("size of a core file allowed", soft)
