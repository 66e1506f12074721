"""Pixel formats, and pixels in them, against plain arithmetic on single pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.screen import pixels as px
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat

RGB565 = PixelFormat(16, 16, False, True, 31, 63, 31, 11, 5, 0)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)


@st.composite
def formats(draw):
    """Any format that can be drawn in."""
    bits = draw(st.sampled_from([8, 16, 32]))
    widths = [draw(st.integers(1, min(16, bits // 3 + 2))) for _ in range(3)]
    if sum(widths) > bits:
        widths = [bits // 3] * 3
    shifts, shift = {}, 0
    for channel in draw(st.permutations(range(3))):
        shift += draw(st.integers(0, bits - sum(widths[c] for c in range(3) if c not in shifts)
                                  - shift))
        shifts[channel] = shift
        shift += widths[channel]
    maxima = [(1 << width) - 1 for width in widths]
    depth = draw(st.integers(1, bits))
    return PixelFormat(bits, depth, draw(st.booleans()), True, *maxima, *(shifts[c] for c in
                                                                          range(3)))


byte_aligned = st.builds(
    lambda shifts, big, pad: PixelFormat(
        32, 24, big, True, 255, 255, 255, *(shift + pad for shift in shifts)
    ),
    st.permutations([0, 8, 16]), st.booleans(), st.sampled_from([0, 8]),
)
pictures = st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32)).map(
    lambda p: np.random.default_rng(p[2]).integers(0, 256, (p[0], p[1], 4), np.uint8)
)


def packed_by_hand(pixel, fmt):
    """One pixel in a format, from its definition."""
    number = 0
    for (maximum, shift), value in zip(fmt.channels, (pixel[2], pixel[1], pixel[0])):
        bits = maximum.bit_length()
        repeated = int(value) * 0x0101
        number |= (repeated >> (16 - bits)) << shift
    return number.to_bytes(fmt.bytes_per_pixel, "big" if fmt.big_endian else "little")


def known_bits(data, fmt):
    """The bytes without what is in no channel, which means nothing."""
    used = sum(maximum << shift for maximum, shift in fmt.channels)
    return (np.frombuffer(data, fmt.dtype) & used).tolist()


@given(pictures, formats() | byte_aligned)
def test_to_format_follows_the_definition(picture, fmt):
    expected = b"".join(packed_by_hand(pixel, fmt) for pixel in picture.reshape(-1, 4))
    assert known_bits(px.to_format(picture, fmt), fmt) == known_bits(expected, fmt)


@given(pictures, formats() | byte_aligned)
def test_reading_back_loses_nothing_more(picture, fmt):
    height, width = picture.shape[:2]
    data = px.to_format(picture, fmt)
    read = px.from_format(data, fmt, height, width)
    assert known_bits(px.to_format(read, fmt), fmt) == known_bits(data, fmt)
    assert not read[..., 3].any()


@pytest.mark.parametrize("fmt", [BGRX, RGBX, BGRX._replace(big_endian=True)])
def test_eight_bits_a_colour_are_exact(fmt):
    picture = np.arange(256 * 4, dtype=np.uint8).reshape(16, 16, 4)
    read = px.from_format(px.to_format(picture, fmt), fmt, 16, 16)
    assert (read[..., :3] == picture[..., :3]).all()


def test_extremes_stay_extremes():
    picture = np.array([[[0, 0, 0, 9], [255, 255, 255, 9]]], np.uint8)
    for fmt in (RGB565, BGR233):
        read = px.from_format(px.to_format(picture, fmt), fmt, 1, 2)
        assert read[..., :3].tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_a_part_of_a_picture():
    picture = np.random.default_rng(1).integers(0, 256, (8, 8, 4), np.uint8)
    part = picture[2:5, 1:7]
    assert px.to_format(part, RGBX) == px.to_format(part.copy(), RGBX)
    assert px.to_tpixels(part, BGRX) == part[..., 2::-1].tobytes()
    sideways = picture.transpose(1, 0, 2)[:, ::2]
    assert px.to_format(sideways, BGRX) == sideways.tobytes()


@given(pictures)
def test_tpixels_are_red_green_blue_whatever_the_shifts(picture):
    expected = picture[..., 2::-1].tobytes()
    for fmt in (BGRX, RGBX, BGRX._replace(big_endian=True)):
        assert px.to_tpixels(picture, fmt) == expected
        assert px.tpixel_size(fmt) == 3


@pytest.mark.parametrize("fmt", [RGB565, BGR233, BGRX._replace(depth=32)])
def test_other_tpixels_are_whole_pixels(fmt):
    picture = np.random.default_rng(1).integers(0, 256, (2, 3, 4), np.uint8)
    assert px.to_tpixels(picture, fmt) == px.to_format(picture, fmt)
    assert px.tpixel_size(fmt) == fmt.bytes_per_pixel


@pytest.mark.parametrize(
    "fmt, used",
    [
        (BGRX, slice(0, 3)),
        (BGRX._replace(big_endian=True), slice(1, 4)),
        (BGRX._replace(red_shift=24, green_shift=16, blue_shift=8), slice(1, 4)),
        (
            BGRX._replace(big_endian=True, red_shift=24, green_shift=16, blue_shift=8),
            slice(0, 3),
        ),
        (BGRX._replace(depth=32), slice(0, 4)),
        (PixelFormat(32, 24, False, True, 255, 255, 255, 24, 8, 0), slice(0, 4)),
        (RGB565, slice(0, 2)),
        (BGR233, slice(0, 1)),
    ],
)
def test_cpixels_are_the_bytes_that_matter(fmt, used):
    picture = np.random.default_rng(1).integers(0, 256, (2, 3, 4), np.uint8)
    whole = np.frombuffer(px.to_format(picture, fmt), np.uint8)
    expected = whole.reshape(6, fmt.bytes_per_pixel)[:, used].tobytes()
    assert px.to_cpixels(picture, fmt) == expected
    assert px.cpixel_size(fmt) * 6 == len(expected)


@given(pictures, formats() | byte_aligned)
def test_small_pixels_read_back(picture, fmt):
    height, width = picture.shape[:2]
    expected = px.from_format(px.to_format(picture, fmt), fmt, height, width)
    for write, read in ((px.to_tpixels, px.from_tpixels), (px.to_cpixels, px.from_cpixels)):
        assert (read(write(picture, fmt), fmt, height, width) == expected).all()


@given(formats())
def test_formats_travel(fmt):
    assert len(fmt.pack()) == 16
    assert PixelFormat.unpack(fmt.pack()) == fmt


def test_layout_of_rfc_6143():
    assert RGB565.pack().hex() == "10100001001f003f001f0b0500000000"


@pytest.mark.parametrize(
    "wrong",
    [
        {"bits_per_pixel": 24},
        {"bits_per_pixel": 0},
        {"depth": 0},
        {"depth": 33},
        {"true_colour": False},
        {"red_max": 0},
        {"green_max": 254},
        {"blue_shift": 25},
        {"green_shift": 12},
    ],
)
def test_impossible_formats_are_refused(wrong):
    with pytest.raises(ProtocolError):
        PixelFormat.unpack(BGRX._replace(**wrong).pack())


@given(st.binary(min_size=16, max_size=16))
def test_only_protocol_errors_leave_the_parser(data):
    try:
        fmt = PixelFormat.unpack(data)
    except ProtocolError:
        return
    assert px.from_format(px.to_format(np.zeros((1, 1, 4), np.uint8), fmt), fmt, 1, 1).any() == 0
