"""Zlib against the library itself, and vncdotool's Raw in test_choose."""

import zlib as library

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import zlib
from kasmd.codec.base import complete
from kasmd.codec.deflate import Inflater, ZlibStream
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat, from_format, to_format

RGB565 = PixelFormat(16, 16, True, True, 31, 63, 31, 11, 5, 0)
formats = st.sampled_from([BGRX, RGBX, RGB565])


def noise(height, width, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 0
    return pixels


pictures = st.builds(noise, st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))


@given(st.lists(pictures, min_size=1, max_size=3), formats, st.integers(0, 9))
def test_round_trip_in_one_stream(pictures, fmt, level):
    stream, inflater, theirs = ZlibStream(level), Inflater(), library.decompressobj()
    for pixels in pictures:
        height, width = pixels.shape[:2]
        data = zlib.encode(pixels, fmt, stream)
        assert theirs.decompress(data[4:]) == to_format(pixels, fmt)
        decoded, end = complete(zlib.decode(width, height, fmt, inflater), data + b"next")
        assert end == len(data) == 4 + int.from_bytes(data[:4], "big")
        assert (decoded == from_format(to_format(pixels, fmt), fmt, height, width)).all()


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"\xff" * 4, "bytes of zlib"),
        (b"\0\0\0\4abcd", "zlib data"),
        (zlib.encode(noise(2, 3, 1), BGRX, ZlibStream()), "more than"),
        (zlib.encode(noise(1, 1, 1), BGRX, ZlibStream()), "instead of"),
    ],
)
def test_refusals(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        complete(zlib.decode(2, 2, BGRX, Inflater()), data)


def test_a_size_beyond_reason_is_refused():
    with pytest.raises(ProtocolError, match="too large"):
        complete(zlib.decode(0xFFFF, 0xFFFF, BGRX, Inflater()), bytes(4))


@given(st.binary(max_size=100), st.booleans(), formats)
def test_only_protocol_errors_leave_the_decoder(data, compressed, fmt):
    body = library.compress(data) if compressed else data
    payload = len(body).to_bytes(4, "big") + body
    try:
        pixels, _ = complete(zlib.decode(5, 4, fmt, Inflater()), payload)
    except ProtocolError:
        return
    assert pixels.shape == (4, 5, 4)
