"""Segmentation, holding, dying: `kasmd.rfb.wire`."""

from typing import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.rfb.limits import SKIP_STEP
from kasmd.rfb.wire import HOLD, Reader, Script, bounded, skip, text


def words() -> Script[bytes]:
    while True:
        word = yield (yield 1)[0]
        if word == b"bad":
            raise ProtocolError("bad word")
        yield word


def read(reader: Reader[bytes], *segments: bytes) -> Iterator[bytes]:
    for segment in segments:
        reader.feed(segment)
        yield from reader.events()


@given(st.lists(st.binary(max_size=40), max_size=6), st.data())
def test_any_segmentation_gives_the_same_events(said: list[bytes], data: st.DataObject) -> None:
    wire = b"".join(bytes([len(word)]) + word for word in said)
    places = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=5)))
    segments = [wire[a:b] for a, b in zip([0, *places], [*places, len(wire)])]
    expected = said[: said.index(b"bad")] if b"bad" in said else said
    got = []
    try:
        for word in read(Reader(words()), *segments):
            got.append(word)
    except ProtocolError:
        assert b"bad" in said
    assert got == expected


def test_events_may_be_abandoned_and_begun_again() -> None:
    reader = Reader(words())
    reader.feed(b"\x01a\x01b\x01c")
    assert next(reader.events()) == b"a"
    assert next(reader.events()) == b"b"
    assert list(reader.events()) == [b"c"]


def test_after_an_error_nothing_is_read_or_kept() -> None:
    reader = Reader(words())
    got = []
    with pytest.raises(ProtocolError, match="bad word"):
        for word in read(reader, b"\x02ok\x03bad\x04more"):
            got.append(word)
    assert got == [b"ok"]
    reader.feed(b"\x01x")
    assert list(reader.events()) == []
    assert reader.waiting == 0


def test_one_that_is_closed_reads_nothing() -> None:
    reader = Reader(words())
    reader.feed(b"\x01a\x01b")
    events = reader.events()
    assert next(events) == b"a"
    reader.close()
    reader.feed(b"\x01c")
    assert list(events) == list(reader.events()) == []
    assert reader.waiting == 0


def test_a_script_that_holds_is_asked_again_at_each_turn() -> None:
    answers: list[bool] = []

    def script() -> Script[bytes]:
        while not answers:
            yield HOLD
        yield (yield 2)
        yield 1

    reader = Reader(script())
    assert list(read(reader, b"ab")) == []
    assert reader.waiting == 2
    answers.append(True)
    assert list(reader.events()) == [b"ab"]


def test_what_waits_while_held_has_a_ceiling() -> None:
    def script() -> Script[bytes]:
        while True:
            yield HOLD

    reader = Reader(script(), waiting_ceiling=10)
    assert list(read(reader, bytes(10))) == []
    with pytest.raises(ProtocolError, match="11 bytes came before their turn"):
        list(read(reader, b"x"))


def test_what_is_skipped_is_never_held_whole() -> None:
    def script() -> Script[bytes]:
        yield from skip(10 * SKIP_STEP)
        yield b"end"
        yield 1

    reader = Reader(script())
    for _ in range(10):
        assert list(read(reader, bytes(SKIP_STEP - 1))) == []
        assert reader.waiting < SKIP_STEP
    assert list(read(reader, bytes(10))) == [b"end"]


@pytest.mark.parametrize("length, expected", [(3, b"abc"), (0, b""), (4, None)])
def test_bounded_gives_none_above_its_ceiling(length: int, expected: object) -> None:
    def script() -> Script[object]:
        yield (repr((yield from bounded(length, 3))),)
        yield 99

    reader = Reader(script())
    reader.feed(b"abcd")
    assert list(reader.events()) == [(repr(expected),)]
    assert reader.waiting == 4 - length


def test_text_is_counted_in_bytes() -> None:
    assert text("h\u00e9") == b"\0\0\0\x03h\xc3\xa9"
    assert text("\ud800") == b"\0\0\0\x01?"
