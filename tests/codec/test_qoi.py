"""QOI against Pillow's reader."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kasmd.codec import qoi
from kasmd.errors import ProtocolError

END = bytes(7) + b"\1"


def picture(height, width, step, run, seed):
    """Neighbours differ by at most ``step``, after runs of about ``run`` pixels."""
    random = np.random.default_rng(seed)
    changes = random.integers(-step, step + 1, (height * width, 4))
    changes[random.integers(0, run, height * width) > 0] = 0
    pixels = np.cumsum(changes, axis=0).astype(np.uint8).reshape(height, width, 4)
    pixels[..., 3] = 0
    return pixels


pictures = st.builds(
    picture, st.integers(1, 40), st.integers(1, 40), st.sampled_from([0, 1, 2, 8, 30, 127]),
    st.sampled_from([1, 3, 62, 200]), st.integers(0, 999),
)


def seen_by_pillow(data):
    image = Image.open(BytesIO(data), formats=["QOI"])
    return np.asarray(image.convert("RGB"))


@given(pictures)
def test_both_readers_see_the_picture(pixels):
    height, width = pixels.shape[:2]
    data = qoi.encode(pixels)
    assert (seen_by_pillow(data) == pixels[..., 2::-1]).all()
    assert (qoi.decode(data, width, height) == pixels).all()


@pytest.mark.parametrize("step, run", [(1, 1), (9, 1), (1, 500)])
def test_a_picture_of_several_bands(step, run):
    pixels = picture(330, 200, step, run, 7)
    assert (qoi.decode(qoi.encode(pixels), 200, 330) == pixels).all()


def test_the_byte_without_meaning_means_nothing():
    pixels = picture(20, 20, 9, 2, 1)
    other = pixels.copy()
    other[..., 3] = np.arange(20)
    assert qoi.encode(other[::-1]) == qoi.encode(pixels[::-1].copy())


def wire(*pixels):
    """The operations for a row of (red, green, blue)."""
    row = np.array([[[blue, green, red, 0] for red, green, blue in pixels]], np.uint8)
    data = qoi.encode(row)
    assert data[:14] == b"qoif" + len(pixels).to_bytes(4, "big") + b"\0\0\0\1\3\1"
    assert data[-8:] == END
    return data[14:-8].hex()


@pytest.mark.parametrize(
    "pixels, expected",
    [
        ([(0, 0, 0)] * 3, "c2"),
        ([(0, 0, 0)] * 62, "fd"),
        ([(0, 0, 0)] * 63, "fdc0"),
        ([(1, 255, 254)], "74"),
        ([(31 + 7, 31, 31 - 8)], "bff0"),
        ([(2, 0, 0)], "a0a8"),
        ([(200, 100, 50)], "fec86432"),
        ([(200, 100, 50)] * 2 + [(199, 101, 50)], "fec86432c05e"),
    ],
)
def test_the_wire(pixels, expected):
    assert wire(*pixels) == expected


def test_operations_that_we_do_not_write():
    row = bytes.fromhex("fe0a141e" "ff01020304" "c0" "09")
    head = b"qoif" + (5).to_bytes(4, "big") + b"\0\0\0\1\4\0"
    ours = qoi.decode(head + row[:9] + bytes.fromhex("c000" "3f") + END, 5, 1)
    theirs = seen_by_pillow(head + row[:9] + bytes.fromhex("c000" "3f") + END)
    assert (ours[..., 2::-1] == theirs).all()


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "no QOI"),
        (b"qoif" + bytes(30), "for 2 x 1"),
        (b"qoif\0\0\0\2\0\0\0\1\5\0" + END, "for 2 x 1"),
        (b"qoif\0\0\0\2\0\0\0\1\3\0" + b"\xc4" + END, "leaves the picture"),
        (b"qoif\0\0\0\2\0\0\0\1\3\0" + b"\xc0" * 1 + b"\xff", "no QOI"),
    ],
)
def test_refusals(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        qoi.decode(data, 2, 1)


def test_cut_short():
    data = qoi.encode(picture(9, 9, 127, 1, 1))
    with pytest.raises(ProtocolError, match="cut short"):
        qoi.decode(data[:100], 9, 9)


def test_a_size_beyond_reason_is_refused():
    with pytest.raises(ProtocolError, match="too large"):
        qoi.decode(b"qoif" + b"\xff" * 30, 0xFFFF, 0xFFFF)


@given(st.binary(max_size=100), st.integers(1, 9), st.integers(1, 9))
def test_only_protocol_errors_leave_the_reader(noise, width, height):
    head = b"qoif" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\3\0"
    for data in (noise, head + noise, head + noise + END):
        try:
            assert qoi.decode(data, width, height).shape == (height, width, 4)
        except ProtocolError:
            pass
