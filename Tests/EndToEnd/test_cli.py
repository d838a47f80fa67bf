"""The command line: what an operator types, reads and gets as exit code."""

import contextlib
import http.server
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time
import types

import pytest

from harness import BINARY, DEADLINE, Broker, app, channel_auth, daemon_environment, wait_until
from http_tools import Caller, Raw, assert_error, assert_success, event, plain
from logfmt import lines, logfmt
from rawclient import RawClient
from signing import auth_pairs, signature, target

USAGE, UNAVAILABLE, BAD_CONFIG = 2, 69, 78


@pytest.fixture
def home(tmp_path) -> pathlib.Path:
    return tmp_path


def run(home: pathlib.Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs a command that has to end by itself; `output` joins what it said on both streams."""
    done = subprocess.run([BINARY, *arguments], cwd=home, env=daemon_environment(HOME=str(home), **variables), text=True,
                          capture_output=True, timeout=DEADLINE, stdin=subprocess.DEVNULL)
    done.output = done.stdout + done.stderr
    return done


@contextlib.contextmanager
def serving(home: pathlib.Path, *arguments: str, wrapper=(), **variables: str):
    """`serve` as typed, without the config file that harness.Broker writes. Gives (port, what it said so far)."""
    ready, log = home / "ready.json", home / "said.log"
    with open(log, "wb") as output:
        process = subprocess.Popen([*wrapper, BINARY, "serve", "--host", "127.0.0.1", "--port", "0", "--ready-file",
                                    str(ready), *arguments], cwd=home, stdout=output, stderr=output,
                                   stdin=subprocess.DEVNULL, env=daemon_environment(HOME=str(home), **variables))
    try:
        wait_until(lambda: process.poll() is not None or (ready.exists() and ready.read_text().endswith("\n")),
                   "the ready file")
        assert process.poll() is None, log.read_text()
        yield json.loads(ready.read_text())["port"], log.read_text
    finally:
        process.kill()
        process.wait()


def ask(port: int, path: str, method: str = "GET", body: bytes | None = None) -> int:
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
        connection.sendall(plain(method, path, "Connection: close", f"Content-Length: {len(body or b'')}", body=body or b""))
        return int(connection.recv(65536).split(b" ")[1])


# Commands


@pytest.mark.parametrize("arguments", [["version"], ["--version"], ["-V"]])
def test_version_is_told(home, arguments):
    done = run(home, *arguments)
    assert done.returncode == 0 and re.search(r"\d+\.\d+", done.stdout), done.output


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["serve", "--help"], ["help"]])
def test_help_names_commands_and_options(home, arguments):
    done = run(home, *arguments)
    assert done.returncode == 0 and "serve" in done.stdout, done.output
    assert arguments[0] != "serve" or "--path-prefix" in done.stdout


@pytest.mark.parametrize("arguments, meant", [
    (["serve", "--prot", "6001"], "--port"), (["serve", "--path-prefx=/ws"], "--path-prefix"), (["--lops", "2"], "--loops"),
    (["serve", "--no-clent-events"], "--no-client-events"), (["srve"], "serve"), (["config", "chekc"], "check"),
    (["versoin"], "version"), (["helth", "http://127.0.0.1:1"], "health")])
def test_an_unknown_word_exits_2_with_the_nearest_name(home, arguments, meant):
    done = run(home, *arguments)
    assert done.returncode == USAGE and meant in done.stderr, done.output


@pytest.mark.parametrize("arguments", [["serve", "--port"], ["serve", "--port", "abc"], ["serve", "--port", "70000"],
                                       ["serve", "--zzzzzz"], ["serve", "stray"], ["health", "not a url"], ["serve", "--port=-1"]])
def test_a_wrong_command_line_exits_2_and_starts_nothing(home, arguments):
    done = run(home, *arguments, "--ready-file", "ready.json") if arguments[0] == "serve" else run(home, *arguments)
    assert done.returncode == USAGE and done.stderr.strip(), done.output
    assert not (home / "ready.json").exists()


# config check

BAD = """{
  "host": "127.0.0.1",
  "prot": 6001,
  "loops": "two",
  // comments are allowed
  "apps": [
    { "id": "a", "key": "k", "secret": "hush-hush-1", "limits": { "conections": 5 } },
    { "id": "a", "key": "k", "secret": "hush-hush-2" },
    { "id": "b", "key": "kb", "secret": "hush-hush-3", "quotaCode": 5 },
    { "id": "c", "key": "kc" }
  ]
}
"""


@pytest.mark.parametrize("command", [["config", "check"], ["serve"]])
def test_a_bad_file_exits_78_with_every_problem_in_its_place_and_nothing_started(home, command):
    """PW-182 too: secrets are not echoed."""
    (home / "config.json").write_text(BAD)
    extra = ["--ready-file", "ready.json", "--port", "0"] if command == ["serve"] else []
    done = run(home, *command, "--config", "config.json", *extra)
    assert done.returncode == BAD_CONFIG, done.output
    for line, *words in [(3, "prot", "port"), (4, "loops"), (7, "conections", "connections"), (8, "a"), (8, "k"),
                         (9, "quotaCode"), (10, "secret")]:
        told = [text for text in done.stderr.splitlines() if re.search(rf"config\.json:{line}:\d+: ", text)]
        assert any(all(word in text for word in words) for text in told), (line, words, done.stderr)
    assert "hush-hush" not in done.output
    assert not (home / "ready.json").exists()
    assert re.search(r"\d+ errors", done.stderr), done.stderr


@pytest.mark.parametrize("text, place", [
    ('{\n  "host": "x",,\n}', ":2:"), ('{\n"port": 6001\n', ":3:"), ("", ":1:1"), ("[]", ":1:1"), ('{"port": 06}', ":1:"),
    ('{\n "port": 1,\n "port": 2\n}', ":3:"), ('{"host": "a\nb"}', ":1:"), ('{"a": ' + "[" * 5000, ":1:"), ("\x00", ":1:1")])
def test_a_syntax_error_is_located(home, text, place):
    (home / "config.json").write_text(text)
    done = run(home, "config", "check", "--config", "config.json")
    assert done.returncode == BAD_CONFIG and "config.json" + place in done.stderr, done.output


@pytest.mark.memory
@pytest.mark.parametrize("command", [["config", "check"], ["serve", "--port", "0"]])
def test_more_apps_than_the_broker_can_number_are_refused(home, command):
    apps = ",\n".join('{"id": "%d", "key": "%d", "secret": "s"}' % (n, n) for n in range(65_536))
    (home / "config.json").write_text('{"apps": [\n' + apps + "]}")
    done = run(home, *command, "--config", "config.json")
    assert done.returncode == BAD_CONFIG, done.output
    assert re.search(r"config\.json:65537:1: apps: 65536 apps.* 65535", done.stderr), done.output


def test_a_good_file_passes_and_starts_nothing(home):
    (home / "config.json").write_text(json.dumps({"port": 0, "readyFile": "ready.json", "apps": [app(secret="hush-hush")]}))
    done = run(home, "config", "check", "--config", "config.json")
    assert done.returncode == 0 and "hush-hush" not in done.output, done.output
    assert not (home / "ready.json").exists()


@pytest.mark.parametrize("command", [["config", "check"], ["serve", "--port", "0"]])
def test_a_missing_file_is_named(home, command):
    done = run(home, *command, "--config", "nowhere.json")
    assert done.returncode == BAD_CONFIG and "nowhere.json" in done.stderr, done.output


def test_production_refuses_the_well_known_credentials(home):
    """Ecosystem §1.6, safe defaults."""
    done = run(home, "serve", "--port", "0", "--production")
    assert done.returncode == BAD_CONFIG and "production" in done.stderr, done.output


# Where settings come from


def test_flags_win_over_variables_and_variables_over_the_file(home):
    (home / "config.json").write_text(json.dumps({"pathPrefix": "/file", "apps": [app()]}))
    for arguments, variables, prefix in [([], {}, "/file"), ([], {"STARLING_PATH_PREFIX": "/variable"}, "/variable"),
                                         (["--path-prefix", "/flag"], {"STARLING_PATH_PREFIX": "/variable"}, "/flag")]:
        with serving(home, "--config", "config.json", *arguments, **variables) as (port, _):
            assert ask(port, f"{prefix}/app/app-key") == 426
        (home / "ready.json").unlink()


@pytest.mark.parametrize("family", ["PUSHER_APP_", "SOKETI_DEFAULT_APP_", "REVERB_APP_", "STARLING_APP_", "SOCKUDO_DEFAULT_APP_"])
def test_an_app_in_the_variables_of_another_server_is_taken_over(home, family):
    """Ecosystem §1.6: a soketi or Reverb user changes only the image name."""
    with serving(home, **{family + "ID": "77", family + "KEY": "their-key", family + "SECRET": "their-secret"}) as (port, _):
        body = event()
        assert ask(port, target("POST", "/apps/77/events", body, key="their-key", secret="their-secret"), "POST", body) == 200
        assert ask(port, target("POST", "/apps/1/events", body), "POST", body) == 404, "the well-known app must be gone"


def test_a_pusher_url_is_an_app(home):
    with serving(home, PUSHER_URL="http://their-key:their-secret@localhost:6001/apps/77") as (port, _):
        assert ask(port, target("GET", "/apps/77/channels", key="their-key", secret="their-secret")) == 200


def test_empty_variables_count_as_unset(home):
    """Ecosystem finding 10: Laravel Sail passes them empty."""
    variables = {f"SOKETI_DEFAULT_APP_{name}": "" for name in ("ID", "KEY", "SECRET")}
    with serving(home, STARLING_PATH_PREFIX="", **variables) as (port, _):
        assert ask(port, target("GET", "/apps/app-id/channels")) == 200


# A taken port


def test_a_second_start_on_a_taken_port_exits_69_and_says_so(home):
    """Two Starlings must not share a port by SO_REUSEPORT; the first goes on."""
    with Broker() as first:
        done = run(home, "serve", "--host", "127.0.0.1", "--port", str(first.port), "--ready-file", "ready.json")
        assert done.returncode == UNAVAILABLE, done.output
        assert re.search("in use|taken", done.stderr) and str(first.port) in done.stderr, done.output
        assert not (home / "ready.json").exists()
        for _ in range(10):
            assert first.request("GET", "/ready")[0] == 200


def test_a_port_taken_by_another_program_exits_69(home):
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run(home, "serve", "--host", "127.0.0.1", "--port", str(other.getsockname()[1]))
        assert done.returncode == UNAVAILABLE and re.search("in use|taken", done.stderr), done.output


def test_an_address_that_is_not_ours_exits_69(home):
    done = run(home, "serve", "--host", "192.0.2.1", "--port", "0")
    assert done.returncode == UNAVAILABLE and "192.0.2.1" in done.stderr, done.output


def test_a_port_is_free_again_after_a_kill(home):
    """Also while connections of the old process are in TIME_WAIT."""
    with Broker() as broker:
        broker.client()
        broker.kill()
        broker.start()
        assert broker.request("GET", "/ready")[0] == 200


# health


def test_health_is_0_for_a_healthy_broker():
    with Broker() as broker:
        for url in (broker.http_url, broker.http_url + "/"):
            done = run(pathlib.Path("/"), "health", url)
            assert done.returncode == 0, done.output


def test_health_is_not_0_where_nothing_listens(home):
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    done = run(home, "health", f"http://127.0.0.1:{port}")
    assert done.returncode not in (0, USAGE) and done.output.strip(), done.output


def test_health_is_not_0_when_the_answer_is_5xx(home):
    class Sick(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_error(503)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sick) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        done = run(home, "health", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert done.returncode not in (0, USAGE) and "503" in done.output, done.output


def test_health_does_not_wait_for_ever(home):
    """A listener that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        done = run(home, "health", f"http://127.0.0.1:{deaf.getsockname()[1]}", "--timeout", "1")
    assert done.returncode not in (0, USAGE) and done.stderr.strip(), done.output


# What is said at the start


def test_the_banner_has_at_most_25_lines_and_what_one_needs_to_connect(home):
    """On a terminal only: PUSHER_URL, a browser and a server snippet with the real port."""
    controller, terminal = pty.openpty()
    ready = home / "ready.json"
    process = subprocess.Popen([BINARY, "serve", "--host", "127.0.0.1", "--port", "0", "--ready-file", str(ready)], cwd=home,
                               stdin=terminal, stdout=terminal, stderr=terminal,
                               env=daemon_environment(HOME=str(home), TERM="xterm"))
    os.close(terminal)
    said, limit = b"", time.monotonic() + DEADLINE
    try:
        # Read until it is ready and then says nothing for a while: a banner announces no end.
        while time.monotonic() < limit:
            if select.select([controller], [], [], 0.5)[0]:
                said += os.read(controller, 65536)
            elif ready.exists():
                break
        port = json.loads(ready.read_text())["port"]
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.decode()).replace("\r\n", "\n")
    assert len(text.strip("\n").split("\n")) <= 25, text
    assert re.search(rf"PUSHER_URL=\S*http://app-key:app-secret@\S+:{port}/apps/(1|app-id)\b", text), text
    assert "new Pusher(" in text and "app-key" in text and "wsHost" in text, f"no browser snippet:\n{text}"
    assert re.search(r"server", text, re.I) and "app-secret" in text.replace("app-key:app-secret", ""), text
    assert text.count(str(port)) >= 3, text


def test_without_a_terminal_the_start_is_one_log_line(home):
    """What collects logs wants a line, and no page to paste from."""
    with serving(home) as (port, said):
        wait_until(lambda: "msg=listening" in said(), "the line")
        [line] = said().splitlines()
        told = logfmt(line)
        assert told["msg"] == "listening" and told["address"] == f"127.0.0.1:{port}" and told["apps"] == "1", told
        assert told["version"] == run(home, "--version").stdout.split()[-1] and int(told["connections"]) > 0, told




@pytest.mark.parametrize("descriptors", [256, 1024])
def test_the_start_tells_how_many_connections_fit(home, descriptors):
    """What the descriptor limit leaves after the broker's own files: said before the first client finds out."""
    with serving(home, wrapper=["prlimit", f"--nofile={descriptors}:{descriptors}"]) as (_, said):
        lines = [line for line in said().splitlines() if "connections" in line]
        numbers = [int(number) for line in lines for number in re.findall(r"\d+", line)]
        assert any(descriptors // 2 < number < descriptors for number in numbers), said()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_pw_182_secrets_and_signatures_are_never_logged(level):
    """PW-182: a run with accepted and refused calls of every kind; then its log is searched."""
    secrets = ["hush-hush-first", "hush-hush-second"]
    settings = app(secret=secrets[0], keys=[{"key": "k2", "secret": secrets[1]}])
    with Broker({"logLevel": level, "apps": [settings]}) as broker:
        digests = []
        for key, secret in (("app-key", secrets[0]), ("k2", secrets[1])):
            call = Caller(broker, key=key, secret=secret)
            assert_success(call.publish(channel="x"))
            assert_error(call.publish(), 400)
            pairs = auth_pairs(event(), key=key)
            digests.append(signature("POST", "/apps/1/events", pairs, secret))
            assert_error(Caller(broker, key=key, secret=secret[:-1]).publish(channel="x"), 401)
        with broker.client(secret=secrets[0]) as client:
            digests.append(channel_auth(client.socket_id, "private-x", None, "app-key", secrets[0]).split(":")[1])
            client.subscribe("private-x")
            client.send_subscribe("private-y", auth="app-key:" + "0" * 64)
            assert client.frames_until_pong(), "a wrong signature must be answered"
            client.sign_in("u1")
            digests.append(channel_auth(client.socket_id, "private-y", None, "app-key", secrets[0]).split(":")[1])
        with Raw(broker) as connection:
            connection.send(b"GET /\x1b[31m HTTP/1.1\r\n\r\n").rest()
        broker.process.send_signal(signal.SIGTERM)
        broker.process.wait(timeout=15)
        log = broker.log()
    assert log.strip(), "an empty log proves nothing"
    for hidden in [*secrets, *(digests if level == "info" else [])]:
        assert hidden not in log
    assert "\x1b" not in log, "control bytes of a peer must not reach the log (reliability §3)"


# Where it listens, and what it warns of


def listening(home, *arguments: str, wrapper=(), **variables: str):
    """Runs `serve` without --host; gives the addresses of its `listening` line, its port, and its other lines."""
    ready, log = home / "ready.json", home / "said.log"
    ready.unlink(missing_ok=True)
    with open(log, "wb") as output:
        process = subprocess.Popen([*wrapper, BINARY, "serve", "--port", "0", "--ready-file", str(ready), *arguments],
                                   cwd=home, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                   env=daemon_environment(HOME=str(home), **variables))
    try:
        wait_until(lambda: process.poll() is not None or "msg=listening" in log.read_text(), "the listening line")
        assert process.poll() is None, log.read_text()
        said = lines(log.read_text())
        [line] = [line for line in said if line["msg"] == "listening"]
        addresses = line["address"].split(",")
        port = int(addresses[0].rpartition(":")[2])
        for address in addresses:
            assert can_connect(address), address
        return [address.rpartition(":")[0] for address in addresses], port, [line for line in said if line["msg"] != "listening"]
    finally:
        process.kill()
        process.wait()


def can_connect(address: str) -> bool:
    host, _, port = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), DEADLINE):
        return True
    return False


OWN_APP = {"STARLING_APP_ID": "1", "STARLING_APP_KEY": "k", "STARLING_APP_SECRET": "s"}
EVERYWHERE, LOOPBACK = ["[::]", "0.0.0.0"], ["127.0.0.1", "[::1]"]
HAS_IPV6 = pathlib.Path("/proc/net/if_inet6").exists() and "00000000000000000000000000000001" in pathlib.Path(
    "/proc/net/if_inet6").read_text()
needs_ipv6 = pytest.mark.skipif(not HAS_IPV6, reason="this machine has no ::1")


def in_container() -> bool:
    """Whether this machine itself has one of the signs (so that the other half cannot be seen here)."""
    groups = pathlib.Path("/proc/self/cgroup").read_text()
    return (any(pathlib.Path(path).exists() for path in ("/.dockerenv", "/run/.containerenv"))
            or any(word in groups for word in ("docker", "kubepods", "containerd", "libpod", "lxc")))


# A root without the files that tell a container, made of the real root's folders.
OUTSIDE = """mount -t tmpfs none /run
for d in /*; do
    if [ -L $d ]; then cp -d $d /run/; elif [ -d $d ] && [ $d != /run ]; then mkdir /run$d && mount --rbind $d /run$d; fi
done
exec chroot /run "$@"
"""


@needs_ipv6
def test_outside_a_container_the_built_in_app_is_for_this_machine(home):
    wrapper = ["unshare", "-rm", "sh", "-c", OUTSIDE, "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount namespace may be made here")
    assert listening(home, wrapper=wrapper)[::2] == (LOOPBACK, [])
    assert listening(home, wrapper=wrapper, **OWN_APP)[::2] == (EVERYWHERE, [])


@needs_ipv6
def test_the_built_in_app_listens_on_this_machine_only_unless_in_a_container(home):
    addresses, _, warnings = listening(home)
    assert addresses == (EVERYWHERE if in_container() else LOOPBACK)
    assert [line["msg"] for line in warnings] == (["well-known credentials"] if in_container() else [])
    addresses, _, warnings = listening(home, KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert addresses == EVERYWHERE
    [warning] = warnings
    assert warning["level"] == "warning" and warning["msg"] == "well-known credentials", warning


@needs_ipv6
def test_an_app_of_ones_own_listens_everywhere_on_both_families(home):
    assert listening(home, **OWN_APP)[::2] == (EVERYWHERE, [])


@needs_ipv6
def test_localhost_is_both_families_and_a_port_taken_on_either_is_refused(home):
    assert listening(home, "--host", "localhost")[::2] == (LOOPBACK, [])
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as taken:
            taken.bind((host, 0))
            taken.listen()
            done = run(home, "serve", "--host", "localhost", "--port", str(taken.getsockname()[1]))
            assert done.returncode == UNAVAILABLE and "is taken" in done.output, done.output


def test_without_ipv6_ipv4_serves_and_a_line_says_so(home):
    """A network of its own, in which IPv6 is switched off."""
    inside = "ip link set lo up && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && exec \"$@\""
    wrapper = ["unshare", "-rn", "sh", "-c", inside, "sh"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
        pytest.skip("no network namespace may be made here")
    log = home / "said.log"
    with open(log, "wb") as output:
        process = subprocess.Popen([*wrapper, BINARY, "serve", "--host", "localhost"], cwd=home, stdout=output,
                                   stderr=output, env=daemon_environment(HOME=str(home)))
    try:
        wait_until(lambda: "msg=listening" in log.read_text() or process.poll() is not None, "the start")
        said = lines(log.read_text())
    finally:
        process.kill()
        process.wait()
    assert [line.get("address") for line in said] == ["::1", "127.0.0.1:6001"], said
    assert said[0]["msg"] == "not listening on an address" and "::1" in said[0]["reason"], said


@pytest.mark.parametrize("descriptors, arguments, variables, is_warned", [
    (64, ["--connections", "5000"], {}, True), (64, [], {}, True), (256, ["--connections", "5000"], {}, True),
    (256, [], {"STARLING_APP_CONNECTIONS": "5000"}, True), (256, ["--connections", "100"], {}, False), (256, [], {}, False)])
def test_too_few_descriptors_are_warned_of(home, descriptors, arguments, variables, is_warned):
    wrapper = ["prlimit", f"--nofile={descriptors}:{descriptors}"]
    _, _, said = listening(home, "--loops", "1", "--api-reserve", "32" if descriptors > 64 else "64", *arguments, wrapper=wrapper,
                           **OWN_APP, **variables)
    assert [line["msg"] for line in said] == (["too few descriptors"] if is_warned else []), said
    if is_warned:
        assert said[0]["level"] == "warning" and said[0]["descriptors"] == str(descriptors), said
        assert int(said[0]["connections"]) > int(said[0]["fit"]) or said[0]["fit"] == "1", said


@pytest.mark.parametrize("key, secret, enabled, is_warned", [
    ("mine", "app-secret", True, True), ("app-key", "mine", True, False), ("mine", "app-secret", False, False),
    ("mine", "mine", True, False)])
def test_the_well_known_secret_is_warned_of_where_it_is_in_use(home, key, secret, enabled, is_warned):
    apps = [{"id": "1", "key": key, "secret": secret, "enabled": enabled}, {"id": "2", "key": "k2", "secret": "s2"}]
    (home / "c.json").write_text(json.dumps({"apps": apps}))
    _, _, said = listening(home, "--config", "c.json")
    assert ["apps[0]" in line["reason"] and f'"{key}"' in line["reason"] for line in said] == ([True] if is_warned else []), said


def test_warnings_of_the_configuration_are_log_lines(home):
    _, _, said = listening(home, STARLING_PROT="1", **OWN_APP)
    [warning] = said
    assert warning["level"] == "warning" and warning["msg"] == "configuration", warning
    assert warning["place"] == "env STARLING_PROT" and "STARLING_PORT" in warning["reason"], warning


# What other servers' users bring along


BASE64 = "c2VjcmV0LWtleS0xMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NQ=="


@pytest.mark.parametrize("variables, size", [
    ({"REVERB_APP_ID": "7", "REVERB_APP_KEY": BASE64, "REVERB_APP_SECRET": "s", "REVERB_MAX_REQUEST_SIZE": "100000"}, 98_000),
    ({"SOKETI_DEFAULT_APP_ID": "7", "SOKETI_DEFAULT_APP_KEY": BASE64, "SOKETI_DEFAULT_APP_SECRET": "s"}, 100 * 1024)])
def test_the_largest_event_of_the_other_server_arrives(home, variables, size):
    """The limit there is the limit here, through body, event, message and backlog; the key is base 64 as templates make it."""
    with serving(home, **variables) as (port, _):
        target_of = types.SimpleNamespace(port=port, host="127.0.0.1")
        with RawClient(target_of, key=BASE64) as client:
            client.subscribe("big")
            body = json.dumps({"name": "e", "channel": "big", "data": "x" * size}).encode()
            assert ask(port, target("POST", "/apps/7/events", body, key=BASE64, secret="s"), "POST", body) == 200
            assert len(client.expect("e", "big")["data"]) == size
        body = json.dumps({"name": "e", "channel": "big", "data": "x" * (size + 10_000)}).encode()
        assert ask(port, target("POST", "/apps/7/events", body, key=BASE64, secret="s"), "POST", body) == 413


def test_what_serve_refuses_is_not_imported(home):
    (home / "soketi.json").write_text('{"port": 6001, "appManager": {"driver": "array", "apps": [{"id": "a", "key": "k", "secret": "s"}]}}')
    for command in (["config", "import", "--from", "soketi", "soketi.json"], ["serve", "--config", "soketi.json"]):
        done = run(home, *command)
        assert done.returncode == BAD_CONFIG and not done.stdout, done.output
        assert re.search(r"soketi\.json:1:50: .*appManager\.apps.*appManager\.array\.apps", done.stderr), done.output
