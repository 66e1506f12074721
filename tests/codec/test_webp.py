"""WebP against Pillow."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kasmd.codec import webp
from kasmd.errors import ProtocolError


def smooth(height, width):
    y, x = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 4), np.uint8)
    picture[..., 0] = x * 255 // width
    picture[..., 1] = y * 255 // height
    picture[..., 2] = (x + y) * 255 // (height + width)
    return picture


def saved(picture, **options):
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(picture[..., 2::-1])).save(out, "WEBP", **options)
    return out.getvalue()


def test_pillow_sees_the_picture():
    picture = smooth(70, 90)
    image = Image.open(BytesIO(webp.encode(picture, 88))).convert("RGB")
    assert image.size == (90, 70)
    assert np.abs(np.asarray(image).astype(int) - picture[..., 2::-1]).mean() < 3


@given(st.integers(16, 60), st.integers(16, 60), st.integers(60, 100))
def test_we_see_what_we_wrote(height, width, quality):
    picture = smooth(height, width)
    decoded = webp.decode(webp.encode(picture, quality), width, height)
    assert decoded.shape == picture.shape and not decoded[..., 3].any()
    assert np.abs(decoded.astype(int) - picture).mean() < 12


def test_without_loss():
    picture = smooth(31, 17)
    assert (webp.decode(saved(picture, lossless=True), 17, 31) == picture).all()


def test_a_lower_quality_is_smaller_and_a_part_is_like_its_copy():
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 4), np.uint8)
    assert len(webp.encode(noise, 5)) < len(webp.encode(noise, 88))
    part = noise[3:40, 5:50]
    assert webp.encode(part, 42) == webp.encode(part.copy(), 42)


def test_refusals():
    picture = smooth(40, 50)
    good = webp.encode(picture, 42)
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    for data, width, height, reason in [
        (good, 40, 50, "for 40 x 50"),
        (good[:60], 50, 40, "WebP data"),
        (b"", 1, 1, "no WebP"),
        (out.getvalue(), 8, 8, "VP8X"),
    ]:
        with pytest.raises(ProtocolError, match=reason):
            webp.decode(data, width, height)


def test_a_size_beyond_reason_is_refused_before_it_is_decoded():
    good = bytearray(webp.encode(smooth(16, 16), 42))
    good[26:30] = b"\xff\x3f\xff\x3f"
    with pytest.raises(ProtocolError, match="too large"):
        webp.decode(bytes(good), 16383, 16383)


@given(st.binary(max_size=100), st.integers(0, 200), st.booleans())
def test_only_protocol_errors_leave_the_reader(noise, where, lossless):
    good = saved(smooth(16, 16), lossless=lossless)
    for data in (noise, good[:where] + noise, good[:where] + noise + good[where + len(noise):]):
        try:
            assert webp.decode(data, 16, 16).shape == (16, 16, 4)
        except ProtocolError:
            pass
