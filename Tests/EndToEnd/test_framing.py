"""WebSocket framing (reference §1.2, §2.1, PW-023, PW-033…PW-035, RFC 6455 §5)."""

import json
import struct

import pytest

from rawclient import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawClient, frame, text

LIMIT = 64 * 1024


@pytest.fixture
def client(broker):
    with RawClient(broker) as running:
        yield running


@pytest.fixture
def bystander(broker):
    """Another client, which must not notice anything."""
    with broker.client() as other:
        yield other
        other.nothing_until_pong()


def subscribe_text(channel: str, bytes_total: int = 0) -> bytes:
    """A subscribe message of exactly so many bytes, by an ignored member."""
    message = json.dumps({"event": "pusher:subscribe", "data": {"channel": channel}, "filler": ""})
    return message.replace('"filler": ""', f'"filler": "{"x" * (bytes_total - len(message))}"').encode()


@pytest.mark.parametrize("payload", [b"", b"hello", bytes(range(125)), b"\xff" * 125])
def test_a_ping_is_answered_with_the_same_payload(client, payload):
    """PW-023"""
    client.send_frame(PING, payload)
    got = client.read_frame()
    assert (got.opcode, got.payload, got.fin, got.masked) == (PONG, payload, True, False)


def test_an_unsolicited_pong_frame_is_ignored(client):
    """PW-025"""
    client.send_frame(PONG, b"nobody asked")
    client.nothing_until_pong()


@pytest.mark.parametrize("piece", [1, 2, 7, 40])
def test_a_fragmented_text_message_is_reassembled(client, piece):
    """PW-033"""
    message = subscribe_text(f"fragments-{piece}")
    pieces = [message[i : i + piece] for i in range(0, len(message), piece)]
    for index, part in enumerate(pieces):
        client.send_frame(TEXT if index == 0 else CONTINUATION, part, fin=index == len(pieces) - 1)
    client.expect("pusher_internal:subscription_succeeded", f"fragments-{piece}")
    client.nothing_until_pong()


def test_control_frames_between_fragments_are_answered_at_once(client):
    """PW-033 PW-023"""
    message = subscribe_text("interleaved")
    client.send_frame(TEXT, message[:10], fin=False)
    client.send_frame(PING, b"between")
    assert client.read_frame().payload == b"between"
    client.send_frame(CONTINUATION, b"", fin=False)
    client.send_frame(PONG, b"")
    client.send_frame(CONTINUATION, message[10:], fin=True)
    client.expect("pusher_internal:subscription_succeeded", "interleaved")


def test_a_multibyte_character_may_be_split_over_fragments(client):
    """PW-033 PW-035"""
    message = '{"event":"pusher:ping","data":"ü€𝄞"}'.encode()
    client.send_bytes(b"".join(
        frame(TEXT if i == 0 else CONTINUATION, bytes([byte]), fin=i == len(message) - 1) for i,
        byte in enumerate(message)))
    client.expect("pusher:pong")


def test_a_frame_may_come_in_single_bytes(client):
    """PW-033: TCP segments are not messages"""
    for byte in text({"event": "pusher:subscribe", "data": {"channel": "byte-by-byte"}}):
        client.send_bytes(bytes([byte]))
    client.expect("pusher_internal:subscription_succeeded", "byte-by-byte")


def test_many_frames_may_come_in_one_segment(client):
    """PW-033 PW-021"""
    client.send_bytes(text({"event": "pusher:ping"}) * 200)
    for _ in range(200):
        client.expect("pusher:pong")
    client.nothing_until_pong()


def test_a_binary_message_of_json_text_is_taken_as_text(client):
    """PW-036: §1.2 [REC]"""
    client.send_frame(BINARY, '{"event":"pusher:ping","data":"ü"}'.encode())
    client.expect("pusher:pong")


def test_a_binary_message_that_is_no_utf8_closes_1003(client, bystander):
    """PW-035: §1.2 [REC]"""
    client.send_frame(BINARY, b"\xff\xfe\x00\x01")
    assert client.expect_close().code == 1003
    client.expect_end()


@pytest.mark.parametrize("bytes_total", [LIMIT - 1, LIMIT])
def test_a_message_up_to_the_limit_is_processed(client, bytes_total):
    """PW-034"""
    client.send_frame(TEXT, subscribe_text(f"big-{bytes_total}", bytes_total))
    client.expect("pusher_internal:subscription_succeeded", f"big-{bytes_total}")


def test_a_message_above_the_limit_closes_1009_that_socket_only(client, bystander):
    """PW-034"""
    client.send_frame(TEXT, subscribe_text("too-big", LIMIT + 1))
    assert client.expect_close().code == 1009
    client.expect_end()


def test_a_fragmented_message_above_the_limit_closes_1009(client, bystander):
    """PW-034"""
    client.send_frame(TEXT, b" " * (LIMIT // 2), fin=False)
    client.send_frame(CONTINUATION, b" " * (LIMIT // 2), fin=False)
    client.send_frame(CONTINUATION, b" ", fin=True)
    assert client.expect_close().code == 1009


@pytest.mark.parametrize("length", [LIMIT + 1, 10 << 20, (1 << 63) - 1])
def test_an_announced_length_above_the_limit_is_refused_before_its_bytes_come(client, bystander, length):
    """PW-034: CVE-2026-27889"""
    client.send_frame(TEXT, b"", length=length, width=64)
    assert client.expect_close().code == 1009


PROTOCOL_ERRORS = {
    "unmasked text": frame(TEXT, "{}", masked=False),
    "unmasked ping": frame(PING, b"x", masked=False),
    "RSV1 without an extension": frame(TEXT, "{}", rsv=4),
    "RSV2": frame(TEXT, "{}", rsv=2),
    "RSV3 on a ping": frame(PING, b"", rsv=1),
    "reserved opcode 3": frame(3, b""),
    "reserved opcode 11": frame(11, b""),
    "fragmented ping": frame(PING, b"x", fin=False),
    "ping of 126 bytes": frame(PING, b"x" * 126),
    "continuation without a start": frame(CONTINUATION, b"x"),
    "text inside a fragmented message": frame(TEXT, "{", fin=False) + frame(TEXT, "}"),
    "close of one byte": frame(CLOSE, b"\x03"),
    "close code 1005": frame(CLOSE, struct.pack("!H", 1005)),
    "close code 1006": frame(CLOSE, struct.pack("!H", 1006)),
    "close code 999": frame(CLOSE, struct.pack("!H", 999)),
    "close code 0": frame(CLOSE, struct.pack("!H", 0)),
    "close code 65535": frame(CLOSE, struct.pack("!H", 65535)),
}


@pytest.mark.parametrize("name", PROTOCOL_ERRORS)
def test_a_protocol_error_closes_1002(client, bystander, name):
    """PW-035: RFC 6455 §5, §7.4"""
    client.send_bytes(PROTOCOL_ERRORS[name])
    assert client.expect_close().code == 1002
    client.expect_end()


@pytest.mark.parametrize("name, data", [
    ("length with the top bit set", frame(TEXT, b"", length=1 << 63, width=64)),
    ("all ones", frame(TEXT, b"", length=(1 << 64) - 1, width=64)),
])
def test_a_length_beyond_63_bits_closes_1002_or_1009(client, bystander, name, data):
    """PW-034 PW-035: CVE-2026-27889"""
    client.send_bytes(data)
    assert client.expect_close().code in (1002, 1009)


@pytest.mark.parametrize("width", [16, 64])
def test_a_length_in_more_bytes_than_needed_is_no_crash(client, bystander, width):
    """PW-035: RFC 6455 §5.2 asks senders for the minimal form; a receiver may take it or close 1002"""
    client.send_frame(TEXT, '{"event":"pusher:ping"}', width=width)
    got = client.read_frame()
    assert (got.opcode == TEXT and got.event["event"] == "pusher:pong") or got.payload[:2] == struct.pack("!H",
        1002), got


BAD_UTF8 = {
    "lone continuation": b"\x80", "overlong slash": b"\xc0\xaf", "surrogate": b"\xed\xa0\x80",
    "above U+10FFFF": b"\xf4\x90\x80\x80",
    "cut short": b"\xe2\x82", "0xff": b"\xff", "in an ignored member": b'{"event":"pusher:ping","other":"\xc3"}',
}


@pytest.mark.parametrize("name", BAD_UTF8)
def test_invalid_utf8_in_a_text_message_closes_1007(client, bystander, name):
    """PW-035"""
    client.send_frame(TEXT, BAD_UTF8[name])
    assert client.expect_close().code == 1007
    client.expect_end()


def test_invalid_utf8_over_fragments_closes_1007(client, bystander):
    """PW-035"""
    client.send_frame(TEXT, b'{"event":"pusher:ping","data":"\xe2\x82', fin=False)
    client.send_frame(CONTINUATION, b'"}')
    assert client.expect_close().code == 1007


def test_invalid_utf8_in_a_close_reason_closes_1007(client, bystander):
    """PW-035: RFC 6455 §7.1.6"""
    client.send_frame(CLOSE, struct.pack("!H", 1000) + b"\xff")
    assert client.expect_close().code in (1002, 1007)


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1011, 3000, 4000, 4999])
def test_a_close_is_answered_with_its_code_and_the_end_of_tcp(client, bystander, code):
    """PW-035: RFC 6455 §5.5.1"""
    client.send_frame(CLOSE, struct.pack("!H", code) + "tschüß".encode())
    assert client.expect_close().code == code
    client.expect_end()


def test_a_close_without_a_code_is_answered(client, bystander):
    """PW-035: RFC 6455 §5.5.1"""
    client.send_frame(CLOSE)
    assert client.expect_close().code in (1000, 1005)
    client.expect_end()


def test_nothing_after_the_clients_close_is_processed(broker, client):
    """PW-035: RFC 6455 §1.4"""
    with broker.client() as watcher:
        watcher.join("presence-after-close", "watcher")
        client.send_bytes(frame(CLOSE, struct.pack("!H", 1000)) + text({"event": "pusher:ping"}))
        assert client.expect_close().code == 1000 and client.last_frames == []
        client.expect_end()


def test_a_half_closed_connection_is_ended(broker):
    """PW-077: a peer that shut down its sending side is gone"""
    import socket

    with RawClient(broker) as client:
        client.socket.shutdown(socket.SHUT_WR)
        client.expect_end()
