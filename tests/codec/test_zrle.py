"""ZRLE; against vncdotool in test_choose."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import zrle
from kasmd.codec.base import complete
from kasmd.codec.deflate import Inflater, ZlibStream
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat, from_format, to_format

RGB565 = PixelFormat(16, 16, True, True, 31, 63, 31, 11, 5, 0)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
FORMATS = [BGRX, RGBX, RGB565, BGR233, BGRX._replace(depth=32, big_endian=True)]


def picture(height, width, colours, run, seed):
    """Noise of so many colours, in runs of so many pixels."""
    random = np.random.default_rng(seed)
    table = random.integers(0, 256, (colours, 4), np.uint8)
    table[:, 3] = 0
    runs = np.repeat(random.integers(0, colours, height * width // run + 1), run)
    return table[runs[:height * width]].reshape(height, width, 4)


pictures = st.builds(
    picture, st.integers(1, 70), st.integers(1, 140),
    st.sampled_from([1, 2, 3, 4, 5, 16, 17, 127, 128, 500]),
    st.sampled_from([1, 3, 300]), st.integers(0, 99),
)
formats = st.sampled_from(FORMATS)


@given(st.lists(pictures, min_size=1, max_size=3), formats, st.integers(0, 9))
def test_round_trip_in_one_stream(pictures, fmt, level):
    stream, inflater = ZlibStream(level), Inflater()
    for pixels in pictures:
        height, width = pixels.shape[:2]
        data = zrle.encode(pixels, fmt, stream)
        decoded, end = complete(zrle.decode(width, height, fmt, inflater), data + b"next")
        assert end == len(data)
        assert (decoded == from_format(to_format(pixels, fmt), fmt, height, width)).all()


def tiles(pixels, fmt=BGRX):
    data = zrle.encode(pixels, fmt, ZlibStream(2))
    assert int.from_bytes(data[:4], "big") == len(data) - 4
    return zlib.decompressobj().decompress(data[4:])


def row(*colours):
    return np.array([[[colour, 0, 0, 0] for colour in colours]], np.uint8)


@pytest.mark.parametrize(
    "pixels, wire",
    [
        (row(7, 7, 7), "01 070000"),
        (row(7, 7, 9, 7, 7, 7, 7, 9), "02 070000 090000 21"),
        (row(5, 5, 5, 5, 5, 6, 6, 7), "03 050000 060000 070000 0016"),
        (row(7, 7, 9), "82 070000 090000 8001 01"),
    ],
)
def test_the_wire(pixels, wire):
    assert tiles(pixels) == bytes.fromhex(wire)


def test_long_runs_of_many_colours():
    pixels = np.repeat(row(*range(17)), 128, axis=1).reshape(34, 64, 4)
    wire = tiles(pixels)
    assert wire[0] == 128 + 17
    assert len(wire) == 1 + 17 * 3 + 17 * 2
    assert wire[-2:] == bytes([wire[-2], 127]) and wire[-2] & 128


def packed(data, level=1):
    data = zlib.compress(data, level)
    return len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize(
    "tile, expected",
    [
        ("80 010000 00 020000 02", [1, 2, 2, 2]),
        ("02 010000 020000 70", [1, 2, 2, 2]),
        ("03 010000 020000 030000 18", [1, 2, 3, 1]),
        ("82 010000 020000 00 81 02", [1, 2, 2, 2]),
        ("82 010000 020000 80 01 01 01", [1, 1, 2, 2]),
    ],
)
def test_runs_of_other_servers(tile, expected):
    payload = packed(bytes.fromhex(tile))
    pixels, _ = complete(zrle.decode(4, 1, BGRX, Inflater()), payload)
    assert pixels[0, :, 0].tolist() == expected


@pytest.mark.parametrize(
    "tile, reason",
    [
        ("11", "subencoding 17"),
        ("81", "subencoding 129"),
        ("80 010000 04", "leaves its tile"),
        ("82 010000 020000 80 04", "leaves its tile"),
        ("82 010000 020000 02 02 02 02", "has no 2"),
        ("03 010000 020000 030000 ff", "has no 3"),
        ("00 010000", "cut short"),
        ("80 010000 ff", "cut short"),
        ("", "cut short"),
        ("00" + "000000" * 400, "hold more than"),
    ],
)
def test_refusals(tile, reason):
    payload = packed(bytes.fromhex(tile), 0)
    with pytest.raises(ProtocolError, match=reason):
        complete(zrle.decode(4, 1, BGRX, Inflater()), payload)


def test_a_length_beyond_reason_is_refused_before_it_is_read():
    with pytest.raises(ProtocolError, match="bytes of ZRLE"):
        complete(zrle.decode(4, 1, BGRX, Inflater()), b"\xff\xff\xff\xff")


@given(st.binary(max_size=120), st.booleans(), formats, st.integers(1, 70), st.integers(1, 70))
def test_only_protocol_errors_leave_the_decoder(data, compressed, fmt, width, height):
    payload = packed(data) if compressed else data
    try:
        pixels, _ = complete(zrle.decode(width, height, fmt, Inflater()), payload)
    except ProtocolError:
        return
    assert pixels.shape == (height, width, 4)
