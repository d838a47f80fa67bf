"""What `benchmarks/run` measures on and with: the machine, the executables, the versions of the peers."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

import servers as server_tools

ROOT = pathlib.Path(__file__).resolve().parent.parent


def output_of(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return (done.stdout or done.stderr).strip() if done.returncode == 0 or done.stderr else ""


def binary() -> str:
    if "STARLING" in os.environ:
        return os.path.abspath(os.environ["STARLING"])
    subprocess.run(["swift", "build", "-c", "release", "--product", "starling"], check=True, cwd=ROOT)
    return output_of("swift", "build", "-c", "release", "--show-bin-path").splitlines()[-1] + "/starling"


def first_line(path: str) -> str:
    try:
        return " ".join(pathlib.Path(path).read_text().split("\n")[0].split())
    except OSError:
        return ""


def versions(tools: server_tools.Servers) -> dict[str, str]:
    """Of the peers, as far as they say."""
    found = {
        "nchan": output_of("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"),
        "nginx": output_of("nginx", "-v").removeprefix("nginx version: ") if shutil.which("nginx") else "",
        "mosquitto": output_of("dpkg-query", "-W", "-f", "${Version}", "mosquitto"),
        "redis": output_of("dpkg-query", "-W", "-f", "${Version}", "redis-server"),
    }
    if tools.python:
        program = "import importlib.metadata as m; print(m.version('socketify'))"
        found["socketify"] = output_of(tools.python, "-c", program)
    return {name: value for name, value in found.items() if value}


def static_build(work: pathlib.Path) -> str | None:
    """STARLING_STATIC; or, when everything is built here, what deploy/build-static makes."""
    if path := os.environ.get("STARLING_STATIC"):
        return os.path.abspath(path)
    script = ROOT / "deploy/build-static"
    if "STARLING" in os.environ or not script.exists():
        return None
    done = subprocess.run([script, work / "starling-static"], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        print(f"deploy/build-static failed: {done.stderr[-500:]}", file=sys.stderr)
        return None
    return str(work / "starling-static")
