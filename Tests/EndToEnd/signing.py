"""The signatures of the Pusher protocol, as server libraries make them."""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.parse


def sign(method: str, path: str, body: bytes | None, params: dict, key: str, secret: str, **changes) -> str:
    """The signed request target. `changes` overrides or (with None) removes auth parameters."""
    query = {**params, "auth_key": key, "auth_timestamp": str(int(time.time())), "auth_version": "1.0"}
    if body:
        query["body_md5"] = hashlib.md5(body).hexdigest()
    query.update(changes)
    query = {k: v for k, v in query.items() if v is not None}
    canonical = "&".join(f"{k.lower()}={v}" for k, v in sorted(query.items(), key=lambda item: item[0].lower()))
    digest = hmac.new(secret.encode(), f"{method}\n{path}\n{canonical}".encode(), hashlib.sha256).hexdigest()
    return path + "?" + urllib.parse.urlencode({**query, "auth_signature": digest}, quote_via=urllib.parse.quote)


def channel_auth(socket_id: str, channel: str, data: str | None = None, key="app-key", secret="app-secret") -> str:
    text = f"{socket_id}:{channel}" + (f":{data}" if data else "")
    return key + ":" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def user_auth(socket_id: str, user_data: str, key="app-key", secret="app-secret") -> str:
    text = f"{socket_id}::user::{user_data}"
    return key + ":" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
