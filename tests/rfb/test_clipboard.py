"""The extended clipboard, its bombs and its lies: `kasmd.rfb.clipboard`."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.rfb import limits
from kasmd.rfb.clipboard import Offer, caps, message, packed, parse, with_newlines
from kasmd.rfb.messages import (
    ClipboardCapsReceived,
    ClipboardNotified,
    ClipboardPeeked,
    ClipboardProvided,
    ClipboardRequested,
)
from kasmd.rfb.numbers import ClipboardAction, ClipboardFormat

CEILING = 1000
PROVIDE = 1 << 28


def provide(*items: bytes, formats: int = 1, tail: bytes = b"") -> bytes:
    data = b"".join(struct.pack(">I", len(item)) + item for item in items) + tail
    return struct.pack(">I", PROVIDE | formats) + zlib.compress(data)


def test_text_loses_its_nul_and_its_carriage_returns() -> None:
    wire = provide(b"a\r\nb\rc\n\xc3\xa9\0")
    content = {"text/plain": "a\nb\nc\n\u00e9".encode()}
    assert parse(wire, CEILING) == ClipboardProvided(content)


def test_a_stream_that_was_only_flushed_is_enough() -> None:
    deflate = zlib.compressobj()
    body = deflate.compress(b"\0\0\0\x03hi\0") + deflate.flush(zlib.Z_SYNC_FLUSH)
    event = parse(struct.pack(">I", PROVIDE | 1) + body, CEILING)
    assert event == ClipboardProvided({"text/plain": b"hi"})


def test_formats_that_we_do_not_know_are_passed_over() -> None:
    wire = provide(b"hi\0", b"{\\rtf}", b"<b>", formats=0b111)
    assert parse(wire, CEILING) == ClipboardProvided({"text/plain": b"hi"})
    assert parse(provide(b"x", formats=0x8000), CEILING) == ClipboardProvided({})


def test_what_is_not_utf_8_becomes_utf_8() -> None:
    assert parse(provide(b"\xff\0"), CEILING) == ClipboardProvided(
        {"text/plain": "\ufffd".encode()}
    )


def test_trailing_data_is_ignored() -> None:
    wire = provide(b"hi\0", tail=b"tail") + b"more"
    assert parse(wire, CEILING) == ClipboardProvided({"text/plain": b"hi"})


def test_a_bomb_is_not_inflated() -> None:
    bomb = zlib.compress(bytes(200_000_000), 1)
    assert parse(struct.pack(">I", PROVIDE | 1) + bomb, CEILING) is None


def test_the_ceiling_is_of_what_was_inflated() -> None:
    assert parse(provide(bytes(CEILING - 4)), CEILING) is not None
    assert parse(provide(bytes(CEILING - 3)), CEILING) is None


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"\0\0\0",
        struct.pack(">I", 0),
        struct.pack(">I", 1),
        struct.pack(">I", 1 << 29 | 1),
        struct.pack(">I", PROVIDE | 1 << 27 | 1),
        struct.pack(">I", 3 << 25),
        struct.pack(">I", PROVIDE | 1) + b"not zlib",
        struct.pack(">I", PROVIDE | 1),
        provide(b"hi", formats=0b11),
        provide(formats=1),
        struct.pack(">I", PROVIDE | 1) + zlib.compress(b"\0\0\0\x04abc"),
        struct.pack(">I", PROVIDE | 1) + zlib.compress(b"\xff\xff\xff\xffabc"),
        struct.pack(">I", 1 << 24 | 1),
        struct.pack(">II", 1 << 24 | 0xFFFF, 0),
    ],
)
def test_flags_that_lie_end_it(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(wire, CEILING)


@given(st.binary(max_size=60), st.integers(0, 0xFFFFFFFF))
def test_only_protocol_error_leaves(body: bytes, flags: int) -> None:
    for data in (body, zlib.compress(body)):
        try:
            parse(struct.pack(">I", flags) + data, CEILING)
        except ProtocolError:
            pass


def test_caps_tell_actions_and_sizes() -> None:
    wire = struct.pack(">III", 0x1F000005, 20, 30)
    assert parse(wire, CEILING) == ClipboardCapsReceived(
        ClipboardAction(0x1F000000), {ClipboardFormat.TEXT: 20, ClipboardFormat.HTML: 30}
    )


@pytest.mark.parametrize(
    "flags, event",
    [
        (0x08000003, ClipboardNotified(ClipboardFormat(3))),
        (0x08000000, ClipboardNotified(ClipboardFormat(0))),
        (0x02000001, ClipboardRequested(ClipboardFormat.TEXT)),
        (0x04000000, ClipboardPeeked()),
    ],
)
def test_the_short_messages(flags: int, event: object) -> None:
    assert parse(struct.pack(">I", flags), CEILING) == event


def test_our_caps() -> None:
    assert caps() == b"\x03\0\0\0\xff\xff\xff\xf8\x1f\0\0\x01\0\0\0\0"


@given(st.text().filter(lambda text: "\r" not in text and "\0" not in text))
def test_what_we_pack_can_be_read(text: str) -> None:
    bits, body = packed({"text/plain": text.encode("utf-8", "replace")}, 0xFFFF)
    event = parse(struct.pack(">I", PROVIDE | bits) + body, 1 << 20)
    assert event == ClipboardProvided({"text/plain": text.encode("utf-8", "replace")})


def test_long_text_is_packed_too() -> None:
    content = {"text/plain": b"long " * 100_000}
    bits, body = packed(content, 1)
    assert parse(struct.pack(">I", PROVIDE | bits) + body, 1 << 20) == ClipboardProvided(content)


def test_an_offer_answers() -> None:
    offer = Offer()
    assert offer.answer(ClipboardRequested(ClipboardFormat.TEXT)) is None
    assert offer.answer(ClipboardPeeked()) == message(0x08000000)
    assert offer.put({"text/plain": b"hi", "image/png": b""}) == message(0x08000001)
    assert offer.answer(ClipboardPeeked()) == message(0x08000001)
    provided = offer.answer(ClipboardRequested(ClipboardFormat.TEXT | ClipboardFormat.HTML))
    assert provided is not None
    assert parse(provided[8:], CEILING) == ClipboardProvided({"text/plain": b"hi"})
    assert offer.answer(ClipboardRequested(ClipboardFormat.HTML)) is None
    assert offer.put({}) == message(0x08000000)
    assert offer.answer(ClipboardRequested(ClipboardFormat.TEXT)) is None


def test_an_offer_asks_for_what_it_knows() -> None:
    assert Offer().answer(ClipboardNotified(ClipboardFormat(0b111))) == message(0x02000001)
    assert Offer().answer(ClipboardNotified(ClipboardFormat.RTF)) is None


def test_an_offer_is_not_provided_for_ever() -> None:
    offer = Offer()
    for _ in range(2):
        offer.put({"text/plain": b"hi"})
        answers = [offer.answer(ClipboardRequested(ClipboardFormat.TEXT)) for _ in range(10)]
        assert sum(answer is not None for answer in answers) == limits.PROVIDES


def test_lines_end_in_lf() -> None:
    assert with_newlines(b"a\r\n\r\nb\r\rc\n") == b"a\n\nb\n\nc\n"
