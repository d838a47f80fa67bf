"""Webhooks that do not arrive: each trouble is told for what it is, with what to change, and delays nobody else (PW-175, PW-176, PW-178)."""

from __future__ import annotations

import ipaddress
import socket
import threading

import pytest

from certificates import Authority
from harness import app, named_app, wait_until
from receiver import Answer, Receiver
from session import DEADLINE
from webhook_tools import Command, broker_with, endpoint


def inside() -> str | None:
    """A name for this machine whose looks do not tell that it is one; None: there is none here."""
    for name in (socket.gethostname(), "ip6-localhost", "ip6-loopback"):
        try:
            found = {ipaddress.ip_address(one[4][0].partition("%")[0]) for one in socket.getaddrinfo(name, 80)}
        except OSError:
            continue
        if "." not in name and found and all(one.is_private or one.is_loopback for one in found):
            return name
    return None


INSIDE = inside()


def answer_everybody(listener: socket.socket, answer: bytes) -> None:
    """Says the same to whoever comes, whatever they say."""
    while True:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        with stream:
            stream.settimeout(5)
            stream.recv(65_536)
            stream.sendall(answer)


class Row:
    """A trouble: where the webhook goes, what becomes of it (one of several words), and a word that the failure's sentence has."""

    def __init__(self, url: str, result: str, *words: str, refused: int | None = None, **changes):
        self.url, self.result, self.words, self.refused, self.changes = url, result, words, refused, changes


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """All troubles at once, each an endpoint of one of two apps, and one event for all of them; gives the first attempt at each."""
    home = tmp_path_factory.mktemp("troubles")
    ours, theirs = (Authority(tmp_path_factory.mktemp(name)) for name in ("ours", "theirs"))
    trust = {"authority": ours.ca}
    with (Receiver() as plain, Receiver(ours.leaf("good", "localhost")) as good,
          Receiver(ours.leaf("elsewhere", "elsewhere.example")) as elsewhere,
          Receiver(ours.leaf("expired", "localhost", days=-0.5)) as expired,
          Receiver(theirs.leaf("unknown", "localhost")) as unknown,
          Receiver(ours.leaf("asking", "localhost"), client_ca=ours.ca) as asking,
          Receiver() as guarded, socket.create_server(("127.0.0.1", 0)) as silent,
          socket.create_server(("127.0.0.1", 0)) as blunt, socket.socket() as closed):
        threading.Thread(target=answer_everybody, args=(blunt, b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True).start()
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()[1]
        client = ours.leaf("client", "client.example")
        plain.always(Answer(500), "/500")
        plain.always(Answer(429, {"Retry-After": "30"}), "/429")
        plain.always(Answer.hang(), "/hang")
        plain.always(Answer.reset(), "/reset")
        plain.always(Answer.close(), "/close")
        plain.always(Answer.drip(), "/drip")
        plain.always(Answer.redirect("/redirected"), "/redirect")
        plain.always(Answer.raw(b"hello\r\n\r\n"), "/garbage")
        plain.always(Answer.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"), "/half")
        plain.always(Answer(body=b"x" * 100_000), "/large")
        rows = {
            "fine": Row(plain.url("/fine"), "delivered"),
            "500": Row(plain.url("/500"), "refused", refused=500),
            "Retry-After": Row(plain.url("/429"), "refused", refused=429),
            "hang": Row(plain.url("/hang"), "timeout", "1 s"),
            "reset": Row(plain.url("/reset"), "closed"),
            "close": Row(plain.url("/close"), "closed"),
            "slow body": Row(plain.url("/drip"), "timeout", "1 s"),
            "redirect": Row(plain.url("/redirect"), "refused", refused=302),
            "garbage": Row(plain.url("/garbage"), "answer"),
            "half a body": Row(plain.url("/half"), "closed"),
            "a large answer": Row(plain.url("/large"), "answer"),
            "nobody listens": Row(f"http://127.0.0.1:{nobody}/", "connect", "refused"),
            "TLS": Row(good.url("/", "localhost"), "delivered", **trust),
            "another authority": Row(unknown.url("/", "localhost"), "tls", "certificate", **trust),
            "no authority": Row(good.url("/none", "localhost"), "tls", "certificate"),
            "wrong host name": Row(elsewhere.url("/", "localhost"), "tls", "localhost", **trust),
            "expired": Row(expired.url("/", "localhost"), "tls", "expired", **trust),
            "plain where TLS is spoken": Row(f"http://localhost:{good.port}/plain", "answer|closed"),
            "TLS where plain is spoken": Row(f"https://localhost:{blunt.getsockname()[1]}/", "tls", **trust),
            "TLS with the silent": Row(f"https://localhost:{silent.getsockname()[1]}/", "timeout", **trust),
            "a client's certificate": Row(asking.url("/", "localhost"), "delivered", **trust, clientCertificate=client["certificate"],
                                          clientKey=client["key"]),
            # The alert may be lost with the connection, which has the request unread.
            "none of the client": Row(asking.url("/none", "localhost"), "tls|closed", **trust),
            "no such name": Row("http://nowhere.invalid/", "name", "nowhere.invalid"),
            "not from outside": Row(f"http://{INSIDE}:{guarded.port}/guarded", "address", "allowPrivate", allowPrivate=False),
        }
        endpoints = [{"url": row.url, "allowPrivate": True, "timeoutSeconds": 1, "events": ["channel_occupied"], **row.changes}
                     for row in rows.values()]
        if INSIDE is None:
            del rows["not from outside"]
            endpoints.pop()
        # An app has sixteen at most.
        apps = [app(webhooks=endpoints[:12]), named_app("more", webhooks=endpoints[12:])]
        with broker_with(home, *apps) as broker, broker.client() as one, broker.client_of("more") as two:
            for client in (one, two):
                client.subscribe("trouble")
            command = Command(home)

            def attempts():
                first = {}
                for one in command.json("attempts"):
                    first.setdefault(one["endpoint"], one)
                return len(first) == len(rows) and first
            first = wait_until(attempts, "each was tried", timeout=30)
            names = {one["url"]: one["id"] for one in command.json("list")}
            yield {"rows": rows, "first": {name: first[names[row.url]] for name, row in rows.items()}, "plain": plain,
                   "guarded": guarded, "command": command}


NAMES = ["fine", "500", "Retry-After", "hang", "reset", "close", "slow body", "redirect", "garbage", "half a body",
         "a large answer", "nobody listens", "TLS", "another authority", "no authority", "wrong host name", "expired",
         "plain where TLS is spoken", "TLS where plain is spoken", "TLS with the silent", "a client's certificate",
         "none of the client", "no such name", "not from outside"]


@pytest.mark.parametrize("name", NAMES)
def test_each_trouble_is_told_for_what_it_is(scene, name):
    """PW-176, PW-178 among them"""
    if name not in scene["rows"]:
        pytest.skip("no name of this machine leads to an address of its own network")
    row, attempt = scene["rows"][name], scene["first"][name]
    assert attempt["attempt"] == 1 and attempt["events"] == 1, attempt
    if row.result in ("delivered", "refused"):
        assert attempt["result"] == row.result, attempt
        assert attempt["status"] == (row.refused or 200), attempt
        return
    assert attempt["result"] == "failed" and attempt["failure"] in row.result.split("|"), attempt
    for word in row.words:
        assert word in attempt["text"], attempt
    if row.result == "timeout":
        assert 900 <= attempt["milliseconds"] <= 1_000 + DEADLINE * 400, attempt


def test_every_row_is_tried(scene):
    assert list(scene["rows"]) == NAMES[:len(scene["rows"])] and len(scene["rows"]) >= len(NAMES) - 1


def test_nothing_goes_where_it_must_not(scene):
    """What the guard refuses is not even connected to, and a redirect is not followed (PW-178)"""
    assert all(one.path != "/guarded" for one in scene["guarded"].received)
    assert scene["plain"].at("/redirected") == []


def test_who_says_when_is_not_asked_before(scene):
    """PW-175: `Retry-After`"""
    attempt = scene["first"]["Retry-After"]
    assert attempt["retryAfterSeconds"] == 30, attempt
    report = scene["command"].endpoint(scene["rows"]["Retry-After"].url)
    assert report["failures"] == 1 and 0 < report["retryMilliseconds"] <= 34_000, report
    assert len(scene["plain"].at("/429")) == 1


def test_one_that_comes_back_gets_what_it_missed(tmp_path):
    """It was down, and up again: all, once, in order (PW-175)."""
    with Receiver() as hooks:
        url = endpoint(hooks, "/", events=["channel_occupied"])
        with broker_with(tmp_path, app(webhooks=[url])) as broker, broker.client() as client:
            hooks.pause()
            for number in range(30):
                client.subscribe(f"missed-{number}")
            command = Command(tmp_path)
            command.wait_endpoint(hooks.url("/"), lambda one: one["failures"] >= 1 and one["waiting"] == 30, "all wait")
            hooks.resume()
            # It would come by itself, in a while.
            command.text("retry", "--all")
            events = hooks.wait_events(30)
            assert [event["channel"] for event in events] == [f"missed-{number}" for number in range(30)]
