"""Frames are followed however they are cut, and other frames woven in between."""

from __future__ import annotations

import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.edge.frames import (
    BINARY,
    BUDGET,
    CLOSE,
    CONTINUATION,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    Close,
    Follower,
    close,
    control,
    masked,
    reserved_bits,
)

OWN = b"our ping"
KEY = b"\x12\x34\x56\x78"


def frame(first: int, payload: bytes = b"", key: bytes = b"") -> bytes:
    """Build a frame with the shortest length."""
    size, mask = len(payload), 0x80 if key else 0
    if size < 126:
        head = bytes((first, mask | size))
    elif size < 65536:
        head = struct.pack("!BBH", first, mask | 126, size)
    else:
        head = struct.pack("!BBQ", first, mask | 127, size)
    return head + key + (masked(payload, key) if key else payload)


class Frame(NamedTuple):
    first: int
    payload: bytes


def read(data: bytes) -> list[Frame]:
    """Read whole frames, masked or not, in the plainest way."""
    frames = []
    while data:
        size, begin = data[1] & 127, 2
        if size > 125:
            wide = 2 if size == 126 else 8
            size, begin = int.from_bytes(data[2 : 2 + wide], "big"), 2 + wide
        key = data[begin : begin + 4] if data[1] & 128 else b""
        begin += len(key)
        payload = data[begin : begin + size]
        assert len(payload) == size, "a frame was cut"
        frames.append(Frame(data[0], masked(payload, key) if key else payload))
        data = data[begin + size :]
    return frames


def from_server(extensions: bytes = b"") -> Follower:
    return Follower(False, reserved_bits(extensions), OWN)


def from_client(extensions: bytes = b"") -> Follower:
    return Follower(True, reserved_bits(extensions), OWN)


def in_pieces(follower: Follower, data: bytes, sizes: list[int]) -> bytes:
    """Feed all of ``data``, cut as told, then in one piece."""
    passed = b""
    for size in sizes:
        passed += follower.receive_data(data[:size])
        data = data[size:]
    passed += follower.receive_data(data)
    while follower.more:
        passed += follower.receive_data(b"")
    return passed


class TestWhatPasses:
    @pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537])
    @pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 9, 10, 13, 14])
    def test_lengths(self, size: int, cut: int) -> None:
        sent = frame(0x82, bytes(size), KEY)
        follower = from_client()
        assert in_pieces(follower, sent * 2, [cut]) == sent * 2
        assert not follower.violation and not follower.mid_frame

    def test_a_payload_is_not_copied(self) -> None:
        follower, data = from_server(), frame(0x82, bytes(70000))
        first, rest = data[:30000], data[30000:]
        assert follower.receive_data(first) is first
        assert follower.mid_frame
        assert follower.receive_data(rest) is rest
        assert not follower.mid_frame

    def test_a_header_waits_until_it_is_whole(self) -> None:
        follower, data = from_server(), frame(0x82, bytes(70000))
        assert follower.receive_data(data[:9]) == b""
        assert not follower.mid_frame
        assert follower.receive_data(data[9:11]) == data[:11]
        assert follower.mid_frame

    def test_a_fragmented_message_with_a_ping_inside(self) -> None:
        sent = frame(TEXT, b"a") + frame(0x80 | PING, b"p") + frame(CONTINUATION, b"b")
        sent += frame(0x80, b"c") + frame(0x80 | TEXT, b"d")
        follower = from_server()
        assert follower.receive_data(sent) == sent
        assert not follower.violation

    def test_a_compressed_message(self) -> None:
        sent = frame(0x40 | BINARY, b"a") + frame(0x80, b"b") + frame(0xC0 | TEXT)
        follower = from_server(b"permessage-deflate; server_no_context_takeover")
        assert follower.receive_data(sent) == sent
        assert not follower.violation

    def test_an_unknown_extension_may_use_every_reserved_bit(self) -> None:
        sent = frame(0x70 | BINARY, b"a") + frame(0xF0, b"b")
        follower = from_server(b"permessage-deflate, x-mine")
        assert follower.receive_data(sent) == sent
        assert not follower.violation

    def test_the_answer_to_our_ping_does_not(self) -> None:
        before, after = frame(0x82, b"a", KEY), frame(0x80 | PONG, b"theirs", KEY)
        follower = from_client()
        sent = before + control(PONG, OWN, KEY) + after
        assert follower.receive_data(sent) == before + after

    def test_a_ping_like_ours_does(self) -> None:
        sent = frame(0x80 | PING, OWN)
        assert from_server().receive_data(sent) == sent

    def test_a_flood_of_small_frames_takes_several_calls(self) -> None:
        follower, flood = from_server(), frame(0x82) * (BUDGET * 2 + 1)
        assert len(follower.receive_data(flood)) == 2 * BUDGET
        assert follower.more
        assert len(follower.receive_data(b"")) == 2 * BUDGET
        assert follower.more
        assert follower.receive_data(b"") == frame(0x82)
        assert not follower.more


GOOD_CLOSES = [
    (b"", Close(NO_CODE, "")),
    (b"\x03\xe8", Close(1000, "")),
    (b"\x03\xf6bad gateway", Close(1014, "bad gateway")),
    (b"\x0b\xb8", Close(3000, "")),
    (b"\x13\x87\xe2\x82\xac", Close(4999, "\N{EURO SIGN}")),
    (b"\x03\xe8" + b"r" * 123, Close(1000, "r" * 123)),
]


@pytest.mark.parametrize("body, said", GOOD_CLOSES)
@pytest.mark.parametrize("cut", [0, 1, 2, 5, 6])
def test_a_close_frame_passes_and_is_the_last(body: bytes, said: Close, cut: int) -> None:
    follower, sent = from_client(), frame(0x88, body, KEY)
    assert in_pieces(follower, sent + frame(0x82, b"late", KEY), [cut]) == sent
    assert (follower.close, follower.ended, follower.violation) == (said, True, "")
    assert follower.receive_data(b"anything at all") == b""


VIOLATIONS = {
    "a reserved bit is set": [frame(0xC2), frame(0xA2), frame(0x92), frame(0xC0 | PING)],
    "opcode 3 is reserved": [frame(0x83)],
    "opcode 7 is reserved": [frame(0x87, b"x")],
    "opcode 11 is reserved": [frame(0x8B)],
    "opcode 15 is reserved": [frame(0x8F)],
    "a control frame is fragmented": [frame(PING), frame(CLOSE), frame(PONG, b"x")],
    "a control frame has more than 125 bytes": [
        frame(0x89, bytes(126)), frame(0x88, bytes(70000)), bytes((0x8A, 127)),
    ],
    "there is no message to continue": [frame(0x80), frame(0), frame(0x82) + frame(0x80)],
    "a message begins within another": [frame(TEXT) + frame(0x81), frame(BINARY) + frame(TEXT)],
    "a server's frame is masked": [frame(0x82, b"x", KEY), frame(0x89, b"", KEY)],
    "a length has its highest bit set": [b"\x82\x7f" + b"\x80" + bytes(7)],
    "a length takes more bytes than it needs": [
        b"\x82\x7e\x00\x7d", b"\x82\x7f" + b"\x00\x00\x00\x00\x00\x00\xff\xff",
    ],
    "a close frame has a code that is none": [
        frame(0x88, body)
        for body in (b"\x03", *(c.to_bytes(2, "big") for c in (
            0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535
        )))
    ],
    "a close frame's reason is not UTF-8": [frame(0x88, b"\x03\xe8\xce\xba\xe1")],
}  # fmt: skip


@pytest.mark.parametrize(
    "text, sent", [(text, sent) for text, all_sent in VIOLATIONS.items() for sent in all_sent]
)
@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_violation_ends_it_after_what_was_right(text: str, sent: bytes, cut: int) -> None:
    good = frame(0x81, b"good")
    follower = from_server()
    passed = in_pieces(follower, good + sent + frame(0x82, b"late"), [cut, len(good), 1])
    assert follower.violation == text
    assert good + sent[: len(passed) - len(good)] == passed
    assert all(each.payload in (b"good", b"") for each in read(passed))
    assert follower.receive_data(frame(0x82)) == b""


def test_a_client_has_to_mask() -> None:
    follower = from_client()
    assert follower.receive_data(frame(0x82, b"x")) == b""
    assert follower.violation == "a client's frame is not masked"


def test_only_the_first_frame_of_a_message_says_that_it_is_compressed() -> None:
    for sent in (frame(TEXT, b"a") + frame(0xC0, b"b"), frame(0xC0 | PING)):
        follower = from_server(b"permessage-deflate")
        follower.receive_data(sent)
        assert follower.violation == "only a message's first frame says that it is compressed"


@pytest.mark.parametrize("size", [0, 1, 32, 125, 126])
@pytest.mark.parametrize("key", [b"", KEY])
def test_a_message_that_comes_whole(size: int, key: bytes) -> None:
    follower = from_client() if key else from_server()
    for _ in range(2):
        sent = frame(0x82, bytes(size), key)
        assert follower.receive_data(sent) == sent
        assert (follower.mid_frame, follower.more, follower.over) == (False, False, False)
    assert follower.receive_data(frame(BINARY, b"begun", key))
    assert follower.receive_data(frame(0x80, bytes(size), key))
    assert follower.receive_data(frame(0x80, bytes(size), key)) == b""
    assert follower.violation == "there is no message to continue"


def test_a_message_that_comes_whole_after_the_last_is_not_passed_on() -> None:
    follower = from_server()
    assert follower.finish(control(CLOSE, b"\x03\xe8"))
    assert follower.receive_data(frame(0x82, b"late")) == b""


class TestFramesPutIn:
    def test_between_two_frames_at_once(self) -> None:
        follower, ping = from_server(), control(PING, OWN)
        assert follower.insert(ping) == ping
        data = frame(0x82, b"abc")
        assert follower.receive_data(data[:1]) == b""
        assert follower.insert(ping) == ping
        assert follower.receive_data(data[1:]) == data

    def test_within_a_frame_after_it(self) -> None:
        follower, ping = from_server(), control(PING, OWN)
        data = frame(0x82, b"abc")
        follower.receive_data(data[:3])
        assert follower.insert(ping) == b""
        assert follower.receive_data(data[3:4]) == data[3:4]
        assert follower.receive_data(data[4:] + data) == data[4:] + ping + data

    def test_the_last_frame_silences_but_the_peer_is_still_followed(self) -> None:
        follower, bye = from_server(), close(1001, "bye")
        assert follower.finish(bye) == bye
        assert follower.ended and not follower.over
        assert follower.receive_data(frame(0x82, b"abc")) == b""
        assert follower.receive_data(frame(0x88)) == b""
        assert follower.close == Close(NO_CODE, "")

    def test_the_last_frame_waits_for_the_end_of_another(self) -> None:
        follower, bye = from_server(), close(1001, "bye")
        data = frame(0x82, b"abc")
        follower.receive_data(data[:3])
        assert follower.finish(bye) == b"" == follower.finish(bye) == follower.insert(bye)
        assert not follower.ended
        assert follower.receive_data(data[3:] + data) == data[3:] + bye
        assert follower.ended
        assert follower.receive_data(data[:3]) == b"" == follower.receive_data(data[3:])

    def test_nothing_follows_a_close_frame(self) -> None:
        follower = from_server()
        follower.receive_data(frame(0x88))
        assert follower.insert(control(PING, OWN)) == b"" == follower.finish(close(1001, ""))


def test_a_close_frame_that_is_built() -> None:
    assert read(close(4403, "no", KEY)) == [Frame(0x88, b"\x11\x33no")]
    long = read(close(1008, "\N{EURO SIGN}" * 50))[0].payload
    assert long == b"\x03\xf0" + "\N{EURO SIGN}".encode() * 41


@pytest.mark.parametrize(
    "extensions, bits",
    [
        (b"", 0),
        (b" , ", 0),
        (b"permessage-deflate", 0x40),
        (b"Permessage-Deflate ; client_max_window_bits=15", 0x40),
        (b"x-webkit-deflate-frame", 0x70),
    ],
)
def test_reserved_bits(extensions: bytes, bits: int) -> None:
    assert reserved_bits(extensions) == bits


LONG = [bytes(126), bytes(300), bytes(65536)]
PAYLOADS = st.one_of(st.binary(max_size=40), st.sampled_from(LONG))


@st.composite
def conversations(draw: st.DrawFn) -> list[Frame]:
    """Some messages, fragmented or not, with control frames anywhere."""
    frames = []
    for _ in range(draw(st.integers(0, 6))):
        opcode = draw(st.sampled_from([TEXT, BINARY]))
        fragments = draw(st.lists(PAYLOADS, min_size=1, max_size=3))
        for number, payload in enumerate(fragments):
            fin = 0x80 if number == len(fragments) - 1 else 0
            frames.append(Frame(fin | (CONTINUATION if number else opcode), payload))
            if draw(st.booleans()):
                opcode_too = draw(st.sampled_from([PING, PONG]))
                payload = draw(st.sampled_from([b"", b"x", OWN, bytes(125)]))
                frames.append(Frame(0x80 | opcode_too, payload))
    return frames


@given(
    conversations(),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 200), st.booleans()), max_size=30),
    st.booleans(),
)
def test_any_conversation_however_cut_with_pings_put_in(
    frames: list[Frame], client: bool, steps: list[tuple[int, bool]], finish: bool
) -> None:
    key = KEY if client else b""
    data = b"".join(frame(first, payload, key) for first, payload in frames)
    follower, ping = Follower(client, 0, OWN), control(PING, b"put in", key)
    passed, pings = b"", 0
    for size, insert in steps:
        passed += follower.receive_data(data[:size])
        data = data[size:]
        if insert:
            passed += follower.insert(ping)
            pings += 1
    if finish:
        passed += follower.finish(close(1001, "bye", key))
    passed += follower.receive_data(data)
    out = read(passed)
    ours = (Frame(0x89, b"put in"), Frame(0x88, b"\x03\xe9bye"))
    theirs = [each for each in out if each not in ours]
    kept = [each for each in frames if each != Frame(0x80 | PONG, OWN)]
    assert not follower.violation
    assert out.count(ours[0]) == pings
    if finish:
        assert out[-1] == ours[1]
        assert theirs == kept[: len(theirs)]
    else:
        assert theirs == kept


@given(st.binary(max_size=300), st.booleans(), st.lists(st.integers(1, 40), max_size=10))
def test_any_bytes_however_cut_mean_the_same(
    data: bytes, client: bool, sizes: list[int]
) -> None:
    whole, cut = Follower(client, 0x70, OWN), Follower(client, 0x70, OWN)
    assert whole.receive_data(data) == in_pieces(cut, data, sizes)
    for name in ("ended", "close", "violation", "mid_frame"):
        assert getattr(whole, name) == getattr(cut, name)
