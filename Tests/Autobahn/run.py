"""Runs the Autobahn WebSocket suite against Tests/Echo and judges its report.

    run.py ECHO WSTEST [--exclude 9.*]...

`wstest` ends with 0 whatever it found, so the verdict is ours: every case it announced must be in the report, and both the
behaviour and the closing handshake must be OK (or INFORMATIONAL, for the three cases that RFC 6455 leaves open). NON-STRICT is
a failure. Ends with a line `autobahn: N cases passed, N failed`.
"""

import argparse
import ast
import json
import pathlib
import re
import select
import subprocess
import sys
import tempfile

ACCEPTED = ("OK", "INFORMATIONAL")
START_SECONDS, RUN_SECONDS = 10, 1_500


def start_echo(binary: str) -> tuple[subprocess.Popen, int]:
    process = subprocess.Popen([binary, "0"], stdout=subprocess.PIPE, text=True)
    readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if readable else ""
    found = re.search(r"(\d+)\s*$", line)
    if not found:
        process.kill()
        sys.exit(f"the echo server did not say its port: {line!r}")
    return process, int(found[1])


def run_suite(wstest: str, port: int, excluded: list[str], home: pathlib.Path) -> tuple[list[str], dict]:
    """The cases it announced, and its report: case → {"behavior": …, "behaviorClose": …}."""
    specification = home / "spec.json"
    specification.write_text(json.dumps({
        "outdir": str(home / "reports"), "servers": [{"agent": "Starling", "url": f"ws://127.0.0.1:{port}"}],
        "cases": ["*"], "exclude-cases": excluded, "exclude-agent-cases": {}}))
    ended = subprocess.run([wstest, "-m", "fuzzingclient", "-s", str(specification)], capture_output=True, text=True,
                           cwd=home, timeout=RUN_SECONDS)
    said = ended.stdout + ended.stderr
    announced = re.search(r"^Cases = (\[.*\])$", said, re.MULTILINE)
    index = home / "reports" / "index.json"
    if not announced or not index.exists():
        sys.exit(f"wstest ended with {ended.returncode} and no report:\n{said[-2000:]}")
    return ast.literal_eval(announced[1]), json.loads(index.read_text()).get("Starling", {})


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("echo")
    parser.add_argument("wstest", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("--exclude", action="append", default=[])
    options = parser.parse_args()
    echo, port = start_echo(options.echo)
    try:
        with tempfile.TemporaryDirectory(prefix="starling-autobahn-") as home:
            cases, report = run_suite(options.wstest, port, options.exclude, pathlib.Path(home))
        alive = echo.poll() is None
    finally:
        echo.terminate()
        echo.wait(START_SECONDS)
    failed = 0
    for case in cases:
        verdict = report.get(case, {"behavior": "NO RESULT", "behaviorClose": "NO RESULT"})
        if verdict["behavior"] not in ACCEPTED or verdict["behaviorClose"] not in ACCEPTED:
            failed += 1
            print(f"FAILED case {case}: {verdict['behavior']}, close {verdict['behaviorClose']}")
    if not alive:
        failed += 1
        print("FAILED: the echo server did not survive")
    print(f"autobahn: {len(cases) - failed} cases passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
