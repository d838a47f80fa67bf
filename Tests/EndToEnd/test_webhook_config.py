"""How webhooks are configured, as an operator meets it (issue 10): URLs, the state directory, and the command that checks a signature."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import pathlib
import random
import re
import stat
import subprocess

import pytest

from harness import BINARY, DEADLINE, Broker, app, daemon_environment
from logfmt import lines as entries

BAD_CONFIG = 78


def run(home: pathlib.Path, *arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, *arguments], cwd=home, env=daemon_environment(HOME=str(home), **variables), input=stdin,
                          capture_output=True, timeout=DEADLINE * 3)


# What a URL is, told from RFC 3986 once more, by other means.


def parsed(text: str) -> str | None:
    """The one form of a URL that a request can go to; None for all others."""
    if not re.fullmatch(r"[\x21-\x7e]{1,4096}", text) or re.search(r'["<>\\^`{|}]', text):
        return None
    found = re.fullmatch(r"(?i:(https?))://([^/?#]*)([/?][^#]*)?", text)
    if found is None:
        return None
    scheme, authority, target = found[1].lower(), found[2], found[3] or "/"
    place = re.fullmatch(r"(\[[0-9A-Fa-f:.]*\]|[A-Za-z0-9._-]*)(?::([0-9]*))?", authority)
    if place is None or re.search(r"%(?![0-9A-Fa-f]{2})|[\[\]]", target):
        return None
    host, port = place[1], int(place[2] or {"http": 80, "https": 443}[scheme])
    try:
        if host.startswith("["):
            address = ipaddress.IPv6Address(host[1:-1])
            host = str(address.ipv4_mapped or f"[{address}]")
        elif re.search(r"(^|\.)(0[xX][0-9A-Fa-f]*|[0-9]+)$", host):
            host = str(ipaddress.IPv4Address(host))
        elif len(host) > 253 or not all(re.fullmatch(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)", label) for label in host.split(".")):
            return None
    except ValueError:
        return None
    if not 1 <= port <= 65535:
        return None
    shown = "" if port == {"http": 80, "https": 443}[scheme] else f":{port}"
    return f"{scheme}://{host.lower()}{shown}{target if target.startswith('/') else '/' + target}"


PIECES = ["http://", "https://", "HTTP://", "ftp://", "//", "/", "\\", "@", ":", ":80", ":443", ":65536", ":0", "#", "?", "%", "%4", "%41", "[", "]",
          "[::1]", "[2001:DB8::1]", "[::ffff:10.0.0.1]", "[fe80::1%25a]", "::1", "127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "256.1.1.1", "a",
          "B.c", ".", "..", "-", "_", "a-", "xn--a", "é", " ", "x=y", "&", "+", "{", "|", "a" * 64, "1", "u:p"]


def test_urls_are_read_as_by_another_reader(tmp_path):
    """RFC 3986: random texts, most of them nearly right; what both take has one form"""
    seed = random.randrange(1 << 30)
    draw = random.Random(seed)
    texts = []
    while len(texts) < 2_000:
        text = draw.choice(["http://", "https://", ""]) + "".join(draw.choice(PIECES) for _ in range(draw.randint(1, 5)))
        if text not in texts:
            texts.append(text)
    expected = [parsed(text) for text in texts]

    def apps(form) -> list[dict]:
        return [{"id": f"a{i}", "key": f"k{i}", "secret": "s", "webhooks": [form(text)]} for i, text in enumerate(texts)
                if form is ours or expected[i]]

    def ours(text: str) -> dict:
        return {"url": text, "allowPrivate": True}

    (tmp_path / "ours.json").write_text(json.dumps({"apps": apps(ours)}))
    refused = {int(number) for number in re.findall(rb"apps\[(\d+)\]\.webhooks\[0\]\.url: ", run(tmp_path, "config", "check", "ours.json").stderr)}
    differ = [(text, form) for i, (text, form) in enumerate(zip(texts, expected)) if (form is None) != (i in refused)]
    assert not differ, (seed, differ[:10])
    assert 20 < len(refused) < 1_980, (seed, "the texts are of both kinds")
    (tmp_path / "soketi.json").write_text(json.dumps({"appManager.array.apps": apps(lambda text: {"url": text})}))
    done = run(tmp_path, "config", "import", "--from", "soketi", "soketi.json")
    made = json.loads("\n".join(line for line in done.stdout.decode().splitlines() if not line.startswith("//")))
    forms = {entry["id"]: entry["webhooks"][0]["url"] for entry in made["apps"]}
    differ = [(texts[i], form, forms[f"a{i}"]) for i, form in enumerate(expected) if form and forms[f"a{i}"] != form]
    assert not differ, (seed, differ[:10])


# The state directory


def test_the_state_directory_is_made_for_its_owner_alone(tmp_path):
    directory = tmp_path / "state"
    with Broker({"stateDirectory": str(directory) + "/"}):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    with Broker({}, env={"STATE_DIRECTORY": f"{directory}:{tmp_path}"}) as broker:
        shown = run(tmp_path, "config", "show", "--origins", STATE_DIRECTORY=f"{directory}:{tmp_path}").stdout.decode()
        assert re.search(rf'stateDirectory = "{directory}" +# env STATE_DIRECTORY', shown)
        assert not [line for line in entries(broker.log()) if "state directory" in line["msg"]]


@pytest.mark.parametrize("path, says", [
    ("{home}/none/deep", "cannot be made, because there is no directory"), ("{home}/file", "is a file, and must be a directory"),
    ("/proc/starling-state", "cannot be made: "), ("/sys/kernel", "cannot be written by user"),
])
def test_a_state_directory_that_cannot_be_used_is_an_error_of_the_configuration(tmp_path, path, says):
    (tmp_path / "file").write_text("")
    if path == "/sys/kernel" and os.access(path, os.W_OK):
        pytest.skip("whoever runs this may write everywhere")
    (tmp_path / "here.json").write_text(json.dumps({"stateDirectory": path.format(home=tmp_path)}))
    done = run(tmp_path, "serve", "--port", "0", "--config", "here.json")
    assert done.returncode == BAD_CONFIG and says in done.stderr.decode(), done
    assert "stateDirectory: " in done.stderr.decode() and not (tmp_path / "none").exists()


def test_config_check_makes_no_directory(tmp_path):
    assert run(tmp_path, "config", "check", "--state-directory", str(tmp_path / "s")).returncode == 0
    assert not (tmp_path / "s").exists()


# starling webhooks verify

BODY = b'{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"test_channel"}]}'
SECRET = "7ad3773142a6692b25b8"


def signed(body: bytes = BODY, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def test_verify_says_whether_a_body_is_signed(tmp_path):
    """PW-168: the signature is of the raw body"""
    (tmp_path / "c.json").write_text(json.dumps({"apps": [app(secret=SECRET)]}))
    (tmp_path / "body").write_bytes(BODY)
    (tmp_path / "secret").write_text(SECRET + "\n")
    request = f"POST /w HTTP/1.1\r\nX-Pusher-Key: k\r\nX-Pusher-Signature: {signed()}\r\n\r\n".encode() + BODY
    for stdin, arguments in [
        (BODY, ["--secret", SECRET, "--signature", signed()]), (b"", ["--secret-file", "secret", "--signature", signed(), "--body", "body"]),
        (BODY, ["--app", "1", "--signature", signed(), "-c", "c.json"]), (request, ["--secret", SECRET]),
    ]:
        done = run(tmp_path, "webhooks", "verify", *arguments, stdin=stdin)
        assert done.returncode == 0 and done.stdout.startswith(b"the signature matches"), done
    for body, cause in [(BODY + b"\n", b"line end"), (json.dumps(json.loads(BODY)).encode(), b"encoded again"), (BODY[:-1] + b" ", b"blanks")]:
        done = run(tmp_path, "webhooks", "verify", "--secret", SECRET, "--signature", signed(), stdin=body)
        assert done.returncode == 1, done
        if body != BODY[:-1] + b" ":
            assert cause in done.stderr, done
        assert signed(body).encode() not in done.stderr + done.stdout and SECRET.encode() not in done.stderr
