"""TLS as clients meet it: one port for both, who is refused and how, which certificate they see."""

from __future__ import annotations

import http.client
import json
import pathlib
import re
import socket
import ssl
import subprocess

import pusher
import pytest

from certificates import Authority
from clients import AsyncPusherClient
from harness import BINARY, Broker, app, daemon_environment, named_app, wait_until
from logfmt import lines
from rawclient import RawClient
from session import DEADLINE
from signing import target

REQUEST = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def broker(authority):
    apps = [app(), named_app("safe", requireTLS=True)]
    tls = {**authority.leaf("server"), "certificates": [
        authority.leaf("second", "second.example"), authority.leaf("wild", "*.wild.example", kind="rsa")]}
    with Broker({"tls": tls, "apps": apps, "loops": 2}) as broker:
        yield broker


class SecureClient(RawClient):
    """As `RawClient`, over TLS. Of one thread, because CPython before 3.13 lets two race for an SSL object: with a library whose threads
    read and write at once, one request in some hundred never left."""

    def __init__(self, broker: Broker, authority: Authority, key="app-key", port=None, handshake=True, headers=None):
        super().__init__(broker, key=key, secret=key.replace("-key", "-secret"), query="protocol=7", handshake=False,
                         app_id="1" if key == "app-key" else key.removesuffix("-key"), answers_pings=True, port=port,
                         headers=headers, context=authority.context())
        self.read_upgrade()
        if handshake:
            self.greet()


def tls_socket(broker, context: ssl.SSLContext, host: str | None = "localhost", port=None) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port or broker.port), timeout=DEADLINE)
    return context.wrap_socket(raw, server_hostname=host)


def https(broker, authority, method="GET", path="/live", body=None, port=None):
    connection = http.client.HTTPSConnection("localhost", port or broker.port, context=authority.context(), timeout=DEADLINE)
    connection.sock = tls_socket(broker, authority.context(), port=port)
    connection.request(method, path, body)
    reply = connection.getresponse()
    return reply.status, reply.read()


# One port

def test_one_port_serves_both(broker, authority):
    """TLS and plain clients share a channel, and each hears the other's app."""
    with SecureClient(broker, authority) as secure, broker.client() as plain:
        secure.subscribe("news")
        plain.subscribe("news")
        broker.trigger("news", "greeting", {"a": 1})
        for client in (secure, plain):
            assert json.loads(client.expect("greeting", "news")["data"]) == {"a": 1}
    assert https(broker, authority) == (200, b"OK")
    assert broker.request("GET", "/live")[0] == 200


def test_the_first_byte_may_come_alone_and_late(broker):
    with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as plain:
        for byte in REQUEST:
            plain.sendall(bytes([byte]))
        assert plain.recv(1000).startswith(b"HTTP/1.1 200")


def test_version_and_cipher_are_new_ones(broker, authority):
    with tls_socket(broker, authority.context()) as secure:
        assert secure.version() == "TLSv1.3" and secure.cipher()[0] == "TLS_AES_128_GCM_SHA256"
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_socket(broker, context) as secure:
        assert secure.version() == "TLSv1.2" and secure.cipher()[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
        assert secure.compression() is None


def test_requests_behind_each_other_in_one_record_are_all_answered(broker, authority):
    with tls_socket(broker, authority.context()) as secure:
        secure.sendall(REQUEST * 20)
        received = b""
        while received.count(b"HTTP/1.1 200") < 20:
            received += secure.recv(65536)


@pytest.mark.parametrize("size", [1, 16_384, 100 * 1024 - 200, 900_000])
def test_large_bodies_and_messages_arrive_whole(authority, size):
    """Records are at most 16 KiB; a message is many of them, in and out."""
    big = app(limits={"eventDataBytes": 1_000_000})
    config = {"tls": authority.leaf("server"), "apps": [big], "requestBodyBytes": 2_000_000}
    with Broker(config) as broker, SecureClient(broker, authority) as one, SecureClient(broker, authority) as two:
        for client in (one, two):
            client.subscribe("big")
        data = "x" * size
        body = json.dumps({"name": "e", "channels": ["big"], "data": data}).encode()
        signed = target("POST", "/apps/1/events", body, {}, key="app-key", secret="app-secret")
        assert https(broker, authority, "POST", signed, body)[0] == 200
        for client in (one, two):
            assert client.expect("e", "big")["data"] == data


def test_real_clients_over_tls(broker, authority, monkeypatch):
    """`asyncpusher` hears what the `pusher` server library says, both over TLS."""
    monkeypatch.setattr("pusher.requests.CERT_PATH", authority.ca)
    server = pusher.Pusher(
        app_id="1", key="app-key", secret="app-secret", host="127.0.0.1", port=broker.port, ssl=True)
    client = AsyncPusherClient(broker, tls=authority.context()).connect()
    try:
        client.subscribe("letters", "written")
        assert "letters" in server.channels_info()["channels"]
        server.trigger("letters", "written", {"to": "you"})
        assert "you" in str(client.inbox.wait("written", "letters").data)
    finally:
        client.close()


def test_health_asks_over_tls(authority, tmp_path):
    config = {"tls": {**authority.leaf("server", "localhost"), "only": True}, "apps": [app()]}
    with Broker(config) as broker:
        def health(*words: str) -> tuple[int, str]:
            done = subprocess.run([BINARY, "health", *words], capture_output=True, text=True, timeout=DEADLINE * 3,
                                  env=daemon_environment())
            return done.returncode, done.stderr
        where = f"localhost:{broker.port}"
        for words in [("--tls-ca", authority.ca), ("--tls-insecure",)]:
            assert health(*words, f"https://{where}/up") == health(*words, where) == (0, "")
        for words in [("--tls",), ()]:
            code, said = health(*words, f"https://{where}")
            assert code == 1 and said.startswith("starling health: TLS: the server's certificate is not trusted: "), said
        # Another name than the certificate's; no TLS; nobody.
        code, said = health("--tls-ca", authority.ca, f"127.0.0.1:{broker.port}")
        assert code == 1 and "IP address mismatch" in said
        code, said = health(where)
        assert code == 1 and "400" in said
        code, said = health("--tls-insecure", f"127.0.0.1:{broker.metrics_port}")
        assert code == 1 and "the server speaks no TLS on this port" in said
        code, said = health("--tls-ca", str(tmp_path / "none.pem"), where)
        assert code == 1 and "No such file" in said
        # The broker of this configuration, whose certificate need not have this machine's address.
        file = f"{broker.directory.name}/config.json"
        assert health("--config", file, "--host", "127.0.0.1", "--port", str(broker.port)) == (0, "")
        broker.begin_drain()
        wait_until(lambda: health("--tls-insecure", where)[0] != 0, "one that drains is not ready")


def test_the_machines_authorities_are_where_the_environment_says(authority, tmp_path):
    """As for whoever uses OpenSSL; a static executable on another distribution needs it most."""
    (tmp_path / "ca.pem").write_text(pathlib.Path(authority.ca).read_text())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    config = {"tls": {**authority.leaf("server", "localhost"), "only": True}, "apps": [app()]}
    with Broker(config) as broker:
        def health(**environment: str) -> tuple[int, str]:
            done = subprocess.run([BINARY, "health", f"https://localhost:{broker.port}/up"], capture_output=True, text=True,
                                  timeout=DEADLINE * 3, env={**daemon_environment(), **environment})
            return done.returncode, done.stderr
        assert health(SSL_CERT_FILE=authority.ca) == (0, "")
        assert health(SSL_CERT_DIR=f"/nowhere:{tmp_path}") == (0, "")
        for nobody in ({}, {"SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere"}):
            code, said = health(**nobody)
            assert code == 1 and said.startswith("starling health: TLS: the server's certificate is not trusted: "), said


@pytest.mark.parametrize("stalls", [b"", b"\x16\x03\x03\x00\x40"])
def test_health_over_tls_does_not_wait_for_ever(stalls):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        process = subprocess.Popen([BINARY, "health", f"https://127.0.0.1:{deaf.getsockname()[1]}", "--tls-insecure",
                                    "--timeout", "1"], stderr=subprocess.PIPE, text=True, env=daemon_environment())
        accepted, _ = deaf.accept()
        accepted.sendall(stalls)
        said = process.communicate(timeout=DEADLINE * 3)[1]
        accepted.close()
    assert process.returncode == 124 and "no answer within 1 s" in said, said


# The certificate

@pytest.mark.parametrize("host, expected", [
    ("localhost", "server"), ("second.example", "second"), ("a.wild.example", "wild"), ("b.a.wild.example", "server"),
    ("unknown.example", "server"), (None, "server")])
def test_the_name_that_is_asked_for_chooses_the_certificate(broker, authority, host, expected):
    context = authority.context()
    context.check_hostname = False
    with tls_socket(broker, context, host) as secure:
        subject = dict(pair[0] for pair in secure.getpeercert()["subject"])
        assert subject["commonName"] == expected


def test_a_client_that_comes_back_is_known_by_its_ticket(broker, authority):
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with tls_socket(broker, context) as first:
        first.sendall(REQUEST)
        first.recv(1000)
        session = first.session
    raw = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
    with context.wrap_socket(raw, server_hostname="localhost", session=session) as again:
        assert again.session_reused


def test_a_key_with_a_passphrase(authority):
    with Broker({"tls": authority.leaf("locked", passphrase="open sesame"), "apps": [app()]}) as broker:
        assert https(broker, authority) == (200, b"OK")
        assert "sesame" not in broker.log()


@pytest.mark.parametrize("change, words", [
    ({"key": "other"}, "does not belong to the certificate"), ({"passphrase": "wrong"}, "does not open the key")])
def test_what_is_wrong_with_a_certificate_stops_the_start_with_a_sentence(authority, tmp_path, change, words):
    pair = authority.leaf("locked", passphrase="open sesame")
    if "key" in change:
        pair = {**authority.leaf("server"), "key": authority.leaf("other")["key"]}
    else:
        (tmp_path / "pass").write_text("close sesame\n")
        pair["keyPassphraseFile"] = str(tmp_path / "pass")
    with pytest.raises(RuntimeError) as failure, Broker({"tls": pair, "apps": [app()]}):
        pass
    text = str(failure.value)
    assert "ended with 78" in text and words in text and pair["key"] in text and "sesame" not in text


# requireTLS

def test_an_app_that_takes_tls_only_takes_ours(broker, authority):
    with SecureClient(broker, authority, "safe-key") as client:
        client.subscribe("news")
    with broker.client_of("safe", handshake=False) as client:
        assert "wss" in client.expect_error(4000)


def test_a_trusted_proxy_that_says_its_client_is_plain_is_believed(authority):
    config = {"tls": authority.leaf("server"), "trustProxy": True, "apps": [app(requireTLS=True)]}
    with Broker(config) as broker:
        said = {"headers": {"X-Forwarded-Proto": "http"}}
        with SecureClient(broker, authority, handshake=False, **said) as client:
            client.expect_error(4000)
        with SecureClient(broker, authority) as client:
            client.subscribe("news")


# What is refused

def s_client(broker, *options: str) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-servername", "localhost", *options]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=DEADLINE)
    return (done.stdout + done.stderr).decode(errors="replace")


@pytest.mark.parametrize("options", [
    ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"), ("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"),
    *(("-tls1_2", "-cipher", cipher + ":@SECLEVEL=0") for cipher in (
        "AES128-GCM-SHA256", "AES256-SHA256", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384",
        "DHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-CCM", "aNULL", "eNULL")),
    ("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), ("-alpn", "h2")],
    ids=lambda options: " ".join(options[-2:]).replace(":@SECLEVEL=0", ""))
def test_old_versions_weak_ciphers_and_other_protocols_are_refused(broker, options):
    said = s_client(broker, *options)
    assert "alert" in said, said
    assert "Cipher is (NONE)" in said and "no peer certificate available" in said, said


def test_what_is_not_refused(broker):
    for options in [("-tls1_3",), ("-tls1_2",), ("-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"), ("-alpn", "h2,http/1.1")]:
        said = s_client(broker, *options)
        assert re.search(r"Cipher is (TLS_|ECDHE)", said), said
    assert "ALPN protocol: http/1.1" in said


def test_renegotiation_is_refused_and_no_compression_is_offered(broker):
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{broker.port}", "-tls1_2"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    process.stdin.write(b"R\n")
    process.stdin.flush()
    said = process.communicate(timeout=DEADLINE)[0].decode(errors="replace")
    assert "no renegotiation" in said and "Compression: NONE" in said and "Early data" not in said, said


def test_a_refused_handshake_is_one_line_with_reason_and_address(authority):
    with Broker({"tls": authority.leaf("server"), "apps": [app()]}) as broker:
        s_client(broker, "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0")
        wait_until(lambda: "kind=tls" in broker.log(), "the refusal is logged")
        with pytest.raises(ssl.SSLError):
            tls_socket(broker, ssl.create_default_context())
        wait_until(lambda: "cause=alert" in broker.log(), "a client that does not trust us is logged")
        lines = [line for line in broker.log().splitlines() if "kind=tls" in line]
        assert len(lines) == 2 and all("peer=127.0.0.1:" in line for line in lines), lines
        assert "cause=version" in lines[0] and "TLS from 1.2" in lines[0]


# tls.only, tls.port

def test_a_port_with_tls_only_answers_plain_http_with_a_sentence(authority):
    with Broker({"tls": {**authority.leaf("server"), "only": True}, "apps": [app()]}) as broker:
        status, _, body = broker.request("GET", "/live")
        assert status == 400 and b"TLS only" in body and b"https" in body
        # Whatever it is that is no TLS.
        with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
            raw.sendall(b"\x80\x2e\x01\x00\x02")
            assert raw.recv(1000).startswith(b"HTTP/1.1 400")
        assert https(broker, authority) == (200, b"OK")
        lines = [line for line in broker.log().splitlines() if "plain HTTP" in line]
        # The second says the same, from the same host: within a second it is only counted.
        assert 1 <= len(lines) <= 2 and all("peer=127.0.0.1:" in line and "forceTLS: true" in line for line in lines)
        with SecureClient(broker, authority) as client:
            client.subscribe("news")


def test_a_port_of_its_own(authority):
    with Broker({"tls": {**authority.leaf("server"), "port": 0}, "apps": [app()]}) as broker:
        address = re.search(r"tls_address=127\.0\.0\.1:(\d+)", wait_until(
            lambda: "tls_address" in broker.log() and broker.log(), "the start is logged"))
        port = int(address[1])
        assert port != broker.port
        assert https(broker, authority, port=port) == (200, b"OK")
        assert broker.request("GET", "/live")[0] == 200
        with SecureClient(broker, authority, port=port) as secure, broker.client() as plain:
            secure.subscribe("news")
            plain.subscribe("news")
            broker.trigger("news", "e", {})
            secure.expect("e")
            plain.expect("e")
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as raw:
            raw.sendall(REQUEST)
            assert raw.recv(1000).startswith(b"HTTP/1.1 400")
        with pytest.raises(ssl.SSLError):
            tls_socket(broker, authority.context())
        assert "TLS has a port of its own" in broker.log()


def test_refusals_are_counted_and_not_all_written(authority):
    with Broker({"tls": {**authority.leaf("server"), "only": True}, "apps": [app()], "refusalLinesPerSecond": 2}) as broker:
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
                raw.sendall(REQUEST)
                assert b"TLS only" in raw.recv(1000)
        lines = [line for line in broker.log().splitlines() if "plain HTTP" in line]
        assert 1 <= len(lines) < 20, len(lines)


# The end of a connection

def test_close_codes_come_through_and_close_notify_behind_them(broker, authority):
    with SecureClient(broker, authority, "nobody-key", handshake=False) as client:
        client.expect_error(4001)
        assert client.expect_close().code == 4001
    context = authority.context()
    raw = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE)
    with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as secure:
        secure.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := secure.recv(1000):  # SSLEOFError without close_notify
            received += piece
        assert received.endswith(b"OK")


def test_a_drain_sends_tls_clients_away_with_4200(authority):
    with Broker({"tls": authority.leaf("server"), "apps": [app()], "shutdownGraceSeconds": 2}) as broker:
        clients = [SecureClient(broker, authority) for _ in range(5)]
        broker.begin_drain()
        for client in clients:
            client.expect_error(4200)
            assert client.expect_close().code == 4200
        assert broker.wait_ended() == 0


def test_half_a_goodbye_ends_the_connection(broker, authority):
    """close_notify without a FIN, then a FIN without close_notify."""
    with tls_socket(broker, authority.context()) as secure:
        secure.sendall(REQUEST)
        secure.recv(1000)
        assert secure.unwrap().recv(10) == b""
    with tls_socket(broker, authority.context()) as secure:
        secure.sendall(REQUEST)
        assert secure.recv(1000).startswith(b"HTTP/1.1 200")
        secure.shutdown(socket.SHUT_WR)
        # From here on Python shows the records as they are: there is one more, and the end.
        assert secure.recv(1000)[:1] == b"\x17" and secure.recv(1000) == b""


def test_a_handshake_that_stops_half_way_costs_no_session_and_ends(authority):
    with Broker({"tls": authority.leaf("server"), "apps": [app(limits={"connections": 1})]}) as broker:
        hello = ssl_hello(authority)
        halves = []
        for sent in (hello[:1], hello[:60], hello):
            raw = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE * 2)
            raw.sendall(sent)
            halves.append(raw)
        silent = socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE * 2)
        with SecureClient(broker, authority) as client:
            client.subscribe("news")
        for raw in [*halves, silent]:
            while raw.recv(10_000):
                pass
            raw.close()
        broker.begin_drain()
        broker.wait_ended()
        # What says the same within a second is counted in another line.
        refused = [line for line in lines(broker.log()) if line.get("kind") == "tls"]
        assert {line["cause"] for line in refused if "reason" in line} == {"timeout"}, refused
        assert sum(("reason" in line) + int(line.get("suppressed", 0)) for line in refused) == 3, refused


def ssl_hello(authority) -> bytes:
    """What a client says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hidden = authority.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        hidden.do_handshake()
    return outgoing.read()


def test_a_slow_reader_over_tls_is_cut_off_with_4100_and_nobody_else_notices(authority):
    config = {"tls": authority.leaf("server"), "apps": [app(limits={"eventDataBytes": 100_000})],
              "backlogBytes": 65_536, "loops": 1}
    with Broker(config) as broker, SecureClient(broker, authority) as good:
        slow = tls_socket(broker, authority.context())
        slow.sendall(b"GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        text = b'{"event":"pusher:subscribe","data":{"channel":"flood"}}'
        slow.sendall(bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text)
        received = b""
        while b"subscription_succeeded" not in received:
            received += slow.recv(10_000)
        good.subscribe("flood")
        data = "y" * 50_000
        for number in range(400):
            broker.trigger("flood", f"e{number}", data)
            assert good.expect(f"e{number}", "flood")["data"] == data
            if "kind=slow_consumer" in broker.log():
                break
        assert "kind=slow_consumer" in broker.log() and "code=4100" in broker.log()
        # Whole frames to the last, then the reason and the code.
        slow.settimeout(DEADLINE)
        received = b""
        try:
            while piece := slow.recv(100_000):
                received += piece
        except ssl.SSLError as error:
            pytest.fail(f"records are not whole: {error}")
        frames, rest = split_frames(received)
        assert rest == b"" and frames[-1][0] == 8 and frames[-1][1][:2] == (4100).to_bytes(2, "big")
        assert json.loads(frames[-2][1])["data"]["code"] == 4100
        numbers = [int(json.loads(text)["event"][1:]) for kind, text in frames[:-2] if kind == 1]
        assert numbers == list(range(len(numbers))) and numbers


def split_frames(stream: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    frames = []
    while len(stream) >= 2:
        length, at = stream[1], 2
        if length == 126:
            length, at = int.from_bytes(stream[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(stream[2:10], "big"), 10
        if len(stream) < at + length:
            break
        frames.append((stream[0] & 15, stream[at:at + length]))
        stream = stream[at + length:]
    return frames, stream


def test_somebody_who_breaks_a_record_is_told_and_gone(broker, authority):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hidden = authority.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", broker.port), timeout=DEADLINE) as raw:
        while True:
            try:
                hidden.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(10_000))
        raw.sendall(outgoing.read())
        hidden.write(REQUEST)
        record = bytearray(outgoing.read())
        record[20] ^= 1
        raw.sendall(record)
        while piece := raw.recv(10_000):
            incoming.write(piece)
        with pytest.raises(ssl.SSLError, match="(?i)alert"):
            hidden.read(100)
