"""A real nginx in front of a broker, with the server block that a test gives it; a real HAProxy with its backend's options."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from harness import DEADLINE, wait_until

HAPROXY = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")

# What every guide to WebSockets behind nginx tells one to write.
UPGRADE = """proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $forwarded;"""

CONFIG = """
daemon off; worker_processes 1; {user} pid {home}/pid; error_log {home}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi; large_client_header_buffers 8 32k;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  map $http_x_client $forwarded {{ default $http_x_client; '' $scheme; }}
  server {{ listen 127.0.0.1:{port}; {locations} }}
}}
"""


class Nginx:
    """Use as a context manager. Its `port` makes it pass for a broker where clients and callers ask for one."""

    def __init__(self, locations: str):
        self.locations, self.process = locations, None
        self.directory = tempfile.TemporaryDirectory(prefix="starling-nginx-")

    def __enter__(self) -> "Nginx":
        home = pathlib.Path(self.directory.name)
        # nginx takes over a socket that is listening, so that the kernel can choose the port.
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        (home / "nginx.conf").write_text(CONFIG.format(
            home=home, port=self.port, locations=self.locations, user="user root;" if os.geteuid() == 0 else ""))
        with open(home / "output", "wb") as output:
            self.process = subprocess.Popen(
                [NGINX, "-p", str(home), "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")], stdout=output,
                stderr=output, pass_fds=[listener.fileno()], env={**os.environ, "NGINX": f"{listener.fileno()};"})
        listener.close()
        try:
            wait_until(lambda: (home / "pid").exists() or self.process.poll() is not None, "nginx starts", DEADLINE * 3)
            assert self.process.poll() is None, (home / "output").read_text()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=DEADLINE * 3)
        self.directory.cleanup()

    def ws_url(self, key="app-key", query="protocol=7&client=test&version=1.0", prefix="") -> str:
        return f"ws://127.0.0.1:{self.port}{prefix}/app/{key}?{query}"


HAPROXY_CONFIG = """
global
  log stderr format raw daemon notice
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind fd@{descriptor} {bind}
  default_backend out
backend out
  server broker 127.0.0.1:{broker} {options}
"""


class HAProxy:
    """Passes TCP on to a broker's port, with the options of HAProxy's `server` line; with those of `bind` (`ssl crt FILE`) it ends TLS. Use as a
    context manager."""

    def __init__(self, broker: int, options: str, bind: str = ""):
        self.broker, self.options, self.bind, self.process = broker, options, bind, None
        self.directory = tempfile.TemporaryDirectory(prefix="starling-haproxy-")

    def __enter__(self) -> "HAProxy":
        home = pathlib.Path(self.directory.name)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        (home / "haproxy.cfg").write_text(HAPROXY_CONFIG.format(
            descriptor=listener.fileno(), broker=self.broker, options=self.options, bind=self.bind))
        with open(home / "output", "wb") as output:
            self.process = subprocess.Popen(
                [HAPROXY, "-db", "-f", str(home / "haproxy.cfg")], stdout=output, stderr=output, pass_fds=[listener.fileno()])
        # The socket listens already, so that nobody has to wait for it.
        listener.close()
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(timeout=DEADLINE * 3)
        self.directory.cleanup()
