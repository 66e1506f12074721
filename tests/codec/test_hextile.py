"""Hextile; against vncdotool in test_choose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec import hextile
from kasmd.codec.base import complete
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat, from_format, to_format

RGB565 = PixelFormat(16, 16, True, True, 31, 63, 31, 11, 5, 0)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
FORMATS = [BGRX, RGBX, RGB565, BGR233, BGRX._replace(big_endian=True)]


def picture(height, width, colours, common, seed):
    """Noise where the first colour has so much of a share."""
    random = np.random.default_rng(seed)
    table = random.integers(0, 256, (colours, 4), np.uint8)
    table[:, 3] = 0
    chosen = random.integers(0, colours, (height, width))
    chosen[random.random((height, width)) < common] = 0
    return table[chosen]


pictures = st.builds(
    picture, st.integers(1, 50), st.integers(1, 50), st.sampled_from([1, 2, 3, 50, 999]),
    st.sampled_from([0, 0.5, 0.95]), st.integers(0, 99),
)
formats = st.sampled_from(FORMATS)


@given(pictures, formats)
def test_round_trip(pixels, fmt):
    height, width = pixels.shape[:2]
    data = hextile.encode(pixels, fmt)
    decoded, end = complete(hextile.decode(width, height, fmt), data + b"next")
    assert end == len(data)
    assert (decoded == from_format(to_format(pixels, fmt), fmt, height, width)).all()


@given(pictures)
def test_never_much_longer_than_raw(pixels):
    height, width = pixels.shape[:2]
    tiles = -(-width // 16) * -(-height // 16)
    assert len(hextile.encode(pixels, BGRX)) <= pixels.nbytes + 5 * tiles


def test_a_background_is_said_once():
    assert len(hextile.encode(np.full((64, 64, 4), 9, np.uint8), BGRX)) == 16 + 4


def test_a_background_is_said_again_after_a_raw_tile():
    pixels = np.zeros((16, 48, 4), np.uint8)
    pixels[:, 16:32] = np.random.default_rng(1).integers(0, 256, (16, 16, 4), np.uint8)
    data = hextile.encode(pixels, BGRX)
    assert data[:6].hex() == "02" + "00000000" + "01"
    assert data[6 + 1024:].hex() == "02" + "00000000"


def test_one_line_on_one_colour():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[3, 2:9] = 5
    assert hextile.encode(pixels, BGRX).hex() == "0e" + "00000000" + "05050505" + "01" + "2360"


@pytest.mark.parametrize("data", ["", "01", "02", "0a0000000005", "08"])
def test_short_data_are_refused(data):
    with pytest.raises(ProtocolError):
        complete(hextile.decode(5, 5, BGRX), bytes.fromhex(data))


def test_subrects_may_be_tall():
    data = bytes.fromhex("0e" "00000000" "05000000" "01" "11" "12")
    pixels, _ = complete(hextile.decode(5, 5, BGRX), data)
    expected = np.zeros((5, 5), int)
    expected[1:4, 1:3] = 5
    assert (pixels[..., 0] == expected).all()


@given(st.binary(max_size=300), formats, st.integers(1, 40), st.integers(1, 40))
def test_only_protocol_errors_leave_the_decoder(data, fmt, width, height):
    try:
        pixels, _ = complete(hextile.decode(width, height, fmt), data)
    except ProtocolError:
        return
    assert pixels.shape == (height, width, 4)
