"""The official browser library, pusher-js, in Node and in Chromium.

It is not in Debian or on PyPI, so these run only when PUSHER_JS names a build of it: `dist/web/pusher.min.js`, `dist/node/pusher.js`
or the folder that holds `dist` (a front end's `node_modules/pusher-js`). Otherwise they are skipped, with the reason.
"""

import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

import pytest

from auth_endpoint import AuthEndpoint
from clients import Inbox, publisher
from harness import DEADLINE, Broker, app

HERE = pathlib.Path(__file__).parent
GIVEN = os.environ.get("PUSHER_JS", "")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NODE = shutil.which("node") or shutil.which("nodejs")
BUILDS = {"node": "dist/node/pusher.js", "chromium": "dist/web/pusher.min.js"}


def build(where: str) -> pathlib.Path | None:
    """The build for Node or for the browser: the file given, or its neighbour in the same `dist`."""
    given = pathlib.Path(GIVEN)
    if given.is_dir():
        found = given / BUILDS[where]
        return found if found.is_file() else None
    is_node = 'require("net")' in given.read_text(errors="replace") or given.parent.name == "node"
    if is_node == (where == "node"):
        return given
    for parent in given.parents:
        if parent.name == "dist" and (parent.parent / BUILDS[where]).is_file():
            return parent.parent / BUILDS[where]
    return None


def why_not(where: str) -> str | None:
    if not GIVEN:
        return "PUSHER_JS does not name a build of pusher-js (it is neither in Debian nor on PyPI)"
    if not pathlib.Path(GIVEN).exists():
        return f"PUSHER_JS={GIVEN} does not exist"
    if build(where) is None:
        return f"PUSHER_JS={GIVEN} holds no build for {where}"
    if where == "node" and NODE is None:
        return "node is not installed"
    if where == "chromium" and CHROMIUM is None:
        return "chromium is not installed"
    return None


class Stage:
    """Starts pusher-js, tells it what to do, and takes its reports."""

    def __init__(self, broker: Broker, endpoint: AuthEndpoint | None, where: str, channels: list[str], **options):
        self.where, self.inbox, self.process = where, Inbox(f"pusher-js in {where}"), None
        self.files = {
            "/": ("text/html", b'<!doctype html><meta charset="utf-8"><script src="/pusher.js"></script>'
                               b'<script src="/session.js"></script><script>starlingSession(Pusher, "")</script>'),
            "/pusher.js": ("text/javascript", build(where).read_bytes()),
            "/session.js": ("text/javascript", (HERE / "pusher_js_session.js").read_bytes()),
            "/stage.json": ("application/json", json.dumps(
                {"key": "app-key", "port": broker.port, "channels": channels, "who": "ann", "signIn": False,
                 "auth": endpoint and endpoint.url, "userAuth": endpoint and endpoint.user_url,
                 "activityTimeout": 120_000, **options}).encode()),
        }
        stage = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def reply(self, kind: str, body: bytes, status: int = 200) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                kind, body = stage.files.get(self.path, ("text/plain", b""))
                self.reply(kind, body, 200 if self.path in stage.files else 404)

            def do_POST(self):
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                stage.inbox.put(said["event"], said["channel"], said["data"])
                self.reply("application/json", b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> "Stage":
        self.home = tempfile.TemporaryDirectory(prefix="starling-js-", ignore_cleanup_errors=True)
        if self.where == "node":
            command = [NODE, str(HERE / "pusher_js_session.js"), str(build("node")), self.base]
        else:
            command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
                       "--disable-background-networking", "--disable-component-update", "--disable-extensions",
                       f"--user-data-dir={self.home.name}", self.base + "/"]
        self.log = open(pathlib.Path(self.home.name) / "log", "wb")
        # A group of its own, so that the browser's helpers go with it.
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, start_new_session=True)
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()
        self.home.cleanup()
        self.server.shutdown()
        self.server.server_close()

    def subscribed(self, *channels: str, count: int = 1) -> None:
        for channel in channels:
            self.inbox.wait("pusher:subscription_succeeded", channel, count=count, timeout=DEADLINE * 6)


@pytest.fixture(params=["node", "chromium"])
def where(request):
    if reason := why_not(request.param):
        pytest.skip(reason)
    return request.param


@pytest.fixture(scope="module")
def endpoint(broker):
    def decide(who: str, channel: str) -> dict | None:
        if channel.endswith("-forbidden"):
            return None
        return {"user_id": who, "user_info": {"name": who.title()}} if channel.startswith("presence-") else {}

    with AuthEndpoint(publisher(broker), decide, lambda who: {"id": who, "watchlist": ["bob"]}) as running:
        yield running


def test_pusher_js_receives_on_every_kind_of_channel_and_whispers(broker, endpoint, where):
    kinds = ["", "private-", "presence-", "cache-", "private-cache-", "presence-cache-"]
    channels = [f"{kind}{where}" for kind in kinds]
    service = publisher(broker)
    service.trigger(f"cache-{where}", "news", {"n": "cached"})
    with broker.client() as bob, Stage(broker, endpoint, where, channels) as stage:
        bob.subscribe(f"presence-{where}", user="bob", user_info={"name": "Bob"})
        stage.subscribed(*channels)
        assert stage.inbox.wait("news", f"cache-{where}").data == {"n": "cached"}
        for kind in ("private-cache-", "presence-cache-"):
            stage.inbox.wait("pusher:cache_miss", f"{kind}{where}")
        service.trigger(channels, "news", {"text": "naïve ☂ 𝄞", "list": [1, {"a": None}]})
        for channel in channels:
            news = stage.inbox.wait("news", channel, where=lambda data: "text" in data)
            assert news.data == {"text": "naïve ☂ 𝄞", "list": [1, {"a": None}]}

        roster = stage.inbox.all("pusher:subscription_succeeded", f"presence-{where}")[0].data
        assert roster["me"] == {"id": "ann", "info": {"name": "Ann"}} and roster["members"]["ann"] == {"name": "Ann"}
        while (frame := bob.receive())["event"] != "news":
            assert frame["event"] == "pusher_internal:member_added", frame
        service.trigger(f"presence-{where}", "say", {"words": ["hello"]})
        bob.expect("say")
        said = bob.expect("client-said", f"presence-{where}")
        assert json.loads(said["data"]) == {"words": ["hello"]} and said["user_id"] == "ann"
        bob.send("client-answer", {"yes": True}, channel=f"presence-{where}")
        assert stage.inbox.wait("answer", f"presence-{where}").data == {"data": {"yes": True}, "from": "bob"}
        bob.unsubscribe(f"presence-{where}")
        assert stage.inbox.wait("pusher:member_removed", f"presence-{where}").data["id"] == "bob"

        service.trigger(where, "leave", {})
        stage.inbox.wait("leave", where)
        assert not stage.inbox.all("error"), stage.inbox.all("error")


def test_pusher_js_decrypts_signs_in_watches_and_is_told_of_refusals(broker, endpoint, where):
    has_box = b"secretbox" in build(where).read_bytes() and where == "node"
    secret, forbidden = f"private-encrypted-{where}", f"private-{where}-forbidden"
    service = publisher(broker)
    with Stage(broker, endpoint, where, [*([secret] if has_box else []), forbidden], signIn=True) as stage:
        assert stage.inbox.wait("pusher:subscription_error", forbidden, timeout=DEADLINE * 6).data["status"] == 403
        assert stage.inbox.wait("offline").data == ["bob"]
        with broker.client() as bob:
            bob.sign_in("bob")
            assert stage.inbox.wait("online").data == ["bob"]
            service.send_to_user("ann", "letter", {"n": 1})
            assert stage.inbox.wait("letter").data == {"n": 1}
        assert stage.inbox.wait("offline", count=2).data == ["bob"]
        if has_box:
            stage.subscribed(secret)
            service.trigger(secret, "news", {"pin": 4711})
            assert stage.inbox.wait("news", secret).data == {"pin": 4711}
        assert not stage.inbox.all("error"), stage.inbox.all("error")


def test_pusher_js_is_kept_by_the_broker_through_idle_periods(broker, endpoint, where):
    with Stage(broker, endpoint, where, [f"idle-{where}"], activityTimeout=300) as stage:
        stage.subscribed(f"idle-{where}")
        # It pings after 300 ms of silence and drops the connection if no answer comes in 300 ms more. Ten such periods, each
        # ended by an event, would show a reconnect as a second subscription.
        with broker.client() as clock:
            with pytest.raises(TimeoutError):
                clock.receive(timeout=3)
        publisher(broker).trigger(f"idle-{where}", "news", {})
        stage.inbox.wait("news")
        assert len(stage.inbox.all("pusher:subscription_succeeded")) == 1, "it was dropped and came back"


def test_pusher_js_gives_up_on_an_unknown_key_with_the_brokers_text(broker, endpoint, where):
    with Stage(broker, endpoint, where, [], key="no-such-key") as stage:
        error = stage.inbox.wait("error", timeout=DEADLINE * 6).data
        assert error["code"] == 4001 and "no-such-key" in error["message"], error
        stage.inbox.wait("state", where=lambda state: state == "disconnected")


def test_pusher_js_returns_after_a_crash_of_the_broker_and_subscribes_again(where):
    with Broker({"apps": [app()]}) as broker, \
            AuthEndpoint(publisher(broker), lambda who, channel: {}) as endpoint, \
            Stage(broker, endpoint, where, ["crash", "private-crash"]) as stage:
        stage.subscribed("crash", "private-crash")
        broker.kill()
        stage.inbox.wait("state", where=lambda state: state == "connecting")
        broker.start()
        stage.subscribed("crash", "private-crash", count=2)
        publisher(broker).trigger(["crash", "private-crash"], "news", {"n": 1})
        for channel in ("crash", "private-crash"):
            assert stage.inbox.wait("news", channel).data == {"n": 1}


def test_the_tests_say_what_they_need():
    """Runs always, so that a wrong PUSHER_JS is an error and not a skip."""
    if GIVEN:
        assert pathlib.Path(GIVEN).exists(), f"PUSHER_JS={GIVEN} does not exist"
        assert build("node") or build("chromium"), f"PUSHER_JS={GIVEN} is no build of pusher-js"
