"""JPEG as an encoding, against Pillow's pictures."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kasmd.codec import jpeg21
from kasmd.codec.base import complete
from kasmd.errors import ProtocolError


def noise(height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 0
    return pixels


def saved(pixels, **options):
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels[..., 2::-1])).save(
        out, "JPEG", quality=95, subsampling=0, **options
    )
    return out.getvalue()


@given(
    st.integers(1, 50), st.integers(1, 50), st.integers(80, 100),
    st.sampled_from(["444", "422", "420", "gray"]), st.integers(0, 99),
)
def test_a_picture_ends_where_its_markers_say(height, width, quality, subsampling, seed):
    data = jpeg21.encode(noise(height, width, seed), quality, subsampling)
    pixels, end = complete(jpeg21.JpegDecoder().decode(width, height), data + b"\xff\xd8next")
    assert end == len(data)
    expected = np.asarray(Image.open(BytesIO(data)).convert("RGB")).astype(int)
    assert np.abs(pixels[..., 2::-1] - expected).max() < 40


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_pictures_of_others(options):
    pixels = noise(33, 47)
    decoded, end = complete(jpeg21.JpegDecoder().decode(47, 33), saved(pixels, **options))
    assert end == len(saved(pixels, **options))
    assert np.abs(decoded.astype(int) - pixels).mean() < 9


def without_tables(data):
    """Leave out the quantization and Huffman tables."""
    at, kept = 2, [data[:2]]
    while data[at + 1] != 0xDA:
        size = 2 + int.from_bytes(data[at + 2:at + 4], "big")
        if data[at + 1] not in (0xDB, 0xC4):
            kept.append(data[at:at + size])
        at += size
    return b"".join(kept) + data[at:]


def test_tables_of_the_picture_before():
    decoder = jpeg21.JpegDecoder()
    full = saved(noise(20, 20))
    first, _ = complete(decoder.decode(20, 20), full)
    for _ in range(2):
        again, end = complete(decoder.decode(20, 20), without_tables(full))
        assert end == len(without_tables(full)) and (again == first).all()


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"PNG", "begins otherwise"),
        (b"\xff\xd8ab", "has a marker"),
        (b"\xff\xd8\xff\xe0\0\1", "segment of 1"),
        (b"\xff\xd8\xff\xd9", "JPEG data"),
        (without_tables(saved(noise(8, 8))), "JPEG data"),
    ],
)
def test_refusals(data, reason):
    with pytest.raises(ProtocolError, match=reason):
        complete(jpeg21.JpegDecoder().decode(8, 8), data)


def test_a_size_beyond_reason_is_refused():
    with pytest.raises(ProtocolError, match="too large"):
        complete(jpeg21.JpegDecoder().decode(0xFFFF, 0xFFFF), b"\xff\xd8")


def test_an_endless_scan_is_refused():
    reading = jpeg21.JpegDecoder().decode(8, 8)
    answers = iter([b"\xff\xd8", b"\xff\xda", b"\0\2", b""])
    next(reading)
    for answer in answers:
        reading.send(answer)
    with pytest.raises(ProtocolError, match="more than"):
        for _ in range(jpeg21.MAX_LENGTH):
            reading.send(b"ab")


@given(st.binary(max_size=200), st.integers(0, 700))
def test_only_protocol_errors_leave_the_decoder(noise_bytes, where):
    good = jpeg21.encode(noise(16, 16), 50, "420")
    for data in (noise_bytes, good[:where] + noise_bytes + good[where:]):
        try:
            pixels, _ = complete(jpeg21.JpegDecoder().decode(16, 16), data)
        except ProtocolError:
            continue
        assert pixels.shape == (16, 16, 4)
