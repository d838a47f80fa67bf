"""How each server library really builds a request, byte for byte (PW §6.4 table and its verification algorithm).

The libraries that install from PyPI run themselves in test_server_libraries.py; here the others are rebuilt from the
table, one builder per row, so that what they put on the wire is replayed without them."""

import json
import random
import urllib.parse
from dataclasses import dataclass
from typing import Callable

import pytest

from harness import Broker, app
from http_tools import Caller, assert_error, assert_success, event
from signing import auth_pairs, md5, signature

RFC3986 = "-_.~"


def raw(text: str) -> str:
    """Node, Go, .NET, Python: unescaped."""
    return text


def rfc3986(text: str) -> str:
    """PHP's GET, Java: everything outside the unreserved set, `,` becomes %2C."""
    return urllib.parse.quote(text, safe=RFC3986)


def ruby(text: str) -> str:
    return urllib.parse.quote(text, safe="_.-").replace("~", "%7E")


def url_components(text: str) -> str:
    """Swift's URLComponents: leaves sub-delimiters such as `,` `@` `:` alone."""
    return urllib.parse.quote(text, safe=RFC3986 + "!$'()*,;:@/?+")


def shuffled(pairs):
    return random.Random(len(pairs)).sample(pairs, len(pairs))


def base(name: str) -> str:
    """Libraries sort before they write an array out: `k[10]` stays behind `k[9]`."""
    return name.split("[")[0]


def signature_first(pairs):
    return sorted(pairs, key=lambda pair: (pair[0] != "auth_signature", base(pair[0])))


def signature_last(pairs):
    return sorted(pairs, key=lambda pair: (pair[0] == "auth_signature", base(pair[0])))


def hash_order(pairs):
    """Ruby: body_md5 first, then as inserted."""
    return sorted(pairs, key=lambda pair: pair[0] != "body_md5")


@dataclass(frozen=True)
class Library:
    name: str
    escape: Callable[[str], str]
    order: Callable
    md5_always: bool = False
    content_type_on_get: bool = False
    spaced_json: bool = False
    arrays: str = "comma"

    def send(self, broker, method, path, params=(), body=None, sign_path=None):
        """`params` values may be lists. Signs and sends the way the library does."""
        data = None if body is None else json.dumps(body, separators=None if self.spaced_json else (",", ":")).encode()
        signed, sent = [], []
        for name, value in dict(params).items():
            values = value if isinstance(value, list) else None
            if values is None:
                signed.append((name, value)), sent.append((name, value))
            elif self.arrays == "php":
                signed.append((name, ",".join(values)))
                sent += [(f"{name}[{index}]", item) for index, item in enumerate(values)]
            elif self.arrays == "ruby":
                signed += [(name + "[]", item) for item in values]
                sent += [(name + "[]", item) for item in values]
            else:
                signed.append((name, ",".join(values))), sent.append((name, ",".join(values)))
        auth = auth_pairs(data)
        if self.md5_always and not data:
            auth.append(("body_md5", md5(b"")))
        digest = signature(method, sign_path or path, signed + auth)
        pairs = self.order(sent + auth + [("auth_signature", digest)])
        query = "&".join(f"{name if self.escape is raw else urllib.parse.quote(name, safe='[]')}={self.escape(value)}"
                         for name, value in pairs)
        headers = {"X-Pusher-Library": f"pusher-http-{self.name} 1.0"}
        if data is not None or self.content_type_on_get:
            headers["Content-Type"] = "application/json"
        return Caller(broker).send(method, f"{path}?{query}", data, headers)


LIBRARIES = [
    Library("node", raw, signature_last),
    Library("php", rfc3986, signature_last, arrays="php"),
    Library("python", raw, sorted, md5_always=True, spaced_json=True),
    Library("ruby", ruby, hash_order, arrays="ruby"),
    Library("go", raw, sorted, content_type_on_get=True),
    Library("java", rfc3986, shuffled),
    Library("dotnet", raw, signature_first),
    Library("swift", url_components, signature_last),
]
every_library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)


@pytest.fixture(scope="module")
def member(broker):
    """Occupies one presence channel, so that state has something to say."""
    with broker.client() as client:
        client.subscribe("presence-lib", user="u1")
        yield client


@every_library
def test_pw_131_pw_139_the_librarys_publish_is_accepted_and_delivered(broker, library):
    """PW-131, PW-139, Q40"""
    with broker.client() as client:
        client.subscribe("lib-a")
        body = {"name": "App\\Events\\X", "channels": ["lib-a", "lib-b"], "data": '{"é":"ü, &+%"}'}
        assert assert_success(library.send(broker, "POST", "/apps/1/events", body=body)) == {}
        frame = client.expect("App\\Events\\X", "lib-a")
        assert frame["data"] == body["data"]


@every_library
def test_pw_131_pw_151_the_librarys_batch_is_accepted(broker, library):
    """PW-131, PW-151"""
    body = {"batch": [{"channel": "lib-c", "name": "e", "data": "1"}]}
    assert assert_success(library.send(broker, "POST", "/apps/1/batch_events", body=body)) == {}


@every_library
def test_pw_130_the_librarys_channel_list_with_a_comma_is_accepted(broker, member, library):
    """PW-130, PW-129 (Python), Q39, Q41: `info=user_count,subscription_count` as each library writes it."""
    params = {"filter_by_prefix": "presence-l", "info": "user_count,subscription_count"}
    reply = assert_success(library.send(broker, "GET", "/apps/1/channels", params))
    assert reply == {"channels": {"presence-lib": {"user_count": 1, "subscription_count": 1}}}


@every_library
def test_pw_130_the_librarys_channel_and_users_are_accepted(broker, member, library):
    """PW-130, PW-163"""
    reply = assert_success(library.send(broker, "GET", "/apps/1/channels/presence-lib", {"info": "user_count"}))
    assert reply["occupied"] is True and reply["user_count"] == 1
    assert assert_success(library.send(broker, "GET", "/apps/1/channels/presence-lib/users")) == {
        "users": [{"id": "u1"}]}


@every_library
def test_pw_131_the_librarys_terminate_is_accepted(broker, library):
    """PW-131 (§6.8): the node library sends `{}`, most send nothing."""
    for body in (None, {}):
        assert assert_success(library.send(broker, "POST", "/apps/1/users/42/terminate_connections", body=body)) == {}


@every_library
def test_pw_133_arrays_in_the_query_are_understood_as_the_library_writes_them(broker, member, library):
    """PW-133: PHP signs `info=a,b` and sends `info[0]=a&info[1]=b`; Ruby signs and sends `info[]=`; others a comma."""
    params = {"filter_by_prefix": "presence-l", "info": ["user_count", "subscription_count"]}
    reply = assert_success(library.send(broker, "GET", "/apps/1/channels", params))
    assert reply == {"channels": {"presence-lib": {"user_count": 1, "subscription_count": 1}}}


@pytest.mark.parametrize("library", [library for library in LIBRARIES if library.arrays != "comma"],
                         ids=lambda library: library.name)
def test_pw_133_channels_may_be_given_in_the_query(broker, library):
    """PW-133 (§6.1: POST parameters may be in the query)."""
    with broker.client() as client:
        client.subscribe("query-a")
        client.subscribe("query-b")
        params = {"name": "asked", "data": "d", "channels": ["query-a", "query-b"]}
        assert_success(library.send(broker, "POST", "/apps/1/events", params))
        assert {client.expect("asked")["channel"] for _ in range(2)} == {"query-a", "query-b"}


def test_pw_133_the_body_wins_over_the_query(broker):
    """PW-133 (§6.1: body wins)."""
    with broker.client() as client:
        client.subscribe("query-body")
        client.subscribe("query-query")
        library = next(each for each in LIBRARIES if each.name == "ruby")
        params = {"name": "query", "channels": ["query-query"], "data": "query"}
        body = {"name": "body", "channels": ["query-body"], "data": "body"}
        assert_success(library.send(broker, "POST", "/apps/1/events", params, body))
        assert client.expect("body", "query-body")["data"] == "body"
        client.nothing_until_pong()


def test_pw_133_collapsed_php_arrays_keep_their_order(broker):
    """PW-133 (rule E): more than ten items, so that `k[10]` must not sort between `k[1]` and `k[2]`."""
    names = [f"php-{index}" for index in range(12)]
    library = next(each for each in LIBRARIES if each.name == "php")
    params = {"name": "e", "data": "d", "info": "subscription_count", "channels": names}
    reply = assert_success(library.send(broker, "POST", "/apps/1/events", params))
    assert reply == {"channels": {name: {"subscription_count": 0} for name in names}}


# The clauses A-E of the verification algorithm, one by one


def send(broker, method, path, pairs, *, sign_path=None, signed=None, escape=rfc3986, body=None, order=list):
    auth = auth_pairs(body)
    digest = signature(method, sign_path or path, (pairs if signed is None else signed) + auth)
    everything = order(pairs + auth + [("auth_signature", digest)])
    query = "&".join(f"{name}={escape(value)}" for name, value in everything)
    return Caller(broker).send(method, f"{path}?{query}", body)


@pytest.mark.parametrize("position", range(6))
def test_pw_131_auth_signature_may_stand_anywhere(broker, position):
    """PW-131, Q40: first, every middle place, last; the rest in random order."""
    body = event("position")

    def order(pairs):
        rest = shuffled(pairs[:-1])
        return rest[:position] + [pairs[-1]] + rest[position:]

    assert_success(send(broker, "POST", "/apps/1/events", [("info", "subscription_count")], body=body, order=order))


@pytest.mark.parametrize("change", [str.upper, str.title, lambda name: name.replace("a", "A")])
def test_pw_132_parameter_names_are_lowercased_for_signing(broker, change):
    """PW-132"""
    auth = auth_pairs()
    pairs = auth + [("filter_by_prefix", "x")]
    digest = signature("GET", "/apps/1/channels", pairs)
    query = "&".join(f"{change(name)}={value}" for name, value in pairs + [("auth_signature", digest)])
    assert_success(Caller(broker).send("GET", "/apps/1/channels?" + query))


@pytest.mark.parametrize("value", ["a,b", "a@b", "a;b", "=", "a=b", "ü", "a b", "%", "%2C", "&", "a+b", "~", "*", "'"])
def test_pw_130_values_are_decoded_before_they_are_signed(broker, value):
    """PW-130: fully escaped on the wire, unescaped in the string signed."""
    reply = assert_success(send(broker, "GET", "/apps/1/channels", [("filter_by_prefix", value)]))
    assert reply == {"channels": {}}


@pytest.mark.parametrize("value", ["a,b", "a@b", "a;b", "a=b", "~", "*", "'", "a+b", "(:/?)"])
def test_pw_130_values_may_be_unescaped_on_the_wire(broker, value):
    """PW-130: node, Go, .NET and Python escape nothing."""
    assert_success(send(broker, "GET", "/apps/1/channels", [("filter_by_prefix", value)], escape=raw))


def test_pw_131_form_encoded_spaces_are_accepted(broker):
    """PW-131 (rule D): signed with a space, sent as `+`."""
    pairs = [("filter_by_prefix", "a b c")]
    assert_success(send(broker, "GET", "/apps/1/channels", pairs, escape=urllib.parse.quote_plus))


@pytest.mark.parametrize("user", ["user@example.com", "a b", "a;b", "ü", "100%", "a+b", "a,b"])
def test_pw_131_the_path_may_be_signed_escaped_or_unescaped(broker, user):
    """PW-131 (rules A and C): the HTTP stack escapes what Node and Go had signed unescaped."""
    sent = f"/apps/1/users/{urllib.parse.quote(user, safe='')}/terminate_connections"
    assert_success(send(broker, "POST", sent, []))
    assert_success(send(broker, "POST", sent, [], sign_path=f"/apps/1/users/{user}/terminate_connections"))


def test_pw_131_duplicate_parameters_are_both_signed_in_their_order(broker):
    """PW-131 (§6.4: keep both, in order)."""
    pairs = [("x", "2"), ("x", "1"), ("X", "0")]
    assert_success(send(broker, "GET", "/apps/1/channels", pairs))
    assert_error(send(broker, "GET", "/apps/1/channels", pairs, signed=[("x", "1"), ("x", "2"), ("x", "0")]), 401)
    assert_error(send(broker, "GET", "/apps/1/channels", pairs, signed=[("x", "2")]), 401)


def test_pw_131_leniency_does_not_reach_beyond_the_rules(broker):
    """PW-131: what is signed must still say everything that is sent."""
    for signed, sent in [([], [("filter_by_prefix", "x")]), ([("filter_by_prefix", "y")], [("filter_by_prefix", "x")]),
                         ([("info", "a")], [("info[0]", "a"), ("info[1]", "b")]),
                         ([("info", "a,b")], [("info[0]", "b"), ("info[1]", "a")])]:
        assert_error(send(broker, "GET", "/apps/1/channels", sent, signed=signed), 401)


@pytest.mark.parametrize("prefix", ["/ws", "/deep/er"])
def test_pw_137_the_prefix_may_be_signed_or_not(prefix):
    """PW-137 (rules A and B): PHP and Reverb sign the path without the configured base path."""
    with Broker({"pathPrefix": prefix, "apps": [app()]}) as broker:
        body = event("prefixed")
        for signed in (f"{prefix}/apps/1/events", "/apps/1/events"):
            assert_success(send(broker, "POST", f"{prefix}/apps/1/events", [], sign_path=signed, body=body))
        assert_error(send(broker, "POST", f"{prefix}/apps/1/events", [], sign_path="/other/apps/1/events", body=body),
                     401)
