"""What no client should send (reference §2.1, appendix B, PW-030…PW-032, PW-047, PW-110).

Every inbound event is sent with each of its fields missing, null, of each wrong type, oversized, twice and deeply
nested. After each case the offender must have got the reply the reference names and still be connected, and a bystander
must not have noticed.
"""

import json

import pytest

from harness import channel_auth, user_auth
from rawclient import RawClient, text
from session import Closed, check_error, check_refusal

MALFORMED = "error None"
DEEP, BROKEN = 1000, object()


class Raw(str):
    """JSON text to be put in as it is."""


MUTATIONS = {
    "missing": BROKEN, "null": None, "true": True, "zero": 0, "negative": -1, "fraction": 1.5,
    "huge number": Raw("1e400"),
    "long number": Raw("9" * 400), "empty string": "", "blank string": " ", "array": [], "array of strings": ["x"],
    "object": {}, "object of one": {"a": 1},
    "nul": "a\u0000b", "emoji": "🐦", "oversized": "x" * 60_000, "lone surrogate": Raw('"\\ud800"'),
    "bad escape": Raw('"\\x"'), "control byte": Raw('"\u0001"'),
    "deep array": Raw("[" * DEEP + "]" * DEEP), "deep object": Raw('{"a":' * DEEP + "1" + "}" * DEEP),
    "bare word": Raw("undefined"), "twice": BROKEN}
INVALID_JSON = {"bad escape", "control byte", "deep array", "deep object", "bare word"}
STRINGS = {"empty string", "blank string", "nul", "emoji", "oversized"}
# "lone surrogate" is among these: JSON by its grammar, and no text where one is wanted.
NON_STRINGS = set(MUTATIONS) - INVALID_JSON - STRINGS - {"missing", "null", "twice"}


class Pairs(list):
    """The members of an object, perhaps doubled."""


def write(value) -> str:
    """JSON text of a value that may hold `Raw` parts."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, (dict, Pairs)):
        pairs = value if isinstance(value, Pairs) else value.items()
        return "{" + ",".join(f"{json.dumps(name)}:{write(inner)}" for name, inner in pairs) + "}"
    return json.dumps(value)


def mutate(message: dict, path: str, name: str):
    """The message with the member at `path` (`data.channel`) changed as MUTATIONS[name] says."""
    outer, _, inner = path.partition(".")
    if inner:
        return {**message, outer: mutate(message[outer], inner, name)}
    if name == "missing":
        return {key: value for key, value in message.items() if key != outer}
    if name == "twice":
        doubled = {outer: "x", **message}
        return Pairs([*doubled.items(), (outer, doubled[outer])])
    return {**message, outer: MUTATIONS[name]}


BASES = {
    "subscribe public": {"event": "pusher:subscribe", "data": {"channel": "b3-public", "auth": ""}},
    "subscribe private": {"event": "pusher:subscribe", "data": {"channel": "private-b3", "auth": "sign"}},
    "subscribe presence": {"event": "pusher:subscribe",
                           "data": {"channel": "presence-b3", "auth": "sign", "channel_data": '{"user_id":"u"}'}},
    "unsubscribe": {"event": "pusher:unsubscribe", "data": {"channel": "b3-joined"}},
    "sign in": {"event": "pusher:signin", "data": {"auth": "sign", "user_data": '{"id":"u"}'}},
    "client event": {"event": "client-b3", "channel": "private-b3-joined", "data": {"a": 1}},
    "ping": {"event": "pusher:ping", "data": {}},
    "pong": {"event": "pusher:pong", "data": {}},
    "unknown pusher event": {"event": "pusher:foo", "data": {}, "channel": "b3-joined"},
    "unknown event": {"event": "my-event", "data": {}, "channel": "b3-joined"},
    "forged internal event": {"event": "pusher_internal:member_added", "data": '{"user_id":"x"}',
        "channel": "presence-b3"},
    "forged handshake": {"event": "pusher:connection_established", "data": '{"socket_id":"1.1"}'},
    "forged error": {"event": "pusher:error", "data": {"code": 4001, "message": "go away"}},
}
EXTRA_FIELDS = ["unknown", "user_id"]
GOOD = {"subscribe public": "ok", "subscribe private": "ok", "subscribe presence": "ok", "sign in": "signed",
    "ping": "pong"}


def expected(base: str, path: str, name: str) -> set[str]:
    """The outcomes the reference allows; where it does not choose, all sensible ones. Never a close."""
    good, command = {GOOD.get(base, "nothing")}, base in ("unsubscribe", "sign in") or base.startswith("subscribe")
    # A failed subscription is told in both frames, a failed sign-in by 4009 (§3.4, §5.1).
    refusals = {"sign in": {"error 4009"}, "unsubscribe": {MALFORMED}}.get(base, {"refused 4009"})
    if base == "sign in" and (name in INVALID_JSON or path == "event"):
        # In `data` that is a string, what is no JSON is a failed sign-in.
        return {MALFORMED, "error 4009"} if name in INVALID_JSON else {"nothing"} if name in STRINGS else {MALFORMED}
    if base.startswith("subscribe") and name in INVALID_JSON:
        return {MALFORMED, "refused 4009"}
    if name in INVALID_JSON:
        return {MALFORMED} | ({"pong"} if base == "ping" else {"nothing"} if base == "pong" else set())
    if path in EXTRA_FIELDS:
        return good | ({MALFORMED} if name == "twice" else set())
    if name == "twice" and path.startswith("data.") and base.startswith("subscribe") and path != "data.channel":
        return good if base == "subscribe public" else {"refused 401" if path == "data.auth" else "refused 4302"}
    if name == "twice" and path.startswith("data") and command:
        return refusals
    if name == "twice":
        return {MALFORMED} | (good if path not in ("event", "channel", "data") or base == "ping" else set())
    if path == "event":
        return {"nothing"} | ({MALFORMED} if name in ("empty string",
            "blank string") else set()) if name in STRINGS else {MALFORMED}
    if path == "data" and command:
        return refusals
    if path == "data" and base == "client event":
        return {"missing": {MALFORMED}, "oversized": {"error 4301"}}.get(name, {"nothing"})
    if path == "channel" and base == "client event":
        return {MALFORMED, "error 4301"} if name in STRINGS else {MALFORMED}
    if path == "channel":
        return good
    if path == "data.channel" and base == "unsubscribe":
        return {"nothing"} | ({MALFORMED} if name == "empty string" else set()) if name in STRINGS else {MALFORMED}
    if path == "data.channel":
        return {"refused 4009"}
    if path.startswith("data.") and base == "sign in":
        return refusals
    if path == "data.auth":
        return {"ok"} if base == "subscribe public" else {"refused 401"}
    if path == "data.channel_data":
        return {"refused 4301" if name == "oversized" else "refused 4302"}
    return good


def paths(base: str) -> list[str]:
    message = BASES[base]
    inner = [f"data.{name}" for name in message.get("data", {})] if isinstance(message.get("data"), dict) else []
    return [*message, *(inner if base not in ("client event", "forged error") else []), *EXTRA_FIELDS]


CASES = [(base, path, name) for base in BASES for path in paths(base) for name in MUTATIONS
         if not (name == "missing" and path in EXTRA_FIELDS)]
TWICE_ENCODED = [case for case in CASES if case[1].startswith("data.")]


@pytest.fixture(scope="module")
def neighbour(broker):
    with broker.client() as client:
        client.subscribe("b3-public")
        client.subscribe("b3-joined")
        client.sign_in("neighbour")
        yield client


@pytest.fixture(autouse=True)
def bystander(broker, neighbour):
    """Before and after each case: alive, and nothing was said to it."""
    yield neighbour
    assert broker.is_running, broker.log()[-2000:]
    neighbour.nothing_until_pong()


def sign_for(client, message):
    """The message with the right signature where BASES says `sign`, for the values as the case left them."""
    pairs = list(message) if isinstance(message, Pairs) else list(message.items())
    return Pairs((key, sign_data(client, value) if key == "data" else value) for key, value in pairs)


def sign_data(client, data):
    if not isinstance(data, (dict, Pairs)) or "sign" not in dict(data).values():
        return data
    members = {key: value for key, value in dict(data).items() if isinstance(value, str) and not isinstance(value, Raw)}
    if "user_data" in members:
        auth = user_auth(client.socket_id, members["user_data"])
    else:
        auth = channel_auth(client.socket_id, members.get("channel", ""), members.get("channel_data"))
    pairs = data if isinstance(data, Pairs) else data.items()
    return Pairs((key, auth if value == "sign" else value) for key, value in pairs)


def outcome(client) -> str:
    """What the broker said before the answer to a probe, in one word or two. Asserts the shape of every frame."""
    client.send("pusher:subscribe", {"channel": "b3-probe"})
    frames = []
    while (frame := client.receive()).get("channel") != "b3-probe":
        frames.append(frame)
    events = [frame["event"] for frame in frames]
    if events == ["pusher:subscription_error", "pusher:error"]:
        status = check_refusal(frames[0], frames[0]["channel"])["status"]
        assert check_error(frames[1])["code"] == (None if status == 401 or 4000 <= status < 4100 else status), frames
        return f"refused {status}"
    if events == ["pusher:error"]:
        return f"error {check_error(frames[0])['code']}"
    words = {"pusher_internal:subscription_succeeded": "ok", "pusher:signin_success": "signed", "pusher:pong": "pong"}
    return " ".join(words.get(event, event) for event in events) or "nothing"


def run(broker, message_text, allowed):
    with RawClient(broker) as client:
        client.subscribe("private-b3-joined")
        client.subscribe("b3-offender-own")
        client.send_raw(message_text(client) if callable(message_text) else message_text)
        got = outcome(client)
        assert got in allowed, f"got {got!r}, the reference allows {sorted(allowed)}"
        client.nothing_until_pong()


def shortened(case) -> str:
    return " · ".join(case)


@pytest.mark.parametrize("case", CASES, ids=shortened)
def test_a_mangled_field_gets_the_precise_reply_and_harms_nobody(broker, case):
    """PW-030 PW-031 PW-032 PW-047 PW-057 PW-071 PW-110"""
    base, path, name = case
    run(broker, lambda client: write(sign_for(client, mutate(BASES[base], path, name))), expected(*case))


@pytest.mark.parametrize("case", TWICE_ENCODED, ids=shortened)
def test_the_same_inside_data_that_is_a_string(broker, case):
    """PW-041 PW-030 PW-047 PW-110"""
    base, path, name = case

    def message(client):
        whole = sign_for(client, mutate(BASES[base], path, name))
        return write(Pairs((key, write(value) if key == "data" else value) for key, value in whole))

    run(broker, message, expected(*case))


NOT_AN_EVENT = {
    "empty": "", "blank": "  ", "word": "nonsense", "open brace": "{", "open quote": '{"event":"pusher:ping',
    "array": "[]", "array of events": '[{"event":"x"}]',
    "number": "5", "null": "null", "true": "true", "string": '"pusher:ping"', "empty object": "{}",
    "numeric event": '{"event":5}',
    "null event": '{"event":null}', "trailing text": '{"event":"pusher:ping"}x',
    "two objects": '{"event":"pusher:ping"}{"event":"pusher:ping"}',
    "trailing comma": '{"event":"pusher:ping",}', "missing comma": '{"event":"pusher:ping" "data":{}}',
    "missing colon": '{"event" "pusher:ping"}',
    "single quotes": "{'event':'pusher:ping'}", "unquoted key": '{event:"pusher:ping"}',
    "comment": '/* */{"event":"pusher:ping"}', "byte order mark": '\ufeff{"event":"pusher:ping"}',
    "raw newline in a string": '{"event":"pusher:\nping"}', "raw nul": '{"event":"pusher:ping"}\u0000',
    "nan": '{"event":"pusher:subscribe","data":NaN}',
    "infinity": '{"event":"pusher:subscribe","data":-Infinity}',
    "leading zero": '{"event":"pusher:subscribe","data":01}', "bare minus": '{"event":"pusher:subscribe","data":-}',
    "dot without digits": '{"event":"pusher:subscribe","data":1.}',
    "exponent without digits": '{"event":"pusher:subscribe","data":1e}',
    "plus": '{"event":"pusher:subscribe","data":+1}',
    "hex": '{"event":"pusher:subscribe","data":0x1}', "brackets": "[" * 60_000, "braces": '{"a":' * 12_000,
    "closing brackets": "]" * 60_000, "quotes": '"' * 60_000,
    "backslashes": '{"event":"' + "\\" * 60_000, "half a surrogate pair": '{"event":"\\ud83d\\u0041"}',
    "reversed pair": '{"event":"\\udc26\\ud83d"}',
    "short unicode escape": '{"event":"\\u00"}', "non-breaking space": '\u00a0{"event":"pusher:ping"}',
    "http": "GET / HTTP/1.1\r\n\r\n"}


@pytest.mark.parametrize("name", NOT_AN_EVENT)
def test_what_is_no_event_gets_an_error_without_a_code_and_the_socket_stays(broker, name):
    """PW-030 PW-031"""
    run(broker, NOT_AN_EVENT[name], {MALFORMED})


def test_json_nested_ten_deep_is_fine(broker):
    """PW-030: the limit is for attacks, not for data"""
    run(broker, '{"event":"client-deep","channel":"private-b3-joined","data":' + "[" * 10 + "]" * 10 + "}", {"nothing"})


@pytest.mark.parametrize("event", [
    "pusher:foo", "pusher:", "pusher", "pusher:subscription_succeeded", "pusher:signin_success", "pusher:cache_miss",
    "pusher:subscription_error",
    "pusher_internal:subscription_succeeded", "pusher_internal:watchlist_events", "pusher_internal:subscription_count",
    "pusher_internal:", "x" * 300])
def test_unknown_and_server_only_events_are_ignored(broker, event):
    """PW-032"""
    run(broker, json.dumps({"event": event, "channel": "b3-joined", "data": {"user_id": "x", "channel": "b3-joined"}}),
        {"nothing"})


def test_ten_offences_do_not_close(broker):
    """PW-030 PW-031"""
    with RawClient(broker) as client:
        for number in range(10):
            client.send_raw("{" if number % 2 else "[]")
            client.expect_error(None)
        client.nothing_until_pong()


def test_ten_thousand_offences_are_survived_or_end_in_1008_or_4009(broker):
    """PW-030: §2.1"""
    with RawClient(broker) as client:
        try:
            for _ in range(100):
                client.send_bytes(text("{") * 100)
                for _ in range(100):
                    check_error(client.receive())
            client.nothing_until_pong()
        except Closed as closed:
            assert closed.code in (1008, 4009), closed
        except (BrokenPipeError, ConnectionResetError):
            pass
