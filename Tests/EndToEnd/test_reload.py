"""Other settings for a running broker: SIGHUP and `starling reload` (issue 9, section 2). Nobody is dropped who need not be."""

from __future__ import annotations

import json
import pathlib
import select
import signal
import subprocess
import threading

import pytest

from clients import AsyncPusherClient, publisher
from harness import BINARY, Broker, app, credentials, daemon_environment, named_app, wait_until
from logfmt import lines as entries
from rawclient import RawClient
from session import DEADLINE, check_error

GRACE = 2


def config(*apps: dict, **changes) -> dict:
    return {"shutdownGraceSeconds": GRACE, "apps": list(apps), **changes}


def write(broker: Broker, settings: dict | str) -> None:
    """As a tool does it: the file is whole at any time."""
    home = pathlib.Path(broker.directory.name)
    text = settings if isinstance(settings, str) else json.dumps(settings)
    (home / "new.json").write_text(text)
    (home / "new.json").rename(home / "config.json")


def run_reload(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, "reload", *arguments], capture_output=True, text=True, timeout=DEADLINE * 3,
                          env=daemon_environment())


def reload(broker: Broker, settings: dict | str) -> str:
    """Reloads and waits until that is done; gives what the command says."""
    write(broker, settings)
    done = run_reload("--pid", str(broker.pid))
    assert done.returncode == 0, done
    return done.stdout


def refused(broker: Broker, settings: dict | str) -> list[str]:
    write(broker, settings)
    done = run_reload("--pid", str(broker.pid))
    assert done.returncode == 78 and done.stderr.endswith("nothing was changed\n"), done
    return done.stderr.splitlines()


def logged(broker: Broker, message: str) -> list[dict]:
    return [line for line in entries(broker.log()) if line["msg"] == message]


def test_an_app_that_is_added_is_served_at_once():
    with Broker(config(app())) as broker:
        with broker.client() as old:
            old.subscribe("room")
            assert reload(broker, config(app(), named_app("shop"))) == "reloaded: 2 apps, 1 added\n"
            with broker.client_of("shop") as new:
                new.subscribe("room")
                broker.trigger("room", "sale", "{}", **credentials("shop"))
                new.expect("sale", "room")
            old.nothing_until_pong()
        assert logged(broker, "reloaded")[-1]["added"] == "1"


@pytest.mark.parametrize("closed, code", [([], 4001), ([named_app("shop", enabled=False)], 4003)])
def test_clients_of_an_app_that_is_removed_or_disabled_leave_one_after_the_other(closed, code):
    """Publishes are refused at once, the clients have their time, and those of other apps notice nothing."""
    shop = credentials("shop")
    # A long grace: many ticks, whatever the machine does.
    with Broker(config(app(), named_app("shop"), shutdownGraceSeconds=5)) as broker:
        with broker.client() as other:
            other.subscribe("room")
            clients = [RawClient(broker, **shop) for _ in range(60)]
            for client in clients:
                client.subscribe("private-room")
            reload(broker, config(app(), *closed, shutdownGraceSeconds=5))
            assert broker.api("POST", "/events", {"name": "n", "channel": "private-room", "data": "x"}, **shop)[0] in (403, 404)
            waiting, batches = {client.socket: client for client in clients}, []
            while waiting:
                told, _, _ = select.select(list(waiting), [], [], DEADLINE * 2)
                assert told, f"{len(waiting)} are never told"
                batches.append(len(told))
                for one in told:
                    client = waiting.pop(one)
                    ended = client.expect_close()
                    assert ended.code == code, ended
                    assert [check_error(frame)["code"] for frame in client.last_frames] == [code], client.last_frames
                    client.expect_end()
            assert len(batches) > 10, f"one after the other, not {batches}"
            with broker.client_of("shop", handshake=False) as again:
                assert again.expect_close().code == code
            broker.trigger("room", "still", "{}")
            other.expect("still", "room")


def test_a_client_of_a_closed_app_sends_no_more_events():
    with Broker(config(app(), named_app("shop"), shutdownGraceSeconds=60)) as broker:
        with broker.client_of("shop") as one, broker.client_of("shop") as two:
            one.subscribe("private-room")
            two.subscribe("private-room")
            one.send("client-before", {}, channel="private-room")
            two.expect("client-before", "private-room")
            reload(broker, config(app(), named_app("shop", enabled=False), shutdownGraceSeconds=60))
            one.send("client-after", {}, channel="private-room")
            one.expect_error(4301)
            two.nothing_until_pong()
            # Back in time, they stay, and may speak again.
            reload(broker, config(app(), named_app("shop"), shutdownGraceSeconds=GRACE))
            one.send("client-again", {}, channel="private-room")
            two.expect("client-again", "private-room")


def test_a_key_is_rotated_without_a_gap():
    """Old and new key side by side, then the new one alone; who came by the old one stays."""
    old, new = {"key": "app-key", "secret": "app-secret"}, {"key": "next-key", "secret": "next-secret"}
    plain = {name: value for name, value in app().items() if name not in ("key", "secret")}
    with Broker(config({**plain, "keys": [old]})) as broker:
        with broker.client() as client:
            client.subscribe("private-room")
            for keys, works in [([old], (True, False)), ([old, new], (True, True)), ([new], (False, True))]:
                reload(broker, config({**plain, "keys": keys}))
                for pair, is_valid in zip((old, new), works):
                    assert broker.api("GET", "/channels", **pair)[0] == (200 if is_valid else 401), (keys, pair)
            broker.trigger("private-room", "still", "{}", **new)
            client.expect("still", "private-room")
            with broker.client(**new) as late:
                late.subscribe("private-room")


def test_a_secret_is_changed_under_its_key():
    with Broker(config(app())) as broker:
        assert "1 changed" in reload(broker, config(app(secret="another-secret")))
        assert broker.api("GET", "/channels")[0] == 401
        assert broker.api("GET", "/channels", secret="another-secret")[0] == 200
        assert "none changed" in reload(broker, config(app(secret="another-secret")))
        assert "another-secret" not in broker.log()


# Each limit and feature of an app: what is done before and after, and how it ends.


def publish(broker: Broker, **body) -> int:
    return broker.api("POST", "/events", {"name": "n", "channel": "c", "data": "x", **body})[0]


def batch(broker: Broker) -> int:
    events = [{"name": "n", "channel": "c", "data": "x"}] * 2
    return broker.api("POST", "/batch_events", {"batch": events})[0]


def subscribing(channel: str, **options):
    def attempt(broker: Broker) -> int:
        with broker.client() as client:
            client.send_subscribe(channel, **options)
            frame = client.receive()
            return 200 if frame["event"] == "pusher_internal:subscription_succeeded" else frame["data"]["status"]
    return attempt


def two_channels(broker: Broker) -> int:
    with broker.client() as client:
        client.subscribe("one")
        client.send_subscribe("two")
        return client.receive()["event"] == "pusher_internal:subscription_succeeded"


def connecting(**options):
    def attempt(broker: Broker) -> int:
        with broker.client(handshake=False, **options) as client:
            frame = client.receive()
            return frame["data"]["code"] if frame["event"] == "pusher:error" else 200
    return attempt


def count_told(broker: Broker) -> bool:
    with broker.client() as client:
        client.subscribe("c")
        client.send("pusher:ping", {})
        return client.receive()["event"] == "pusher_internal:subscription_count"


def speaking(broker: Broker) -> int:
    with broker.client() as client:
        client.subscribe("private-c")
        client.send("client-n", "x" * 50, channel="private-c")
        client.send("pusher:ping", {})
        frame = client.receive()
        return 200 if frame["event"] == "pusher:pong" else frame["data"]["code"]


def activity(broker: Broker) -> int:
    with broker.client() as client:
        return json.loads(client.hello["data"])["activity_timeout"]


CHANGES = [
    ({"limits": {"eventDataBytes": 3}}, lambda broker: publish(broker, data="long"), 200, 413),
    ({"limits": {"eventNameCharacters": 3}}, lambda broker: publish(broker, name="long"), 200, 400),
    ({"limits": {"eventChannels": 1}}, lambda broker: publish(broker, channels=["a", "b"]), 200, 400),
    ({"limits": {"channelNameBytes": 2}}, subscribing("long"), 200, 4009),
    ({"limits": {"batchEvents": 1}}, batch, 200, 400),
    ({"limits": {"channelsPerConnection": 1}}, two_channels, True, False),
    ({"limits": {"userIDCharacters": 1}}, subscribing("presence-c", user="long"), 200, 4301),
    ({"limits": {"presenceMemberBytes": 64}}, subscribing("presence-c", user="u", user_info="x" * 99), 200, 4301),
    ({"limits": {"connections": 0}}, connecting(), 200, 4004),
    ({"limits": {"connections": 0}, "quotaCode": 4100}, connecting(), 200, 4100),
    ({"limits": {"clientEventBytes": 5}}, speaking, 200, 4301),
    ({"clientEvents": False}, speaking, 200, 4301),
    ({"requireTLS": True}, connecting(), 200, 4000),
    ({"strictProtocol": True}, connecting(query=""), 200, 4008),
    ({"allowedOrigins": ["https://a.example"]}, connecting(origin="https://b.example"), 200, 4009),
    ({"activityTimeoutSeconds": 77}, activity, 45, 77),
    ({"enabled": False}, publish, 200, 403),
]


@pytest.fixture(scope="module")
def changing():
    with Broker(config(app())) as broker:
        yield broker


@pytest.mark.parametrize("change, attempt, before, after", CHANGES, ids=[json.dumps(change[0]) for change in CHANGES])
def test_what_an_app_may_do_follows_the_file(changing, change, attempt, before, after):
    reload(changing, config(app()))
    assert attempt(changing) == before
    reload(changing, config(app(**change)))
    assert attempt(changing) == after
    reload(changing, config(app()))
    assert attempt(changing) == before


def test_a_lowered_limit_counts_for_what_comes():
    """Who is in stays in; who comes then meets the new limit."""
    with Broker(config(app())) as broker:
        with broker.client() as one, broker.client() as two:
            for client in (one, two):
                client.subscribe("a")
                client.subscribe("b")
            reload(broker, config(app(limits={"connections": 1, "channelsPerConnection": 1})))
            broker.trigger(["a", "b"], "still", "{}")
            for client in (one, two):
                assert [client.receive()["channel"] for _ in range(2)] == ["a", "b"]
            one.send_subscribe("c")
            one.expect_refusal("c", 4100, "LimitReached")
            with broker.client(handshake=False) as late:
                assert late.expect_close().code == 4004


def test_the_level_of_the_log_follows_the_file():
    with Broker(config(app())) as broker:
        reload(broker, config(app(), logLevel="debug"))
        with broker.client() as client:
            client.subscribe("seen")
            broker.trigger("seen", "published-event", "{}")
        wait_until(lambda: logged(broker, "disconnected"), "the client's end in the log")
        assert {"connected", "subscribed", "published"} <= {line["msg"] for line in entries(broker.log())}
        reload(broker, config(app(), logLevel="info"))
        count = len(logged(broker, "connected"))
        with broker.client() as client:
            client.subscribe("unseen")
        assert len(logged(broker, "connected")) == count


def test_what_needs_a_restart_stays_and_is_named():
    with Broker(config(app())) as broker:
        said = reload(broker, config(app(), port=7, loops=3, requestBodyBytes=600))
        # The port of the test stands in a flag, which is stronger than the file.
        assert "these changed options wait for a restart: loops,request-body-bytes\n" in said
        assert publish(broker, data="x" * 2_000) == 200
        assert logged(broker, "changed options wait for a restart")[-1]["options"] == "loops,request-body-bytes"


@pytest.mark.parametrize("text, place", [
    ('{"apps": [\n  {"id": "a", "key": "k"}]}', "config.json:2:"),
    ('{\n "apps": [{"id": "a", "key": "k", "secret": "s", "limit": 1}]\n}', "config.json:2:"),
    ('{\n\n  "keepAliveSeconds": 0\n}', "config.json:3:23:"),
    ("{", "config.json:1:2:"),
    ("", "config.json:1:1:"),
])
def test_a_file_with_a_fault_changes_nothing_and_says_where(changing, text, place):
    reload(changing, config(app()))
    with changing.client() as client:
        client.subscribe("room")
        lines = refused(changing, text)
        assert any(place in line for line in lines), lines
        assert any(place in line.get("place", "") + ":" for line in logged(changing, "configuration")[-5:])
        assert logged(changing, "reload refused; the settings stay as they were")
        changing.trigger("room", "still", "{}")
        client.expect("still", "room")
    reload(changing, config(app()))


def test_a_file_that_is_gone_changes_nothing(changing):
    (pathlib.Path(changing.directory.name) / "config.json").unlink(missing_ok=True)
    done = run_reload("--pid", str(changing.pid))
    assert done.returncode == 78 and "cannot be read: No such file or directory" in done.stderr
    assert publish(changing) == 200
    reload(changing, config(app()))


def test_a_directory_is_read_again_with_the_files_it_has_then(tmp_path):
    def put(name: str, settings: dict) -> None:
        (tmp_path / "new").write_text(json.dumps(settings))
        (tmp_path / "new").rename(tmp_path / name)

    put("10-server.json", {"shutdownGraceSeconds": GRACE})
    put("20-main.json", {"apps": [app()]})
    with Broker(flags=("--config", str(tmp_path))) as broker:
        put("30-shop.json", {"apps": [named_app("shop")]})
        assert run_reload("--pid", str(broker.pid)).stdout == "reloaded: 2 apps, 1 added\n"
        with broker.client_of("shop") as client:
            put("40-shop.json", {"apps": [named_app("shop")]})
            done = run_reload("--pid", str(broker.pid))
            assert done.returncode == 78 and "40-shop.json:1:" in done.stderr and "30-shop.json:1:" in done.stderr
            client.nothing_until_pong()
            (tmp_path / "40-shop.json").unlink()
            (tmp_path / "30-shop.json").unlink()
            assert run_reload("--pid", str(broker.pid)).stdout == "reloaded: 1 app, 1 removed\n"
            assert client.expect_close(GRACE + DEADLINE).code == 4001


def test_variables_of_the_start_keep_their_place():
    """A process keeps its variables; those of another server name their app after a reload too."""
    variables = {"SOKETI_DEFAULT_APP_ID": "old", "SOKETI_DEFAULT_APP_KEY": "old-key", "SOKETI_DEFAULT_APP_SECRET": "old-secret"}
    with Broker(config(app()), env=variables) as broker:
        assert reload(broker, config(named_app("shop"))) == "reloaded: 2 apps, 1 added, 1 removed\n"
        assert broker.api("GET", "/channels", **credentials("old"))[0] == 200


def test_a_file_of_variables_is_read_again(tmp_path):
    variables = tmp_path / ".env"

    def put(secret: str) -> None:
        variables.write_text(f"PUSHER_APP_ID=env\nPUSHER_APP_KEY=env-key\nPUSHER_APP_SECRET={secret}\n")

    put("env-secret")
    with Broker(config(app()), flags=("--env-file", str(variables))) as broker:
        assert broker.api("GET", "/channels", **credentials("env"))[0] == 200
        put("next-secret")
        reload(broker, config(app()))
        assert broker.api("GET", "/channels", app_id="env", key="env-key", secret="next-secret")[0] == 200


def test_the_command_signals_no_other_process():
    other = subprocess.Popen(["sleep", "60"])
    try:
        done = run_reload("--pid", str(other.pid))
        assert done.returncode == 1 and "is no Starling" in done.stderr
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
    assert run_reload("--pid", str(other.pid)).returncode == 1


def test_the_command_asks_which_of_several_is_meant():
    with Broker(config(app())) as one, Broker(config(app())) as two:
        done = run_reload()
        assert done.returncode == 2 and str(one.pid) in done.stderr and str(two.pid) in done.stderr


def test_while_the_server_drains_a_reload_is_refused():
    with Broker(config(app(), shutdownGraceSeconds=30)) as broker:
        with broker.client():
            broker.begin_drain()
            wait_until(lambda: logged(broker, "draining"), "the drain")
            assert any("drains" in line for line in refused(broker, config(app(), named_app("shop"))))
            assert broker.stop() == 0


def test_a_storm_of_signals_under_load_loses_no_event_and_no_connection():
    """SIGHUP while real clients and raw ones are published to; every event comes once, in order, and nobody is dropped. The file changes
    all the time, and so does an app beside."""
    signals, channels = 200, 4
    with Broker(config(app(), named_app("beside"))) as broker:
        raw = [RawClient(broker) for _ in range(40)]
        for number, client in enumerate(raw):
            client.subscribe(f"room-{number % channels}")
        with AsyncPusherClient(broker) as library:
            library.subscribe("room-0", "event")
            library_socket = library.socket_id
            published, is_over = [0], threading.Event()

            def publish_all() -> None:
                sender = publisher(broker)
                while not is_over.is_set():
                    for channel in range(channels):
                        sender.trigger(f"room-{channel}", "event", {"number": published[0]})
                    published[0] += 1

            thread = threading.Thread(target=publish_all, daemon=True)
            thread.start()
            for number in range(signals):
                if number % 10 == 0:
                    beside = [named_app("beside")] if number % 20 else []
                    write(broker, config(app(limits={"channels": 1_000 + number}), *beside))
                before = len(logged(broker, "reloaded"))
                broker.process.send_signal(signal.SIGHUP)
                if number % 50 == 0:
                    wait_until(lambda before=before: len(logged(broker, "reloaded")) > before, "another reload")
            reload(broker, config(app()))
            is_over.set()
            thread.join()
            last = published[0] - 1
            assert last > 0
            for client in raw:
                numbers = [json.loads(client.receive()["data"])["number"] for _ in range(last + 1)]
                assert numbers == list(range(last + 1))
                client.nothing_until_pong()
                client.close()
            library.inbox.wait("event", "room-0", count=last + 1)
            assert len(library.inbox.all("event", "room-0")) == last + 1
            assert library.socket_id == library_socket
        assert 5 <= len(logged(broker, "reloaded")) <= signals + 1
