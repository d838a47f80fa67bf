"""Random sessions, as other brokers' faults needed: sequences, not only bytes.

The seed is the test's argument, so a failure names how to repeat it."""

import json
import random

import pytest

from harness import wait_until
from rawclient import RawClient, text
from session import Closed
from signing import channel_auth, user_auth

CHANNELS = ["r-1", "r-2", "cache-r", "private-r", "private-cache-r", "private-encrypted-r", "presence-r",
    "presence-cache-r",
            "#server-to-user-u1", "bad name", "", "x" * 250]


def random_message(client, dice: random.Random) -> str:
    channel = dice.choice(CHANNELS)
    kind = dice.choice(["subscribe"] * 5 + ["unsubscribe"] * 4 + ["client"] * 3 + ["signin", "ping", "mutant",
        "mutant"])
    if kind == "unsubscribe":
        return json.dumps({"event": "pusher:unsubscribe", "data": {"channel": channel}})
    if kind == "client":
        return json.dumps({"event": "client-x", "channel": channel, "data": dice.choice([{}, "s", None, [1]])})
    if kind == "ping":
        return '{"event":"pusher:ping"}'
    if kind == "signin":
        user = json.dumps({"id": dice.choice(["u1", "u2"]), "watchlist": ["u1", "u2"]})
        return json.dumps({"event": "pusher:signin", "data": {"auth": user_auth(client.socket_id, user),
            "user_data": user}})
    member = json.dumps({"user_id": dice.choice(["u1", "u2", 3])}) if channel.startswith("presence") else None
    data = {"channel": channel, "auth": channel_auth(client.socket_id, channel, member)}
    message = json.dumps({"event": "pusher:subscribe", "data": {**data,
        **({"channel_data": member} if member else {})}})
    if kind == "mutant":
        letters = list(message)
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(letters))
            letters[at] = dice.choice(["", letters[at] * 2, chr(dice.randrange(32, 127)), '"', "{", "}", "\\"])
        return "".join(letters)
    return message


@pytest.mark.parametrize("seed", range(6))
def test_a_random_session_harms_nobody(broker, seed):
    """PW-030 PW-031 PW-045 PW-094"""
    dice = random.Random(seed)
    with broker.client() as bystander:
        bystander.subscribe("quiet")
        clients = [RawClient(broker) for _ in range(4)]
        try:
            for _ in range(40):
                index = dice.randrange(len(clients))
                client = clients[index]
                client.send_bytes(b"".join(text(random_message(client, dice)) for _ in range(dice.randint(1, 10))))
                try:
                    client.frames_until_pong()
                except Closed as closed:
                    assert closed.code in (1008, 4009), closed
                    clients[index] = RawClient(broker)
                if dice.random() < 0.1:
                    client.abort()
                    clients[index] = RawClient(broker)
                bystander.nothing_until_pong()
        finally:
            for client in clients:
                client.close()
        broker.trigger("quiet", "still-here", "{}")
        bystander.expect("still-here", "quiet")


@pytest.mark.parametrize("seed", range(4))
def test_after_the_storm_the_tables_are_empty(broker, seed):
    """PW-076 PW-092: subscribe, unsubscribe and reset at random; then nothing is occupied"""
    dice = random.Random(seed)
    for _ in range(20):
        client = RawClient(broker)
        for _ in range(dice.randint(1, 30)):
            name = dice.choice(["storm-1", "storm-2", "presence-storm", "private-storm"])
            if dice.random() < 0.6:
                client.send_subscribe(name, user="u" if name.startswith("presence") else None)
            else:
                client.unsubscribe(name)
        dice.choice([client.abort, client.close, client.frames_until_pong])()
        client.close()
    wait_until(lambda: not [name for name in broker.api("GET", "/channels")[1]["channels"] if "storm" in name],
        "all are vacated")
