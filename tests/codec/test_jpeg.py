"""JPEG against Pillow."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

from kasmd.codec import jpeg
from kasmd.errors import ProtocolError


def smooth(height, width):
    y, x = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 4), np.uint8)
    picture[..., 0] = x * 255 // width
    picture[..., 1] = y * 255 // height
    picture[..., 2] = (x + y) * 255 // (height + width)
    return picture


@pytest.mark.parametrize("subsampling, factors", [("444", 0), ("422", 1), ("420", 2)])
def test_pillow_sees_the_picture(subsampling, factors):
    picture = smooth(70, 90)
    image = Image.open(BytesIO(jpeg.encode(picture, 92, subsampling)))
    assert image.size == (90, 70) and get_sampling(image) == factors
    error = np.abs(np.asarray(image).astype(int) - picture[..., 2::-1])
    assert error.mean() < 2 and error.max() < 30


def test_gray():
    assert Image.open(BytesIO(jpeg.encode(smooth(16, 16), 80, "gray"))).mode == "L"


def test_a_lower_quality_is_smaller():
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 4), np.uint8)
    assert len(jpeg.encode(noise, 15, "420")) < len(jpeg.encode(noise, 79, "420"))


def test_a_part_of_a_picture():
    picture = smooth(70, 90)
    assert jpeg.encode(picture[5:50, 7:60], 80, "444") == jpeg.encode(
        picture[5:50, 7:60].copy(), 80, "444"
    )


def test_we_see_what_pillow_wrote():
    picture = smooth(40, 50)
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[..., 2::-1])).save(out, "JPEG", quality=95)
    decoded = jpeg.decode(out.getvalue(), 50, 40)
    assert np.abs(decoded.astype(int) - picture).max() < 30
    assert not decoded[..., 3].any()


def test_pictures_that_are_drawn_over_and_over_are_refused():
    out = BytesIO()
    Image.new("RGB", (64, 48)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    assert jpeg.decode(data, 64, 48).shape == (48, 64, 4)
    scan = data[data.rindex(b"\xff\xda"):-2]
    with pytest.raises(ProtocolError, match="more than 32 scans"):
        jpeg.decode(data[:-2] + 99 * scan + data[-2:], 64, 48)


def test_another_size_is_refused():
    with pytest.raises(ProtocolError, match="50 x 40 for 40 x 50"):
        jpeg.decode(jpeg.encode(smooth(40, 50), 50, "444"), 40, 50)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_only_protocol_errors_leave_the_reader(noise, where):
    good = jpeg.encode(smooth(16, 16), 50, "420")
    for data in (noise, good[:where] + noise, good[:where] + noise + good[where:]):
        try:
            assert jpeg.decode(data, 16, 16).shape == (16, 16, 4)
        except ProtocolError:
            pass
