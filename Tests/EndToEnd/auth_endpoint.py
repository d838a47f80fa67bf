"""An application's auth endpoint, as the client libraries call it: real HTTP, signed by the official Python library."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import pusher


class AuthEndpoint:
    """`/pusher/auth` and `/pusher/user-auth` of an application: a form in, signed JSON out, 403 for who may not.

    `decide(who, channel)` gives None to refuse, {} to allow, or the member to sign for a presence channel; `who` is the bearer
    token. `user(who)` gives the user to sign in, or None.
    """

    def __init__(self, signer: pusher.Pusher, decide, user=lambda who: None):
        self.signer, self.decide, self.user = signer, decide, user
        self.refused: list[tuple[str, str]] = []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers.get("Content-Length", 0))
                form = dict(urllib.parse.parse_qsl(self.rfile.read(size).decode()))
                who = self.headers.get("Authorization", "").removeprefix("Bearer ")
                reply = endpoint.answer(self.path, who, form)
                body = json.dumps(reply if reply is not None else {"error": "forbidden"}).encode()
                self.send_response(200 if reply is not None else 403)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()
                self.wfile.write(body)

            def do_OPTIONS(self):
                self.send_response(204)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Access-Control-Allow-Headers", "Authorization, Content-Type")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/pusher/auth"
        self.user_url = f"http://127.0.0.1:{self.server.server_port}/pusher/user-auth"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, who: str, form: dict) -> dict | None:
        if path.endswith("user-auth"):
            user = self.user(who)
            return None if user is None else self.signer.authenticate_user(form["socket_id"], user)
        channel = form["channel_name"]
        member = self.decide(who, channel)
        if member is None:
            self.refused.append((who, channel))
            return None
        return sign_channel(self.signer, channel, form["socket_id"], member)


def sign_channel(signer: pusher.Pusher, channel: str, socket_id: str, member: dict | None) -> dict:
    reply = signer.authenticate(channel, socket_id, member or None)
    if isinstance(reply.get("shared_secret"), bytes):  # the library returns bytes, which JSON cannot carry
        reply["shared_secret"] = reply["shared_secret"].decode()
    return reply


def bearer(who: str) -> dict:
    return {"Authorization": f"Bearer {who}"}
