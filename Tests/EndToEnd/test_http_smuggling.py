"""Requests that two parsers could read in two ways.

Each case is followed by a second request in the same write. A broker that sees the fault answers once, with 400 (or a
sharper status where the case says so), and closes; an answer to the second request means that it can be smuggled past
a proxy. Every case is also sent one byte per segment, so that the verdict cannot depend on how the kernel cuts it."""

import re

import pytest

from http_tools import UPGRADE, Caller, Raw, event, plain
from signing import target

SECOND = plain("GET", "/smuggled")
BODY = event("smuggled")
CASES: dict[str, tuple[bytes, frozenset]] = {}


def case(name: str, request: bytes | str, *also: int) -> None:
    """`also`: statuses that say it better than 400 for this case."""
    assert name not in CASES, name
    CASES[name] = (request.encode("latin-1") if isinstance(request, str) else request, frozenset({400, *also}))


def show(value: bytes | str) -> str:
    return ascii(value)[1:-1]


def post(*lines: str, body: bytes | None = None, version: str = "HTTP/1.1", newline: str = "\r\n") -> bytes:
    """A publish whose signature is good, so that only its framing can be the reason to refuse it."""
    head = newline.join([f"POST {target('POST', '/apps/1/events', BODY)} {version}", "Host: localhost", *lines, "", ""])
    return head.encode("latin-1") + (BODY if body is None else body)


def get(*lines: str, request_line: str = "GET /ready HTTP/1.1", host: str = "Host: localhost") -> bytes:
    return "\r\n".join([request_line, *([host] if host else []), *lines, "", ""]).encode("latin-1")


LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

# Two lengths
for first, second in ((LENGTH, CHUNKED), (CHUNKED, LENGTH), ("Content-Length: 0", CHUNKED), (CHUNKED, "Content-Length: 3")):
    case(f"{first} and {second}", post(first, second, body=CHUNKS))
case("length and chunked in lower case", post(LENGTH.lower(), CHUNKED.lower(), body=CHUNKS))
case("length, other headers, chunked", post(LENGTH, *[f"X-{n}: 1" for n in range(20)], CHUNKED, body=CHUNKS))
for other in (LENGTH, "Content-Length: 0", "Content-Length: 1", f"content-length: {len(BODY)}", "Content-Length: 99999"):
    case(f"{LENGTH} and {other}", post(LENGTH, other))
for value in (f"{len(BODY)}, {len(BODY)}", f"{len(BODY)},0", f"0,{len(BODY)}", f"{len(BODY)},"):
    case(f"Content-Length list {value}", post(f"Content-Length: {value}"))
for value in ("+5", "-1", "-0", "0x5", "5 5", "1e1", "5.0", "5;", '"5"', "5\x0b", "5\x00", "\x0b5", "five", "", "0b1", "5_0", "5L",
              "\xb2", "\xd9\xa5", "5\t5", "#5", "'5'", "5,6", "Infinity"):
    case(f"Content-Length {show(value)}", post(f"Content-Length: {value}"))
for value in ("9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
              "18446744073709551621", "99999999999999999999999999999999", "340282366920938463463374607431768211461"):
    case(f"Content-Length {value}", post(f"Content-Length: {value}"), 413)

# Transfer codings
for value in ("chunked, chunked", "gzip, chunked", "chunked, gzip", "identity", "chunked, identity", "xchunked", "chunkedx", "chunke",
              "chunked;q=1", '"chunked"', "chunked\x0b", "\x0bchunked", "chunked\x00", "ch unked", "gzip", "deflate", "", "c\x00hunked",
              "cow", "chunked-ish", "\xa0chunked", "chunked chunked", "x, chunked", "'chunked'", "[chunked]"):
    case(f"Transfer-Encoding {show(value)}", post(f"Transfer-Encoding: {value}", body=CHUNKS), 501)
for first, second in ((CHUNKED, CHUNKED), (CHUNKED, "Transfer-Encoding: identity"), ("Transfer-Encoding: gzip", CHUNKED),
                      (CHUNKED, "transfer-encoding: x")):
    case(f"{first} and {second}", post(first, second, body=CHUNKS), 501)
case("chunked in HTTP/1.0", post(CHUNKED, body=CHUNKS, version="HTTP/1.0"))

# Whitespace and line ends
for line in (f"Content-Length : {len(BODY)}", "Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "Host : localhost",
             "X : 1", f" Content-Length: {len(BODY)}", "\tX: 1"):
    case(f"space {show(line)}", post(line, body=CHUNKS if "Enc" in line else None))
case("space before the first header", get(request_line="GET /ready HTTP/1.1\r\n X: 1"))
for fold in ("Transfer-Encoding:\r\n chunked", "Transfer-Encoding: chunked\r\n , identity", "Content-Length: 1\r\n 2",
             f"Content-Length:\r\n\t{len(BODY)}", "X: a\r\n b", "X: a\r\n\tb", "X: a\r\n \r\n b"):
    case(f"folded {show(fold)}", post(fold, body=CHUNKS if "Enc" in fold else None))
case("every line ends in LF", post(LENGTH, newline="\n"))
case("every line ends in CR", post(LENGTH, newline="\r"))
case("every line ends in LF CR", post(LENGTH, newline="\n\r"))
case("every line ends in CR CR LF", post(LENGTH, newline="\r\r\n"))
for name, line in {"LF after a header": "X: 1\nY: 2", "LF hides a length": f"X: 1\n{LENGTH}", "LF hides chunked": f"X: 1\n{CHUNKED}",
                   "CR hides chunked": f"X: 1\r{CHUNKED}", "CR in a value": "X: a\rb", "CR before the end": "X: 1\r",
                   "LF and LF": "X: 1\n\nGET /smuggled HTTP/1.1", "CR and CR": "X: 1\r\rGET /smuggled HTTP/1.1"}.items():
    case(name, get(line))
case("LF after the request line", get(request_line="GET /ready HTTP/1.1\nX: 1"))
case("CR after the request line", get(request_line="GET /ready HTTP/1.1\rX: 1"))
case("the head ends in LF LF", get()[:-2] + b"\n")
case("the head ends in CR LF LF", b"GET /ready HTTP/1.1\r\nHost: localhost\r\n\n")

# Header names and values
for char in '(),/;<=>?@[\\]{}" \x00\x01\x07\x0b\x0c\x1b\x1f\x7f\x80\xa0\xff':
    case(f"name with {show(char)}", get(f"X{char}Y: 1"))
for line in (": 1", "novalue", ":", " ", "Host", "\x00", "Content-Length", f"{CHUNKED.split(':')[0]}"):
    case(f"line {show(line)}", get(line))
for char in "\x00\x01\x08\x0b\x0c\x1b\x7f":
    case(f"Host with {show(char)}", get(host=f"Host: local{char}host"))
case("NUL in a value", get("X: a\x00b"))
case("NUL before chunked", post("Transfer-Encoding: \x00chunked", body=CHUNKS), 501)

# Host
case("no Host", get(host=""))
case("two Hosts", get("Host: other"))
case("the same Host twice", get("Host: localhost"))
for value in ("a b", "a,b", "a/b", "a@b", "a?b", "a#b", "a\\b", "<a>", "http://a", "a:b:c", "a:port"):
    case(f"Host {value}", get(host=f"Host: {value}"))

# Request line
for line in ("GET  /ready HTTP/1.1", " GET /ready HTTP/1.1", "GET /ready  HTTP/1.1", "GET /ready HTTP/1.1 ", "GET\t/ready\tHTTP/1.1",
             "GET /ready\x0bHTTP/1.1", "GET /ready http/1.1", "GET /ready HTTP/1", "GET /ready HTTP/11", "GET /ready HTTP/1.10",
             "GET /ready HTTP/01.1", "GET /ready HTTP/1.1x", "GET /ready HTTP/-1.1", "GET /ready HTTPS/1.1", "GET /ready XHTTP/1.1",
             "GET /ready HTTP/1,1", "GET /ready HTTP 1.1", "GET /ready HTTP/", "GET /ready", "GET", "/ready HTTP/1.1",
             "GET HTTP/1.1", "GET /a b HTTP/1.1", "GET /a\x00b HTTP/1.1", "GET /a\x7fb HTTP/1.1", "GET /a\xffb HTTP/1.1",
             "GET /a\x01b HTTP/1.1", "GET ready HTTP/1.1", "GET * HTTP/1.1", "GET ../ready HTTP/1.1", "GET \\ready HTTP/1.1",
             "G(ET /ready HTTP/1.1", "G\x00ET /ready HTTP/1.1", "GET: /ready HTTP/1.1", "\xff\xfe /ready HTTP/1.1",
             "GET http:///ready HTTP/1.1", "GET ://x HTTP/1.1", "GET /ready HTTP/1.1 GET /smuggled HTTP/1.1", '"GET" /ready HTTP/1.1'):
    case(f"line {show(line)}", get(request_line=line), 405, 501, 505)
for version in ("HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.9", "HTTP/2"):
    case(f"version {version}", get(request_line=f"GET /ready {version}"), 505)
case("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405, 501, 505)
case("CONNECT", get(request_line="CONNECT example.com:443 HTTP/1.1"), 404, 405, 501)

# Chunks
for size in ("", "g", "0x5", "-1", "+5", "5 5", "1,0", "5.", "\x00", "5\x00", "5\x0b", "\xb2", "_5", "5h", "\t5", "5\n", "5\r", "'5'"):
    case(f"chunk size {show(size)}", post(CHUNKED, body=size.encode("latin-1") + b"\r\nhello\r\n0\r\n\r\n"))
for size in ("ffffffffffffffff", "7fffffffffffffff", "8000000000000000", "10000000000000000", "10000000000000005",
             "fffffffffffffffffffffffff", "0" * 100 + "5", "80000000000000000000000000000005"):
    case(f"chunk size {size[:40]}", post(CHUNKED, body=size.encode() + b"\r\nhello\r\n0\r\n\r\n"), 413)
for name, body in {
    "chunk longer than its size": b"3\r\nhello\r\n0\r\n\r\n", "chunk shorter than its size": b"7\r\nhello\r\n0\r\n\r\n",
    "chunk ends in LF": b"5\r\nhello\n0\r\n\r\n", "chunk ends in CR": b"5\r\nhello\r0\r\n\r\n", "no CRLF after data": b"5\r\nhello0\r\n\r\n",
    "size ends in LF": b"5\nhello\r\n0\r\n\r\n", "last size ends in LF": b"5\r\nhello\r\n0\n\r\n",
    "size ends in CR": b"5\rhello\r\n0\r\n\r\n", "end is LF": b"5\r\nhello\r\n0\r\n\n", "extension too long": b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n",
    "extension with LF": b"5;a\nb\r\nhello\r\n0\r\n\r\n", "extension with CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "extension with NUL": b"5;a\x00b\r\nhello\r\n0\r\n\r\n", "trailer without colon": b"0\r\nnovalue\r\n\r\n",
    "trailer folded": b"0\r\nX: a\r\n b\r\n\r\n", "trailer space before colon": b"0\r\nX : a\r\n\r\n",
    "trailer with LF": b"0\r\nX: a\nY: b\r\n\r\n", "trailer with NUL": b"0\r\nX\x00: a\r\n\r\n", "trailer name empty": b"0\r\n: a\r\n\r\n",
    "trailers too large": b"0\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 200) for n in range(100)) + b"\r\n",
}.items():
    case(name, post(CHUNKED, body=body), *((431,) if "trailers" in name else ()))

# A body where an upgrade is asked for would be read as frames
case("upgrade with a length", get(*UPGRADE, "Content-Length: 5", request_line="GET /app/app-key HTTP/1.1") + b"hello")
case("upgrade with chunks", get(*UPGRADE, CHUNKED, request_line="GET /app/app-key HTTP/1.1") + CHUNKS)
case("upgrade in HTTP/1.0", get(*UPGRADE, request_line="GET /app/app-key HTTP/1.0"), 426, 505)

WATCHED = ("smuggled",)


def verdict(received: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def test_pw_150_there_are_enough_cases():
    """B4 asks for 200."""
    assert len(CASES) >= 200, len(CASES)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("segments", ["one write", "one byte each"])
@pytest.mark.parametrize("name", CASES)
def test_pw_150_an_ambiguous_request_gets_one_refusal_and_the_connection_closes(broker, name, segments):
    """PW-150, PW-138, B4"""
    request, allowed = CASES[name]
    with Raw(broker, timeout=4) as connection:
        if segments == "one write":
            connection.send(request + SECOND)
        else:
            connection.send_slowly(request + SECOND)
        received = connection.rest()
    statuses = verdict(received)
    assert len(statuses) == 1 and statuses[0] in allowed, (statuses, received[:300])


def test_pw_150_nothing_of_the_smuggling_set_was_published(broker, bystander):
    """PW-150, B3, B4: the whole set again beside a subscriber of the channel it names."""
    for request, _ in CASES.values():
        with Raw(broker) as connection:
            connection.send(request + SECOND).socket.recv(65536)
    bystander.assert_undisturbed(Caller(broker))


def unusual() -> dict[str, bytes]:
    """Signed when called, because a whole run may take longer than a timestamp is good for."""
    return {
        "lower-case names": post(LENGTH.lower()), "no space after the colon": post(LENGTH.replace(" ", "")),
        "tab and trailing space": post(LENGTH.replace(" ", "\t") + " \t"), "CHUNKED": post("TRANSFER-ENCODING: CHUNKED", body=CHUNKS),
        "leading zeros": post(f"Content-Length: 000{len(BODY)}"), "CRLF before the request line": b"\r\n" + post(LENGTH),
        "absolute form": post(LENGTH).replace(b"POST /", b"POST http://localhost/", 1), "empty value": post(LENGTH, "X:"),
        "non-ASCII value": post(LENGTH, "X: \xe9\xff"), "a token of every sign": post(LENGTH, "!#$%&'*+-.^_`|~: 1"),
        "Host with a port": post(LENGTH).replace(b"Host: localhost", b"Host: localhost:6001", 1),
        "Host in brackets": post(LENGTH).replace(b"Host: localhost", b"Host: [::1]:6001", 1),
    }


@pytest.mark.parametrize("name", unusual())
def test_pw_150_unusual_but_unambiguous_requests_are_served(broker, name):
    """PW-150: the counter-check; and the request after it is a request of its own."""
    with Raw(broker, timeout=4) as connection:
        connection.send(unusual()[name] + SECOND)
        assert [connection.reply().status for _ in range(2)] == [200, 404]
