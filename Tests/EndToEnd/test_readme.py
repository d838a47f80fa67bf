"""What README.md says is run: its snippets, its commands, and its tables against the program.

A snippet is executed as it stands there, but for the port. Node's and PHP's server libraries are in neither Debian nor PyPI: their
snippets run where NODE_PATH holds `pusher`, or PUSHER_PHP names a folder with `vendor/autoload.php`, and are otherwise only parsed.
"""

import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys

import pytest

from harness import BINARY, DEADLINE, ROOT, Broker, Client, app, wait_until
from proxies import NGINX, Nginx
from test_pusher_js import Stage, why_not

README = (ROOT / "README.md").read_text()
CHANNEL, EVENT = "my-channel", "my-event"


def snippet(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no {language} snippet"
    return found[0]


@pytest.fixture(scope="module")
def plain():
    """The broker as a newcomer has it: without a configuration."""
    with Broker({}) as running:
        yield running


def run(command: list, directory, broker: Broker | None = None, **environment) -> subprocess.CompletedProcess:
    return subprocess.run([str(word) for word in command], cwd=directory, capture_output=True, text=True, timeout=DEADLINE * 3,
                          env={**os.environ, **environment})


def check_published(broker: Broker, directory, file: str, source: str, command: list, hello: str, **environment) -> None:
    """Runs a publishing snippet and expects its event on the channel."""
    (directory / file).write_text(source.replace("6001", str(broker.port)))
    with broker.client() as listener:
        listener.subscribe(CHANNEL)
        ended = run(command, directory, **environment)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert json.loads(listener.expect(EVENT, CHANNEL)["data"]) == {"hello": hello}


def interpreter(name: str, only_check: str, directory, file: str, source: str) -> str:
    """The language's command, which has found the snippet well formed; skips where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    (directory / file).write_text(source)
    checked = run([found, only_check, file], directory)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    return found


def test_the_python_snippet_publishes(plain, tmp_path):
    check_published(plain, tmp_path, "publish.py", snippet("python"), [sys.executable, "publish.py"], "from Python")


def test_the_node_snippet_publishes(plain, tmp_path):
    node = interpreter("node", "--check", tmp_path, "publish.js", snippet("js"))
    if run([node, "-e", "require('pusher')"], tmp_path).returncode:
        pytest.skip("parsed only: the npm package `pusher` is not on NODE_PATH")
    check_published(plain, tmp_path, "publish.js", snippet("js"), [node, "publish.js"], "from Node")


def test_the_php_snippet_publishes(plain, tmp_path):
    php = interpreter("php", "-l", tmp_path, "publish.php", snippet("php"))
    if "PUSHER_PHP" not in os.environ:
        pytest.skip("parsed only: PUSHER_PHP names no folder with vendor/autoload.php")
    (tmp_path / "vendor").symlink_to(pathlib.Path(os.environ["PUSHER_PHP"]) / "vendor")
    check_published(plain, tmp_path, "publish.php", snippet("php"), [php, "publish.php"], "from PHP")


def test_the_browser_snippet_receives(plain):
    if reason := why_not("chromium"):
        pytest.skip(reason)
    page = snippet("html").replace("6001", str(plain.port))
    page = re.sub(r'src="https://[^"]*"', 'src="/pusher.js"', page) + """<script>
        new MutationObserver(() => fetch("/report", { method: "POST",
            body: JSON.stringify({ event: "title", channel: null, data: document.title }) }))
            .observe(document.head, { childList: true, subtree: true, characterData: true });
    </script>"""
    stage = Stage(plain, None, "chromium", [])
    stage.files["/"] = ("text/html", page.encode())
    with stage:
        wait_until(lambda: plain.api("GET", f"/channels/{CHANNEL}")[1]["occupied"], "the page subscribed", DEADLINE * 6)
        plain.trigger(CHANNEL, EVENT, {"hello": "browser"})
        assert stage.inbox.wait("title").data == 'Received {"hello":"browser"}'


def test_the_sample_configuration_is_right_and_the_commands_beside_it_work(plain, tmp_path):
    (tmp_path / "starling.json").write_text(snippet("json"))
    (tmp_path / "soketi.json").write_text('{"debug": true, "appManager.array.apps": [{"id": "a", "key": "k", "secret": "s"}]}')
    (tmp_path / ".env").write_text("REVERB_APP_ID=1\nREVERB_APP_KEY=k\nREVERB_APP_SECRET=s\nREVERB_HOST=localhost\n")
    commands = [shlex.split(line, comments=True) for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
                for line in block.splitlines() if line.startswith("starling ")]
    assert len(commands) >= 4
    for _, *arguments in commands:
        if arguments[0] not in ("serve", "webhooks"):  # the broker of this file is one that was served, and has none
            own = {"6001": str(plain.port), "4711": str(plain.pid)}
            arguments = [re.sub("6001|4711", lambda found: own[found[0]], word) for word in arguments]
            ended = run([BINARY, *arguments], tmp_path, HOME=str(tmp_path), XDG_DATA_HOME="")
            assert ended.returncode == 0, (arguments, ended.stdout, ended.stderr)
    for text in re.findall(r"`starling ((?:serve|config|help|version)[^`…]*)`", README):
        if not text.startswith("serve"):
            ended = run([BINARY, *text.split()], tmp_path)
            assert ended.returncode == 0, (text, ended.stderr)


# Webhooks

WEBHOOKS = README[README.index("\n## Webhooks\n"):README.index("\n## Reload\n")]
# What the npm package does where it cannot be had: the same calls, and the same look at key, content type and signature.
NODE_PACKAGE = """
const { createHmac } = require("crypto");

module.exports = class Pusher {
  constructor(options) { this.options = options; }
  webhook({ headers, rawBody }) {
    const digits = createHmac("sha256", this.options.secret).update(rawBody).digest("hex");
    const isGenuine = headers["x-pusher-key"] === this.options.key && headers["x-pusher-signature"] === digits;
    return { isValid: () => headers["content-type"] === "application/json" && isGenuine, getEvents: () => JSON.parse(rawBody).events };
  }
};
"""


def block(language: str) -> str:
    return re.search(rf"^```{language}\n(.*?)^```", WEBHOOKS, re.MULTILINE | re.DOTALL)[1]


@pytest.fixture
def told_to_node(tmp_path):
    """The receiver in Node as it stands there, and the broker of the section's configuration: `(broker, node, its port)`."""
    node = interpreter("node", "--check", tmp_path, "receive.js", block("js"))
    if run([node, "-e", "require('pusher')"], tmp_path).returncode:
        package = tmp_path / "node_modules" / "pusher"
        package.mkdir(parents=True)
        (package / "index.js").write_text(NODE_PACKAGE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    source = block("js").replace("3000", port)
    (tmp_path / "receive.js").write_text(source)
    receiver = subprocess.Popen([node, "receive.js"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        settings = json.loads(block("json").replace("3000", port))
        with Broker({**settings, "webhooks": {"returnMilliseconds": 200}}) as broker:
            yield broker, receiver, port
    finally:
        receiver.kill()
        receiver.wait()


def test_the_webhooks_of_the_readme_are_verified_by_its_receiver_in_node(told_to_node):
    broker, receiver, port = told_to_node
    with broker.client() as client:
        client.subscribe(CHANNEL)
        assert receiver.stdout.readline() == f"channel_occupied {CHANNEL}\n"
    assert receiver.stdout.readline() == f"channel_vacated {CHANNEL}\n"
    forged = http.client.HTTPConnection("127.0.0.1", int(port), timeout=DEADLINE)
    forged.request("POST", "/webhooks", '{"time_ms":1,"events":[]}', {"Content-Type": "application/json", "X-Pusher-Key": "app-key",
                                                                      "X-Pusher-Signature": "0" * 64})
    assert forged.getresponse().status == 401
    forged.close()


def test_the_commands_about_webhooks_work_against_a_running_broker(told_to_node):
    broker, _, port = told_to_node
    home = pathlib.Path(broker.directory.name)
    (home / "webhooks.json").write_text((home / "config.json").read_text())
    commands = [shlex.split(line, comments=True)[1:] for line in block("sh").splitlines()]
    assert [words[:2] for words in commands] == [["webhooks", "list"], ["webhooks", "retry"]]
    for words in commands:
        ended = run([BINARY, *words], home)
        assert ended.returncode == 0, (words, ended.stdout, ended.stderr)
        assert words[1] != "list" or f"http://127.0.0.1:{port}/webhooks" in ended.stdout, ended.stdout


def test_the_receiver_in_laravel_is_well_formed(tmp_path):
    interpreter("php", "-l", tmp_path, "api.php", block("php"))


@pytest.mark.skipif(NGINX is None, reason="nginx cannot be had (Debian: nginx-light)")
def test_behind_the_sample_of_nginx_clients_get_through_and_the_log_names_them():
    with Broker({"trustProxy": True, "apps": [app()]}) as running:
        with Nginx(snippet("nginx").replace("6001", str(running.port))) as nginx:
            with Client(nginx) as client:
                client.subscribe(CHANNEL)
                running.trigger(CHANNEL, EVENT, {})
                client.expect(EVENT, CHANNEL)
            asking = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=DEADLINE, source_address=("127.0.0.9", 0))
            asking.request("GET", "/apps/1/channels")
            assert asking.getresponse().status == 401
            asking.close()
            wait_until(lambda: " peer=127.0.0.9 via=127.0.0.1:" in running.log(), "the refusal names who asked")


def test_every_file_and_command_the_readme_names_exists():
    for name in re.findall(r"`((?:Sources|Tests|deploy|benchmarks|\.github)/[A-Za-z0-9_./-]+)", README):
        assert (ROOT / name).exists(), name
    steps = run([ROOT / "Tests" / "run", "--list"], ROOT).stdout
    for step in re.findall(r"Tests/run --only (\w+)", README):
        assert re.search(rf"^{step} ", steps, re.MULTILINE), step


def test_the_table_of_limits_is_the_programs():
    reference = run([BINARY, "config", "docs"], ROOT).stdout
    rows = dict(re.findall(r"^\| `apps\[\]\.limits\.(\w+)` \|(?:[^|]*\|){3} `([^`]*)` \|", reference, re.MULTILINE))
    told = dict(re.findall(r"^\| `(\w+)` \| (-?\d+) \|", README, re.MULTILINE))
    assert len(told) >= 15 and told.items() <= rows.items(), told.items() - rows.items()


def test_the_credentials_of_the_readme_are_the_built_in_ones(plain):
    key, secret, app_id = re.search(r"PUSHER_URL=http://([^:]+):([^@]+)@\S+?/apps/(\w+)`", README).groups()
    assert plain.api("GET", "/channels", app_id=app_id, key=key, secret=secret)[0] == 200


def test_the_table_of_metrics_is_the_programs():
    docs = subprocess.run([BINARY, "config", "docs"], capture_output=True, text=True, timeout=DEADLINE).stdout
    rows = re.findall(r"^\| `starling_\w+` \|.*$", README, re.MULTILINE)
    assert len(rows) > 8
    assert not [row for row in rows if row not in docs.splitlines()]
