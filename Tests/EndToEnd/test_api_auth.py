"""HTTP authentication: who may call, and what a refused caller is told (PW §6.2-§6.4, §6.9)."""

import pytest

from clock import Clock
from harness import Broker, app
from http_tools import Caller, Reply, assert_error, assert_success, event, fresh_second
from signing import KEY, SECRET, auth_pairs, canonical, encode, md5, signature, target

OTHER = {"id": "2", "key": "other-key", "secret": "other-secret"}
DISABLED = {"id": "3", "key": "disabled-key", "secret": "disabled-secret", "enabled": False}
ROTATED = {"id": "4", "key": "old-key", "secret": "old-secret", "keys": [{"key": "new-key", "secret": "new-secret"}]}
WATCHED = ("auth",)


@pytest.fixture(scope="module")
def broker():
    with Broker({"apps": [app(), OTHER, DISABLED, ROTATED]}) as running:
        yield running


def send(caller: Caller, method: str, path: str, pairs, body: bytes | None = None) -> Reply:
    return caller.send(method, f"{path}?{encode(pairs)}", body)


BODY = event("auth")
EVENTS = "/apps/1/events"


def signed(body=BODY, path=EVENTS, method="POST", **options):
    """Pairs of a good call; tests spoil them afterwards."""
    secret = options.pop("secret", SECRET)
    pairs = auth_pairs(body, **options)
    return pairs + [("auth_signature", signature(method, path, pairs, secret))]


# The vectors of Appendix A. Their timestamps are of 2012, so this broker lives in 2012.

VECTOR_KEY, VECTOR_SECRET = "278d425bdf160c739803", "7ad3773142a6692b25b8"
VECTOR_AUTH = f"auth_key={VECTOR_KEY}&auth_timestamp=1353088179&auth_version=1.0"
A1_BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
VECTORS = {
    "A1 REST POST": (
        "POST", f"/apps/3/events?{VECTOR_AUTH}&body_md5=ec365a775a4cd0599faeb73354201b6f", A1_BODY,
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"),
    "A9 REST GET with query": (
        "GET", f"/apps/3/channels?{VECTOR_AUTH}&filter_by_prefix=presence-&info=user_count,subscription_count", None,
        "ff97d40ab3fbbd15394386a29c12998c33635305357b2e2abd18dc67efe3f87d"),
    "A10 Python-style GET": (
        "GET", f"/apps/3/channels?{VECTOR_AUTH}&body_md5=d41d8cd98f00b204e9800998ecf8427e", None,
        "5c3cd75022c4f62c35ad22f6a9cce366c860477a3b7092ca790ecfc17e6af302"),
    "A11 GET users": (
        "GET", f"/apps/3/channels/presence-foobar/users?{VECTOR_AUTH}", None,
        "5567dd30e7f8575e66be615d2aac3f608a0c311c31ddab8513a278b022e9597e"),
    "A12 terminate": (
        "POST", f"/apps/3/users/42/terminate_connections?{VECTOR_AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b",
        b"{}", "2829710742ff5f799010258297d09016e2366257e3e954039eeda349073a2bcf"),
}


@pytest.fixture(scope="module")
def broker_in_2012(tmp_path_factory):
    clock = Clock(tmp_path_factory.mktemp("clock"), 1353088179)
    vector_app = {"id": "3", "key": VECTOR_KEY, "secret": VECTOR_SECRET}
    with Broker({"apps": [vector_app]}, env=clock.environment) as running:
        yield running


@pytest.mark.parametrize("name", VECTORS)
def test_pw_124_the_vectors_of_appendix_a_are_accepted_under_a_pinned_clock(broker_in_2012, name):
    """PW-124"""
    method, path, body, digest = VECTORS[name]
    assert_success(Caller(broker_in_2012).send(method, f"{path}&auth_signature={digest}", body))


@pytest.mark.parametrize("name", VECTORS)
def test_pw_124_a_vector_with_one_digit_changed_is_refused_under_a_pinned_clock(broker_in_2012, name):
    """PW-124: the counter-check, so that the test above cannot pass by a broker that verifies nothing."""
    method, path, body, digest = VECTORS[name]
    wrong = digest[:-1] + ("0" if digest[-1] != "0" else "1")
    assert_error(Caller(broker_in_2012).send(method, f"{path}&auth_signature={wrong}", body), 401)


@pytest.mark.parametrize("missing", ["auth_key", "auth_timestamp", "auth_version", "auth_signature"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_pw_125_each_auth_parameter_is_required(caller, bystander, missing, method):
    """PW-125, PW-138: signed as sent, so that nothing but the missing parameter can be the reason."""
    path, body = (EVENTS, BODY) if method == "POST" else ("/apps/1/channels", None)
    pairs = [pair for pair in auth_pairs(body) if pair[0] != missing]
    if missing != "auth_signature":
        pairs.append(("auth_signature", signature(method, path, pairs)))
    assert_error(send(caller, method, path, pairs, body), 401, missing)
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("offset", [-599, 599])
def test_pw_126_a_timestamp_within_600_seconds_is_accepted(caller, offset):
    """PW-126"""
    assert_success(caller.send("POST", target("POST", EVENTS, event("x"), now=fresh_second() + offset), event("x")))


@pytest.mark.parametrize("offset", [-601, 601, -600, 600, -86_400, 86_400, -1_700_000_000])
def test_pw_126_a_timestamp_600_seconds_off_is_refused_and_both_times_are_named(caller, bystander, offset):
    """PW-126"""
    now = fresh_second()
    reply = caller.send("POST", target("POST", EVENTS, BODY, now=now + offset), BODY)
    assert_error(reply, 401, "timestamp", str(now + offset))
    text = reply.json["error"]
    assert any(str(now + late) in text for late in range(3)), f"the server's time is not in {text!r}"
    bystander.assert_undisturbed(caller)


@pytest.mark.parametrize("value", ["", "abc", "1.5e9", "0x65000000", "-1", "9" * 19, "9" * 40, "NaN", "+", "١٧٠٠٠٠٠٠٠٠"])
def test_pw_126_a_timestamp_that_is_no_number_is_refused(caller, value):
    """PW-126 (§6.2: reject non-numeric; a number too big for 64 bits must not trap)."""
    pairs = [(name, value if name == "auth_timestamp" else old) for name, old in auth_pairs(BODY)]
    pairs.append(("auth_signature", signature("POST", EVENTS, pairs)))
    assert_error(send(caller, "POST", EVENTS, pairs, BODY), 401, "auth_timestamp")


@pytest.mark.parametrize("version", ["2.0", "1", "1.00", "", "1.0.0", "v1.0"])
def test_pw_127_only_version_1_0_is_accepted(caller, version):
    """PW-127"""
    pairs = [(name, version if name == "auth_version" else old) for name, old in auth_pairs(BODY)]
    pairs.append(("auth_signature", signature("POST", EVENTS, pairs)))
    assert_error(send(caller, "POST", EVENTS, pairs, BODY), 401, "version")


@pytest.mark.parametrize("digest", [None, "", "0" * 32, md5(b"another body"), md5(BODY)[:-1], md5(BODY) + "0", "z" * 32])
def test_pw_128_a_body_needs_its_md5(caller, bystander, digest):
    """PW-128: missing or wrong body_md5, everything else correctly signed."""
    pairs = auth_pairs() + ([] if digest is None else [("body_md5", digest)])
    pairs.append(("auth_signature", signature("POST", EVENTS, pairs)))
    assert_error(send(caller, "POST", EVENTS, pairs, BODY), 401, "md5")
    bystander.assert_undisturbed(caller)


def test_pw_128_a_body_altered_after_signing_is_refused(caller, bystander):
    """PW-128"""
    altered = BODY.replace(b'"d"', b'"D"')
    assert altered != BODY and len(altered) == len(BODY)
    assert_error(caller.send("POST", target("POST", EVENTS, BODY), altered), 401, "md5")
    bystander.assert_undisturbed(caller)


def test_pw_128_the_md5_may_be_in_upper_case(caller):
    """PW-128 (§6.4: compare case-insensitively)."""
    body = event("x")
    pairs = auth_pairs() + [("body_md5", md5(body).upper())]
    pairs.append(("auth_signature", signature("POST", EVENTS, pairs)))
    assert_success(send(caller, "POST", EVENTS, pairs, body))


@pytest.mark.parametrize("digest", [None, md5(b""), md5(b"{}")])
def test_pw_129_an_empty_body_may_have_no_md5_or_that_of_nothing_or_soketis(caller, digest):
    """PW-129, Q39: GET, and terminate without a body."""
    for method, path in (("GET", "/apps/1/channels"), ("POST", "/apps/1/users/nobody/terminate_connections")):
        pairs = auth_pairs() + ([] if digest is None else [("body_md5", digest)])
        pairs.append(("auth_signature", signature(method, path, pairs)))
        assert_success(send(caller, method, path, pairs))


def test_pw_129_a_get_with_the_md5_of_something_else_is_refused(caller):
    """PW-129: the counter-check."""
    pairs = auth_pairs() + [("body_md5", md5(b"something"))]
    pairs.append(("auth_signature", signature("GET", "/apps/1/channels", pairs)))
    assert_error(send(caller, "GET", "/apps/1/channels", pairs), 401, "md5")


@pytest.mark.parametrize("spoil", ["signature of another secret", "flipped digit", "cut", "longer", "not hex", "empty",
                                   "another path", "another method", "a parameter added", "a parameter changed"])
def test_pw_125_pw_138_a_wrong_signature_is_refused(caller, bystander, spoil):
    """PW-125, PW-138"""
    pairs = signed()
    good = pairs[-1][1]
    replaced = {
        "signature of another secret": signed(secret="other-secret")[-1][1],
        "flipped digit": good[:-1] + ("0" if good[-1] != "0" else "1"), "cut": good[:-2], "longer": good + "00",
        "not hex": "g" * 64, "empty": "", "another path": signed(path="/apps/1/batch_events")[-1][1],
        "another method": signed(method="GET")[-1][1],
    }
    pairs[-1] = ("auth_signature", replaced.get(spoil, good))
    if spoil == "a parameter added":
        pairs.insert(0, ("info", "subscription_count"))
    if spoil == "a parameter changed":
        pairs[1] = ("auth_timestamp", str(int(pairs[1][1]) - 1))
    assert_error(send(caller, "POST", EVENTS, pairs, BODY), 401, "signature")
    bystander.assert_undisturbed(caller)


def test_pw_138_the_text_of_a_401_shows_what_should_have_been_signed_but_no_secret_and_no_digest(caller):
    """PW-138, PW-182 (§6.4: the text shows the string that should have been signed)."""
    pairs = auth_pairs(BODY)
    good = signature("POST", EVENTS, pairs)
    reply = send(caller, "POST", EVENTS, pairs + [("auth_signature", "0" * 64)], BODY)
    assert_error(reply, 401, canonical("POST", EVENTS, pairs))
    assert good.encode() not in reply.body and SECRET.encode() not in reply.body


def test_pw_138_in_production_a_401_does_not_show_what_should_have_been_signed():
    """PW-138: details are for development."""
    with Broker({"production": True, "apps": [{"id": "1", "key": "own-key", "secret": "own-secret"}]}) as running:
        reply = Caller(running, key="own-key", secret="guess").publish(event())
        assert_error(reply, 401)
        assert "body_md5=" not in reply.json["error"] and "/apps/1/events" not in reply.json["error"], reply


@pytest.mark.parametrize("broken, named", [
    ({"auth_key": "nobody", "auth_version": "9", "auth_timestamp": "1"}, "key"),
    ({"auth_version": "9", "auth_timestamp": "1"}, "version"),
    ({"auth_timestamp": "1"}, "timestamp"),
    ({}, "signature"),
])
def test_pw_125_the_checks_come_in_the_documented_order(caller, broken, named):
    """PW-125, PW-126, PW-127: key, version, timestamp, signature; the first that fails is the one reported."""
    pairs = [(name, broken.get(name, value)) for name, value in auth_pairs(BODY)] + [("auth_signature", "0" * 64)]
    reply = send(caller, "POST", EVENTS, pairs, BODY)
    assert_error(reply, 401, named)
    assert named == "signature" or "string" not in reply.json["error"].lower(), reply


def test_pw_134_the_key_of_another_app_is_refused(caller, bystander):
    """PW-134: correctly signed with app B's key and secret, on the path of app A."""
    reply = caller.send("POST", target("POST", EVENTS, BODY, key=OTHER["key"], secret=OTHER["secret"]), BODY)
    assert_error(reply, 401, "key")
    bystander.assert_undisturbed(caller)


def test_pw_134_an_unknown_key_is_refused(caller):
    """PW-134, PW-125"""
    assert_error(caller.send("POST", target("POST", EVENTS, BODY, key="nobody"), BODY), 401, "key")


@pytest.mark.parametrize("path, method", [("/events", "POST"), ("/batch_events", "POST"), ("/channels", "GET"),
                                          ("/channels/c", "GET"), ("/channels/presence-c/users", "GET"),
                                          ("/connections", "GET"), ("/users/u/terminate_connections", "POST")])
@pytest.mark.parametrize("app_id", ["99", "nobody", "%20", "1%2F..", "app-id2", "-1"])
def test_pw_135_an_unknown_app_is_404_on_every_route(broker, path, method, app_id):
    """PW-135, PW-138"""
    body = BODY if method == "POST" else None
    assert_error(Caller(broker, app_id=app_id)(method, path, body), 404)


@pytest.mark.parametrize("path, method", [("/events", "POST"), ("/batch_events", "POST"), ("/channels", "GET")])
def test_pw_136_a_disabled_app_is_403(broker, path, method):
    """PW-136, PW-138"""
    call = Caller(broker, app_id="3", key=DISABLED["key"], secret=DISABLED["secret"])
    assert_error(call(method, path, BODY if method == "POST" else None), 403, "disabled")


def test_pw_134_each_active_key_signs_with_its_own_secret_only(broker):
    """PW-134: two keys of one app, so that a secret can be rotated without an outage."""
    for key, secret in (("old-key", "old-secret"), ("new-key", "new-secret")):
        assert_success(Caller(broker, app_id="4", key=key, secret=secret).get("/channels"))
    for key, secret in (("old-key", "new-secret"), ("new-key", "old-secret")):
        assert_error(Caller(broker, app_id="4", key=key, secret=secret).get("/channels"), 401)


@pytest.mark.parametrize("app_id", ["1", "app-id"])
def test_pw_135_an_alias_names_the_same_app(broker, bystander, app_id):
    """PW-135: numeric ids for the libraries that take nothing else (ecosystem finding 1)."""
    assert_success(Caller(broker, app_id=app_id).publish(event("auth", "by-" + app_id)))
    assert bystander.client.expect("by-" + app_id, "auth")["data"] == "d"


def test_pw_124_key_and_secret_are_compared_exactly(broker):
    """PW-124, PW-134: no case folding, no prefix match."""
    for key in (KEY.upper(), KEY[:-1], KEY + "x", KEY + "\x00"):
        assert_error(Caller(broker, key=key).get("/channels"), 401, "key")


@pytest.mark.parametrize("query", ["", "auth_key", "&&&", "=&=", "auth_key=app-key&auth_key=app-key", "%", "%zz=1",
                                   "auth_signature=" + "f" * 64, "a=%ff%fe&auth_key=%00", "auth_key=app-key&=" * 40])
@pytest.mark.parametrize("path", ["/apps/1/channels", "/apps/1/events", "/apps/1/channels/c"])
def test_pw_125_pw_138_a_query_of_any_shape_is_a_400_or_401(caller, query, path):
    """PW-125, PW-138: never 200, never 5xx, and the connection's next call is served."""
    method = "POST" if path.endswith("events") else "GET"
    reply = caller.send(method, f"{path}?{query}", BODY if method == "POST" else None)
    assert reply.status in (400, 401), reply
    assert_error(reply, reply.status)
    assert_success(caller.get("/channels"))
