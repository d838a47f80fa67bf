"""The signatures of the Pusher protocol, as server libraries make them."""

from __future__ import annotations

import hashlib
import hmac
import time
import urllib.parse

KEY, SECRET = "app-key", "app-secret"


# API calls, PW §6.3. Pairs are lists, so that a test decides about order, duplicates and spelling.


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def auth_pairs(body: bytes | None = None, *, key: str = KEY, now: int | None = None) -> list[tuple[str, str]]:
    pairs = [("auth_key", key), ("auth_timestamp", str(int(time.time()) if now is None else now))]
    pairs.append(("auth_version", "1.0"))
    return pairs + ([("body_md5", md5(body))] if body else [])


def canonical(method: str, path: str, pairs) -> str:
    kept = [(name.lower(), value) for name, value in pairs if name.lower() != "auth_signature"]
    kept.sort(key=lambda pair: pair[0])
    return f"{method}\n{path}\n" + "&".join(f"{name}={value}" for name, value in kept)


def signature(method: str, path: str, pairs, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), canonical(method, path, pairs).encode(), hashlib.sha256).hexdigest()


def encode(pairs) -> str:
    quote = urllib.parse.quote
    return "&".join(f"{quote(name, safe='[]')}={quote(value, safe='')}" for name, value in pairs)


def target(method: str, path: str, body: bytes | None = None, params=(), *, key=KEY, secret=SECRET, now=None) -> str:
    """The ordinary signed request target."""
    pairs = list(dict(params).items()) + auth_pairs(body, key=key, now=now)
    return f"{path}?{encode(pairs)}&auth_signature={signature(method, path, pairs, secret)}"


# Channels and users


def channel_auth(socket_id: str, channel: str, data: str | None = None, key=KEY, secret=SECRET) -> str:
    text = f"{socket_id}:{channel}" + (f":{data}" if data else "")
    return key + ":" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def user_auth(socket_id: str, user_data: str, key=KEY, secret=SECRET) -> str:
    text = f"{socket_id}::user::{user_data}"
    return key + ":" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
