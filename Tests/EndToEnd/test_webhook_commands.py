"""`starling webhooks …`: looking into the webhooks of a running broker, and what it says when that cannot be."""

from __future__ import annotations

import json
import os
import pathlib
import pty
import re
import select
import socket
import stat
import subprocess

import pytest

from harness import BINARY, DEADLINE, Broker, app, daemon_environment, named_app, wait_until
from receiver import Answer, Receiver
from webhook_tools import Command, broker_with, endpoint, wait_told


@pytest.fixture(scope="module")
def hooks():
    with Receiver() as receiver:
        receiver.always(Answer(500), "/fails")
        yield receiver


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def broker(hooks, state):
    apps = [
        app(webhooks=[endpoint(hooks, "/fine?token=hush", events=["channel_occupied"], headers={"X-Hush": "hush"})]),
        named_app("shop", webhooks=[endpoint(hooks, "/fails", events=["channel_occupied"], channelPrefix="shop-",
                                             batchMilliseconds=50, timeoutSeconds=2)])]
    with broker_with(state, *apps) as running:
        yield running


@pytest.fixture(scope="module")
def command(broker, state) -> Command:
    return Command(state)


@pytest.fixture(scope="module")
def waiting(broker, hooks, command):
    """An event of the shop that waits, and one of the first app that was taken. Gives the endpoint's report."""
    with broker.client() as one, broker.client_of("shop") as two:
        one.subscribe("taken")
        two.subscribe("shop-waits")
        wait_told(hooks, "taken", 1)
        yield command.wait_endpoint(hooks.url("/fails"), lambda one: one["waiting"] == 1 and one["failures"] >= 1, "it waits")


def test_the_socket_is_the_users_alone(broker, state):
    mode = os.stat(state / "control").st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_the_list_is_a_table(waiting, hooks, command):
    lines = command.text("list").splitlines()
    assert re.fullmatch(r"ENDPOINT +APP +WAITING +OLDEST +DEAD +STATE +URL", lines[0])
    fine, fails = lines[1:]
    assert re.fullmatch(rf"[0-9a-f]{{16}}  app-id +0 +- +0  ok +{re.escape(hooks.url('/fine'))}\?…", fine), fine
    assert re.fullmatch(
        rf"{waiting['id']}  shop +1 +\d+ s +0  \d+ failures?, next in \d+ s +{re.escape(hooks.url('/fails'))}", fails), fails
    # Columns stand below their titles.
    assert fine.index("ok") == fails.index(re.search(r"\d+ failure", fails)[0]) == lines[0].index("STATE")
    assert "hush" not in command.text("list")
    assert command.text("list", "--app", "shop").count("\n") == 2


def test_json_is_an_object_a_line(waiting, hooks, command):
    one, = command.json("list", "--app", "shop")
    assert set(one) == {"id", "app", "url", "waiting", "oldestMilliseconds", "deadLetters", "failures", "retryMilliseconds",
                        "removed"}
    assert (one["id"], one["app"], one["url"], one["waiting"]) == (waiting["id"], "shop", hooks.url("/fails"), 1)
    attempts = command.json("attempts", "--app", "shop")
    assert {attempt["app"] for attempt in attempts} == {"shop"} and attempts == sorted(attempts, key=lambda one: one["time"])
    assert attempts[0]["result"] == "refused" and attempts[0]["status"] == 500 and attempts[0]["attempt"] == 1
    assert command.json("attempts", "--app", "app-id")[0]["result"] == "delivered"


def test_show_explains_an_endpoint(waiting, hooks, command):
    text = command.text("show", waiting["id"])
    for line in (rf"endpoint +{waiting['id']}", "app +shop", f"url +{re.escape(hooks.url('/fails'))}", "waiting +1",
                 "events +channel_occupied", "channels +begins with shop-", r"batches +10 events or 50 ms", "timeout +2 s",
                 "private +allowed"):
        assert re.search(rf"^{line}$", text, re.M), (line, text)
    assert "attempts:" in text and "500" in text
    settings = command.json("show", waiting["id"])[0]["settings"]
    assert settings["events"] == ["channel_occupied"] and settings["batchEvents"] == 10
    fine = command.endpoint(hooks.url("/fine") + "?…")
    text = command.text("show", fine["id"])
    assert re.search("^headers +X-Hush$", text, re.M) and "hush" not in text.replace("X-Hush", ""), text


def test_show_explains_an_event(waiting, hooks, command):
    event = hooks.at("/fails")[0].event_ids[0]
    text = command.text("show", event)
    assert re.search(rf"^event +{event}$", text, re.M) and re.search("^channel +shop-waits$", text, re.M), text
    assert re.search(rf"^{waiting['id']}  (waiting|sending) +{re.escape(hooks.url('/fails'))}", text, re.M), text
    shown, = command.json("show", event)
    assert shown["event"]["json"] == {"name": "channel_occupied", "channel": "shop-waits"}
    assert shown["places"][0]["endpoint"] == waiting["id"]


def test_attempts_are_a_table(waiting, command):
    lines = command.text("attempts").splitlines()
    assert re.fullmatch(r"TIME \(UTC\) +APP +ENDPOINT +FIRST EVENT +EVENTS +TRY +MS +RESULT", lines[0])
    assert any(re.fullmatch(rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  shop +{waiting['id']}  [0-9a-f]{{16}}-[0-9a-f]+ +1 +1 +\d+  500", line)
               for line in lines), lines


def test_test_sends_one_event_at_once(broker, hooks, command):
    done = command.run("test", hooks.url("/tested"), "--app", "app-id", "--allow-private")
    assert done.returncode == 0 and re.fullmatch(
        rf"delivered to {re.escape(hooks.url('/tested'))} in \d+ ms: it answered 200\n", done.stdout), done
    request, = hooks.at("/tested")
    request.check()
    assert request.names == ["channel_occupied"]
    assert command.text("test", hooks.url("/tested"), "--app", "shop", "--allow-private").startswith("delivered")
    hooks.at("/tested")[1].check("shop-key", "shop-secret")


def test_test_of_a_configured_endpoint_has_its_settings(broker, hooks, command):
    assert command.text("test", hooks.url("/fine?token=hush"), "--app", "app-id").startswith("delivered")
    request = next(one for one in hooks.at("/fine?token=hush") if one.events[0]["channel"] != "taken")
    assert request.field("X-Hush") == "hush"


def test_a_test_that_fails_says_why(waiting, hooks, command):
    before = command.endpoint(hooks.url("/fails"))
    done = command.run("test", hooks.url("/fails"), "--app", "shop")
    assert done.returncode == 1 and "it answered 500, and only 200 to 299 is success" in done.stdout, done
    said, = command.json("test", hooks.url("/fails"), "--app", "shop", exit=1)
    assert said["attempt"]["status"] == 500
    done = command.run("test", "http://nowhere.invalid/", "--app", "app-id")
    assert done.returncode == 1 and "nowhere.invalid" in done.stdout, done
    # Nothing of it waits or is tried again.
    assert command.endpoint(hooks.url("/fails"))["waiting"] == before["waiting"] == 1


def test_test_has_the_guard_of_all_webhooks(broker, hooks, command):
    """A test that arrives where no webhook gets through would tell nothing"""
    done = command.run("test", hooks.url("/guarded"), "--app", "app-id")
    assert done.returncode == 1 and "allowPrivate" in done.stdout, done
    assert hooks.at("/guarded") == []


def test_which_app_must_be_said_where_there_are_several(broker, hooks, command):
    done = command.run("test", hooks.url("/whose"))
    assert done.returncode == 1 and "--app" in done.stderr, done
    done = command.run("test", hooks.url("/whose"), "--app", "shpo")
    assert done.returncode == 1 and 'no app "shpo"' in done.stderr, done
    assert hooks.at("/whose") == []


def test_dead_letters_can_be_forgotten(hooks, tmp_path):
    hooks.always(Answer(404), "/gone")
    with broker_with(tmp_path, app(webhooks=[endpoint(hooks, "/gone", events=["channel_occupied"])]),
                     webhooks={"retrySeconds": 1}) as broker, broker.client() as client:
        command = Command(tmp_path)
        for number in range(2):
            client.subscribe(f"gone-{number}")
        report = command.wait_endpoint(hooks.url("/gone"), lambda one: one["deadLetters"] == 2, "two dead letters")
        text = command.text("show", report["id"])
        assert "dead letters:" in text and "gone-0" in text and "404" in text, text
        letters = command.json("show", report["id"])[0]["deadLetters"]
        assert command.json("show", letters[0]["event"])[0]["places"][0]["state"] == "dead"
        assert command.text("purge", letters[0]["event"]) == "1 dead letter forgotten\n"
        assert [one["event"] for one in command.json("show", report["id"])[0]["deadLetters"]] == [letters[1]["event"]]
        done = command.run("show", letters[0]["event"])
        assert done.returncode == 1 and letters[0]["event"] in done.stderr, done
        assert command.text("purge", "--all") == "1 dead letter forgotten\n"
        assert command.text("purge", report["id"]) == "0 dead letters forgotten\n"
        assert command.endpoint(hooks.url("/gone"))["deadLetters"] == 0


@pytest.mark.parametrize("arguments, exit, text", [
    (["show", "0000000000000000"], 1, "0000000000000000"),
    (["show", "0000000000000000-1"], 1, "0000000000000000-1"),
    (["retry", "0000000000000000"], 1, "0000000000000000"),
    (["purge", "0000000000000000-1"], 1, "0000000000000000-1"),
    (["show", "12"], 2, '"12" is no ID'),
    (["list", "--app", "shpo"], 1, 'no app "shpo"'),
    (["attempts", "--app", "shpo"], 1, 'no app "shpo"'),
    (["show"], 2, "needs an ID"),
    (["retry"], 2, "needs an ID, or --all"),
    (["purge", "0000000000000000", "--all"], 2, "an ID or --all"),
    (["test", "ftp://example.com"], 2, "http"),
    (["list", "extra"], 2, 'unexpected argument "extra"'),
    (["lst"], 2, "did you mean list?"),
    (["list", "--allow-private"], 2, "takes no --allow-private"),
    (["list", "--timeout", "0"], 2, "from 1 to 300"),
])
def test_what_cannot_be_is_told(command, arguments, exit, text):
    done = command.run(*arguments)
    assert done.returncode == exit and text in done.stderr and done.stdout == "", done


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, "webhooks", *arguments], text=True, capture_output=True, timeout=DEADLINE * 2,
                          env=daemon_environment(**variables))


def test_the_broker_is_found_as_serve_would_find_its_state(broker, state, tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"stateDirectory": str(state)}))
    for done in (run("list", STARLING_STATE_DIRECTORY=str(state)), run("list", STATE_DIRECTORY=str(state)),
                 run("list", "--config", str(file)), run("list", STARLING_CONFIG=str(file)),
                 run("list", f"--state-directory={state}", "--config", str(tmp_path / "unreadable.json"))):
        assert done.returncode == 0 and "shop" in done.stdout, done


def test_where_no_broker_is_it_says_so(tmp_path):
    done = run("list")
    assert done.returncode == 2 and "--state-directory" in done.stderr, done
    done = run("list", "--state-directory", str(tmp_path))
    assert done.returncode == 69 and str(tmp_path / "control") in done.stderr, done
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "control"))
        done = run("list", "--state-directory", str(tmp_path))
        assert done.returncode == 69 and "any more" in done.stderr, done


def test_a_broker_that_does_not_answer_is_not_waited_for(tmp_path):
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "control"))
        mute.listen()
        done = run("list", "--timeout", "1", "--state-directory", str(tmp_path))
        assert done.returncode == 124 and "within 1 s" in done.stderr, done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_told_to_be_the_right_one(broker, state, command):
    # The directory may be entered, so that the socket itself refuses.
    before = stat.S_IMODE(state.stat().st_mode)
    parents = [parent for parent in [state, *state.parents] if str(parent).startswith("/tmp/")]
    modes = [stat.S_IMODE(parent.stat().st_mode) for parent in parents]
    for parent in parents:
        parent.chmod(0o755)
    try:
        done = command.run("list", user=65534, cwd="/")
        if "cannot execute" in done.stderr or done.returncode == 126:
            pytest.skip("nobody may not run the binary")
        assert done.returncode == 1 and "the user that the broker runs as, or as root" in done.stderr, done
        # Whatever becomes of the file: the kernel says who is at the other end.
        (state / "control").chmod(0o666)
        done = command.run("list", user=65534, cwd="/")
        assert done.returncode == 1 and "hung up" in done.stderr and done.stdout == "", done
        assert "another user asks at the control socket" in broker.log()
    finally:
        (state / "control").chmod(0o600)
        for parent, mode in zip(parents, modes):
            parent.chmod(mode)
    assert stat.S_IMODE(state.stat().st_mode) == before


def test_a_terminal_gets_colours_unless_it_says_no(waiting, state):
    def shown(**variables: str) -> str:
        parent, child = pty.openpty()
        try:
            process = subprocess.Popen([BINARY, "webhooks", "list", "--state-directory", str(state)], stdout=child, stderr=child,
                                       stdin=subprocess.DEVNULL, env=daemon_environment(TERM="xterm", **variables))
            os.close(child)
            said = b""
            while select.select([parent], [], [], DEADLINE)[0]:
                try:
                    if not (piece := os.read(parent, 65536)):
                        break
                except OSError:
                    break
                said += piece
            assert process.wait(DEADLINE) == 0
            return said.decode()
        finally:
            os.close(parent)
    assert "\x1b[31m" in shown() and "\x1b[32mok" in shown()
    plain = shown(NO_COLOR="1")
    assert "\x1b" not in plain and "STATE" in plain


def test_the_socket_goes_with_its_broker(hooks, tmp_path):
    config = {"apps": [app(webhooks=[endpoint(hooks, "/over")])], "stateDirectory": str(tmp_path)}
    with Broker(config) as broker:
        wait_until((tmp_path / "control").exists, "the socket")
        assert Command(tmp_path).endpoint(hooks.url("/over"))["waiting"] == 0
        broker.begin_drain()
        assert broker.wait_ended() == 0
        assert not (tmp_path / "control").exists() and run("list", "--state-directory", str(tmp_path)).returncode == 69
        broker.start()
        wait_until((tmp_path / "control").exists, "the socket")
        assert Command(tmp_path).endpoint(hooks.url("/over"))["waiting"] == 0


def test_whoever_takes_over_answers(hooks, tmp_path):
    """The socket is the one's who serves now, and does not go with who served before"""
    place, state = tmp_path / "takeover.sock", tmp_path / "state"
    state.mkdir()

    def serving(path: str, **options) -> Broker:
        config = {"apps": [app(webhooks=[endpoint(hooks, path)])], "stateDirectory": str(state), "shutdownGraceSeconds": 1}
        flags = ("--takeover-socket", str(place), *(("--takeover",) if options else ()))
        return Broker(config, flags=flags, **options)

    def shown() -> list[str]:
        return [one["url"] for one in Command(state).json("list")]
    with serving("/before") as old:
        wait_until((state / "control").exists, "the socket")
        assert shown() == [hooks.url("/before")]
        with serving("/after", port=old.port):
            wait_until(lambda: shown() == [hooks.url("/after")], "the successor answers")
            assert old.wait_ended() == 0
            assert shown() == [hooks.url("/after")]
