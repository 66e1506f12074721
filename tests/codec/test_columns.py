"""Columns: what is written and what is read again, byte by byte, and what is refused."""

import zlib
from struct import pack

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import columns
from kasmd.codec.base import complete
from kasmd.codec.palette import palette_of
from kasmd.codec.tight import encode_copy, encode_palette
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import BGRX, as_values
from tests.written import BRIGHT, GREYS, PITCH, written

#: Red, and white, which is as red, and more green and blue.
PAIR, RED = b"\xff\0\0\xff\0\xff", b"\xff\0\0"


def read(payload, width, height):
    pixels, end = complete(columns.decode(width, height), payload)
    assert end == len(payload)
    return pixels


def wire(colours, rows, bands, count, data):
    """A payload with this head and these bytes, compressed."""
    body = pack(">HBHH", colours, rows, bands, count) + zlib.compress(data)
    return pack(">I", len(body)) + body


@pytest.mark.parametrize("smooth, inks", [(False, GREYS), (True, GREYS), (True, BRIGHT)])
@pytest.mark.parametrize(
    "height, width, share", [(64, 900, 0.7), (250, 400, 0.5), (341, 1920, 0.4)]
)
def test_a_text_comes_back_in_fewer_bytes(smooth, inks, height, width, share):
    text = written(height, width, smooth, inks)
    payload = columns.encode(as_values(text))
    assert (read(payload, width, height) == text).all()
    palette = palette_of(text)
    tight = encode_copy(text, BGRX, 2) if palette is None else encode_palette(palette, BGRX, 2)
    assert len(payload) < len(tight) * share


@pytest.mark.parametrize("smooth", [False, True])
def test_one_line_pays(smooth):
    line = written(PITCH, 900, smooth)
    payload = columns.encode(as_values(line))
    assert (read(payload, 900, PITCH) == line).all()
    assert len(payload) < len(encode_palette(palette_of(line), BGRX, 2)) * 0.9


def test_numbers_of_a_palette():
    text = written(160, 300, inks=BRIGHT[:1])
    palette = palette_of(text)
    assert palette is not None
    payload = columns.encode(palette.indices, as_values(palette.colours)[0])
    assert (read(payload, 300, 160) == text).all()


def test_the_byte_without_meaning_means_nothing():
    text = written(160, 300)
    marked = text.copy()
    marked[::2, :, 3] = 9
    assert (read(columns.encode(as_values(marked)), 300, 160) == text).all()


def pictures(height, width, colours, every, seed):
    """Few columns, many times."""
    random = np.random.default_rng(seed)
    table = random.integers(0, 1 << 24, colours, np.uint32)
    some = table[random.integers(0, colours, (height, every))]
    return np.take(some, random.integers(0, every, width), axis=1)


@given(st.builds(
    pictures, st.integers(1, 90), st.integers(1, 700), st.sampled_from([1, 2, 3, 200, 5000]),
    st.sampled_from([1, 5, 60]), st.integers(0, 99),
))
def test_round_trip(values):
    height, width = values.shape
    payload = columns.encode(values)
    if payload is not None:
        assert (as_values(read(payload, width, height)) == values).all()


def test_what_does_not_repeat_is_left_to_others():
    noise = np.random.default_rng(1).integers(0, 1 << 24, (16, 900), np.uint32)
    assert columns.encode(noise) is None
    text = as_values(written(320, 900))
    assert columns.encode(text) is not None
    assert columns.encode(text, times=1000) is None


def test_columns_whose_hash_is_the_same(monkeypatch):
    monkeypatch.setattr(columns, "_FACTORS", np.zeros_like(columns._FACTORS))
    assert columns.encode(as_values(written(320, 900))) is None


def test_columns_of_one_slot(monkeypatch):
    monkeypatch.setattr(columns, "_SLOT_BITS", 3)
    text = written(320, 900, inks=BRIGHT)
    assert (read(columns.encode(as_values(text)), 900, 320) == text).all()


def test_bits_on_the_wire():
    # Two bands, of two rows and of one; the columns are red over white, and white.
    data = b"\2\1" + PAIR + b"\x40\xc0" + b"\0\1\0" + b"\1\1\1"
    pixels = read(wire(2, 2, 2, 2, data), 3, 3)
    red, white = [0, 0, 255, 0], [255, 255, 255, 0]
    assert pixels.tolist() == [[red, white, red], [white, white, white], [white, white, white]]


def test_planes_on_the_wire():
    # One column of two pixels: (red, green, blue) is (7, 5, 4), then (0, 255, 1).
    data = b"\2" + b"\5\xff" + b"\2\1" + b"\xff\2" + b"\0\0\0"
    pixels = read(wire(0, 2, 1, 1, data), 3, 2)
    assert pixels.tolist() == [[[4, 5, 7, 0]] * 3, [[1, 255, 0, 0]] * 3]


def test_a_palette_on_the_wire():
    # Three colours, in the columns' two rows 0 and 1, 2 and 1.
    data = b"\2" + b"\x10\0\xff" + b"\x20\1\0" + b"\x30\0\0" + b"\0\1\2\1" + b"\0\1\0"
    pixels = read(wire(3, 2, 1, 2, data), 3, 2)
    first, second, third = [0x30, 0x20, 0x10, 0], [0x30, 0x21, 0x10, 0], [0x30, 0x21, 0x0F, 0]
    assert pixels.tolist() == [[first, third, first], [second] * 3]


def test_the_shorter_of_a_palette_and_planes():
    shades = np.arange(40, dtype=np.uint32) * 0x010203 + 0x0F0302
    few = np.random.default_rng(5).choice(shades, (4, 100))[:, np.arange(1200) % 100]
    greys = np.random.default_rng(5).integers(0, 256, (40, 40), np.uint32) * 0x010101
    many = np.vstack([greys + each for each in range(3)])[:4].repeat(4, axis=1)
    for values, colours in ((few, 40), (many, 0)):
        payload = columns.encode(values)
        assert payload[4:6] == pack(">H", colours)
        assert (as_values(read(payload, values.shape[1], 4)) == values).all()


def test_many_columns_have_numbers_of_two_bytes():
    values = np.repeat(np.arange(300, dtype=np.uint32) * 3, 4)[None].repeat(4, axis=0)
    payload = columns.encode(values)
    assert payload[9:11] == pack(">H", 300)
    assert zlib.decompressobj().decompress(payload[11:])[-2:] == pack(">H", 299)
    assert (as_values(read(payload, 1200, 4)) == values).all()


@pytest.mark.parametrize("payload, reason", [
    (pack(">I", 6), "columns in 6 bytes"),
    (wire(2, 0, 1, 1, b""), "1 columns of 0 rows in 1 bands"),
    (wire(2, 65, 1, 1, b""), "1 columns of 65 rows in 1 bands"),
    (wire(2, 2, 0, 1, b""), "1 columns of 2 rows in 0 bands"),
    (wire(2, 2, 3, 1, b""), "1 columns of 2 rows in 3 bands"),
    (wire(2, 2, 1, 0, b""), "0 columns of 2 rows in 1 bands"),
    (wire(2, 2, 1, 4, b""), "4 columns of 2 rows in 1 bands"),
    (wire(2, 2, 1, 1, b"\2"), "zlib data hold 1 bytes instead of 11"),
    (wire(2, 2, 1, 1, bytes(12)), "zlib data hold more than 11 bytes"),
    (wire(2, 2, 1, 1, b"\1" + PAIR + bytes(4)), "bands of 1 rows in 2, of at most 2"),
    (wire(2, 2, 2, 1, b"\2\0" + PAIR + bytes(7)), "bands of 2 rows in 2, of at most 2"),
    (wire(2, 1, 1, 1, b"\2" + PAIR + bytes(4)), "bands of 2 rows in 2, of at most 1"),
    (wire(2, 2, 1, 1, b"\2" + PAIR + b"\0\0\1\0"), "of 1 columns number 1"),
    (wire(1, 2, 1, 1, b"\2" + RED + b"\x40" + bytes(3)), "of 1 colours number 1"),
    (wire(3, 2, 1, 2, b"\2" + bytes(9) + b"\0\1\3\0" + bytes(3)), "of 3 colours number 3"),
    (pack(">IHBHH", 9999, 2, 2, 1, 1), "columns in 9999 bytes, where 11 are enough"),
])
def test_what_is_refused(payload, reason):
    with pytest.raises(ProtocolError, match=reason):
        read(payload, 3, 2)
