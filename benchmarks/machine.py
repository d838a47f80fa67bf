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


def static_build() -> str | None:
    """STARLING_STATIC, or what deploy/build-static makes and names in its last line."""
    if path := os.environ.get("STARLING_STATIC"):
        return os.path.abspath(path)
    script = ROOT / "deploy/build-static"
    if not script.exists():
        return None
    done = subprocess.run([str(script)], capture_output=True, text=True, cwd=ROOT, check=False)
    words = done.stdout.split()
    if done.returncode or not words or not os.access(ROOT / words[-1], os.X_OK):
        print(f"deploy/build-static gave no executable: {done.stderr[-500:]}", file=sys.stderr)
        return None
    return str(ROOT / words[-1])
