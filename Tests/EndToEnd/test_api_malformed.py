"""Every body of the API with each field missing, null, of the wrong type, too big, doubled or nested without end.

Each case has its exact status and the field its text must name; nothing may be published, and a subscriber of the very
channels that the bad bodies name must not notice."""

import json

import pytest

from http_tools import assert_error, assert_success

DEEP = b"[" * 40 + b"]" * 40
DEEPER = b"[" * 200_000
TYPES = {"number": b"5", "float": b"1.5", "true": b"true", "false": b"false", "list": b'["a"]', "object": b'{"a":"b"}',
         "empty list": b"[]", "empty object": b"{}", "deep": DEEP}
GOOD = {"name": b'"e"', "channels": b'["bad-1","bad-2"]', "data": b'"d"', "socket_id": b'"1.1"', "info": b'"user_count"'}


def obj(**members: bytes | None) -> bytes:
    """A JSON object whose values are raw text; None leaves the member out."""
    return b"{" + b",".join(b'"%s":%s' % (k.encode(), v) for k, v in members.items() if v is not None) + b"}"


def quoted(text: str) -> bytes:
    return json.dumps(text).encode()


def event_cases():
    """(id, body of one event, status, word in the error)."""
    def case(label, status, word, /, **changes):
        return label, obj(**{**GOOD, **changes}), status, word

    for field in ("name", "data"):
        yield case(f"{field} missing", 400, field, **{field: None})
        yield case(f"{field} null", 400, field, **{field: b"null"})
    yield case("channels missing", 400, "channel", channels=None)
    yield case("channels null", 400, "channel", channels=b"null")
    yield case("channel null", 400, "channel", channels=None, channel=b"null")
    yield case("both null", 400, "channel", channels=b"null", channel=b"null")
    wrong = {"name": set(TYPES), "socket_id": set(TYPES), "info": set(TYPES), "channel": set(TYPES),
             "channels": set(TYPES) - {"list"} | {"text"}}
    for field, kinds in wrong.items():
        for kind in sorted(kinds):
            changes = {field: TYPES.get(kind, b'"bad-1"')}
            if field == "channel":
                changes["channels"] = None
            yield case(f"{field} is {kind}", 400, "" if kind == "deep" else field, **changes)
    yield case("data is deep", 400, "", data=DEEP)
    for kind in ("number", "true", "empty object", "empty list", "deep"):
        yield case(f"channels holds {kind}", 400, "" if kind == "deep" else "channel",
                   channels=b'["bad-1",%s]' % TYPES[kind])
    yield case("channels holds null", 400, "channel", channels=b'["bad-1",null]')
    for field, value in GOOD.items():
        body = obj(**GOOD)
        yield f"{field} twice", body[:-1] + b',"%s":%s}' % (field.encode(), value), 400, field
        escaped = b'"\\u%04x%s"' % (ord(field[0]), field[1:].encode())
        yield f"{field} twice, once escaped", body[:-1] + b",%s:%s}" % (escaped, value), 400, field
    yield case("name empty", 400, "name", name=b'""')
    yield case("name of 201", 400, "name", name=quoted("n" * 201))
    yield case("name of 100 kB", 400, "name", name=quoted("n" * 100_000))
    yield case("name reserved", 400, "name", name=b'"pusher:e"')
    yield case("name reserved, escaped", 400, "name", name=b'"\\u0070usher_internal:e"')
    yield case("channel empty", 400, "channel", channels=b'["bad-1",""]')
    yield case("channel of 201", 400, "channel", channels=b'["bad-1",%s]' % quoted("c" * 201))
    yield case("channel of 100 kB", 400, "channel", channels=b'["bad-1",%s]' % quoted("c" * 100_000))
    yield case("channels 101", 400, "channels", channels=json.dumps(["bad-1"] + [f"m-{n}" for n in range(100)]).encode())
    yield case("channels 20000", 400, "channels", channels=json.dumps([f"m-{n}" for n in range(20_000)]).encode())
    yield case("data of 10241", 413, "data", data=quoted("d" * 10_241))
    yield case("data of 900 kB", 413, "data", data=quoted("d" * 900_000))
    yield case("data object of 11 kB", 413, "data", data=b'{"k":%s}' % quoted("d" * 11_000))
    for text in ("", "1", "1.", ".1", "a.b", "1.2.3", "1.2\n", " 1.2", "1.2:private-x", "-1.2", "1" * 60_000 + ".1"):
        yield case(f"socket_id {text[:9]!r}", 400, "socket_id", socket_id=quoted(text))
    for text in ("members", "user_count,members", "x" * 60_000):
        yield case(f"info {text[:19]!r}", 400, "info", info=quoted(text))


NOT_JSON = {
    "empty": b"", "blank": b"  \r\n", "null": b"null", "a list": b"[]", "a number": b"5", "a string": b'"x"', "true": b"true",
    "open": b"{", "closed twice": b"{}}", "trailing comma": b'{"name":"e",}', "single quotes": b"{'name':'e'}",
    "unquoted key": b"{name:1}", "comment": b"{/* */}", "NaN": b'{"x":NaN}', "plus": b'{"x":+1}', "zero": b'{"x":01}',
    "dot": b'{"x":1.}', "hex": b'{"x":0x1}', "tab in a string": b'{"x":"\t"}', "NUL in a string": b'{"x":"\x00"}',
    "bad escape": b'{"x":"\\x41"}', "short escape": b'{"x":"\\u00"}', "lone high surrogate": b'{"x":"\\ud800"}',
    "lone low surrogate": b'{"x":"\\udc00"}', "swapped surrogates": b'{"x":"\\udc00\\ud800"}', "not UTF-8": b'{"x":"\xff"}',
    "overlong UTF-8": b'{"x":"\xc0\xaf"}', "UTF-8 surrogate": b'{"x":"\xed\xa0\x80"}', "UTF-16": '{"x":1}'.encode("utf-16"),
    "BOM": b"\xef\xbb\xbf{}", "open string": b'{"x":"', "open list": b'{"x":[', "key alone": b'{"x"}', "no key": b"{:1}",
    "number key": b"{1:1}", "two values": b"{}{}", "text behind": b"{} x", "form": b"name=e&channel=bad-1&data=d",
    "deep list": DEEPER, "deep objects": b'{"a":' * 50_000, "deep and closed": b'{"x":' + DEEP + b"}",
    "binary": bytes(range(256)), "wrong brackets": b'{"x":[}]', "vertical tab": b"{\x0b}",
}
EVENTS = list(event_cases())
WATCHED = ("bad-1", "bad-2")


@pytest.mark.parametrize("body, status, word", [case[1:] for case in EVENTS], ids=[case[0] for case in EVENTS])
def test_pw_140_143_146_147_a_malformed_event_is_refused_precisely(caller, bystander, body, status, word):
    """PW-140, PW-142, PW-143, PW-144, PW-146, PW-147, PW-148, PW-138: status, field, and nobody disturbed."""
    assert_error(caller("POST", "/events", body), status, word)
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("body, status, word", [case[1:] for case in EVENTS], ids=[case[0] for case in EVENTS])
def test_pw_151_a_malformed_event_refuses_its_whole_batch(caller, bystander, body, status, word):
    """PW-151, PW-138: the same bodies as the second of two items."""
    good = obj(name=b'"e"', channel=b'"bad-1"', data=b'"d"')
    assert_error(caller("POST", "/batch_events", b'{"batch":[%s,%s]}' % (good, body)), status, word)
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("name", NOT_JSON)
@pytest.mark.parametrize("path", ["/events", "/batch_events"])
def test_pw_150_a_body_that_is_no_json_object_is_400(caller, bystander, path, name):
    """PW-150: with a valid MD5 and signature."""
    assert_error(caller("POST", path, NOT_JSON[name]), 400)
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("name", NOT_JSON)
def test_pw_150_a_body_that_is_no_json_does_not_hurt_terminate(caller, bystander, name):
    """PW-150 (§6.8 takes an empty body or an object): 200 or 400, never 5xx."""
    reply = caller("POST", "/users/nobody/terminate_connections", NOT_JSON[name])
    assert reply.status in (200, 400), reply
    bystander.assert_undisturbed(caller)


BATCHES = {
    "missing": b"{}", "null": b'{"batch":null}', "number": b'{"batch":5}', "text": b'{"batch":"x"}', "true": b'{"batch":true}',
    "object": b'{"batch":{}}', "object of items": b'{"batch":{"0":{"name":"e","channel":"bad-1","data":"d"}}}',
    "empty": b'{"batch":[]}', "of null": b'{"batch":[null]}', "of numbers": b'{"batch":[1,2]}', "of lists": b'{"batch":[[]]}',
    "of text": b'{"batch":["e"]}', "100000 items": b'{"batch":[' + b"{}," * 99_999 + b"{}]}",
    "twice": b'{"batch":[{"name":"e","channel":"bad-1","data":"d"}],"batch":[{"name":"e","channel":"bad-1","data":"d"}]}',
}


@pytest.mark.parametrize("name", BATCHES)
def test_pw_151_a_malformed_batch_is_refused(caller, bystander, name):
    """PW-151, PW-138"""
    assert_error(caller("POST", "/batch_events", BATCHES[name]), 400, "batch")
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("extra", [b'"x":%s' % value for value in TYPES.values() if value is not DEEP] +
                         [b'"x":null', b'"":0', b'"x":1,"x":2', b'"x":"%s"' % (b"y" * 500_000), b'"x":' + b"[" * 14 + b"]" * 14])
def test_pw_149_unknown_members_of_any_type_and_size_are_ignored(caller, bystander, extra):
    """PW-149: depth 16 is the documented bound."""
    body = obj(name=b'"e"', channel=b'"elsewhere"', data=b'"d"')[:-1] + b"," + extra + b"}"
    assert assert_success(caller("POST", "/events", body)) == {}
    bystander.assert_undisturbed(caller)


def test_pw_150_every_prefix_of_a_good_body_is_refused(caller, bystander):
    """PW-150: truncation at each byte."""
    body = obj(**GOOD)
    for length in range(len(body)):
        assert_error(caller("POST", "/events", body[:length]), 400)
    bystander.assert_undisturbed(caller)


def test_pw_150_every_byte_of_a_good_body_may_be_wrong(broker, caller):
    """PW-150: one byte replaced at a time; a 4xx or a publish, never a 5xx, and the broker lives."""
    body = obj(**{**GOOD, "channels": b'["mutant"]'})
    for index in range(len(body)):
        for byte in (0x00, 0x22, 0x5C, 0x7B, 0xFF):
            reply = caller("POST", "/events", body[:index] + bytes([byte]) + body[index + 1:])
            assert reply.status in (200, 400), (index, byte, reply)
    with broker.client() as client:
        client.subscribe("mutant")
