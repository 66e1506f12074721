"""The measuring viewer decodes what an encoder, written apart from it, made."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Generator

import numpy
import pytest
from PIL import Image

from bench.tight import Decoder, Picture, Tight


def decode(tight: Tight, data: bytes, width: int, height: int) -> Picture:
    """Decode one rectangle, which must be exactly ``data`` long."""
    reader: Generator[int, bytes, Decoder] = tight.read(width, height)
    source = io.BytesIO(data)
    try:
        wanted = next(reader)
        while True:
            block = source.read(wanted)
            assert len(block) == wanted
            wanted = reader.send(block)
    except StopIteration as end:
        assert source.read() == b""
        decoder: Decoder = end.value
        return decoder()


def compact(size: int) -> bytes:
    """Write a length, seven bits first."""
    if size < 0x80:
        return bytes([size])
    if size < 0x4000:
        return bytes([size & 0x7F | 0x80, size >> 7])
    return bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14])


def noise(width: int, height: int) -> Picture:
    """Make pixels that do not compress."""
    return numpy.random.default_rng(1).integers(0, 256, (height, width, 3), numpy.uint8)


def test_fill() -> None:
    shown = decode(Tight(), b"\x80\x01\x02\x03", 3, 2)
    assert shown.tolist() == [[[1, 2, 3]] * 3] * 2


@pytest.mark.parametrize("size", [(8, 8), (40, 40), (100, 120)])
def test_copy_filter_with_each_length_of_length(size: tuple[int, int]) -> None:
    pixels = noise(*size)
    packed = zlib.compress(pixels.tobytes())
    shown = decode(Tight(), b"\x10" + compact(len(packed)) + packed, *size)
    assert numpy.array_equal(shown, pixels)


def test_data_below_twelve_bytes_is_plain() -> None:
    assert decode(Tight(), b"\x00ABCDEFGHI", 3, 1).tobytes() == b"ABCDEFGHI"


def test_two_colours_take_a_bit_each_and_rows_end_on_bytes() -> None:
    palette = b"\0\0\0\xff\xff\xff"
    shown = decode(Tight(), b"\x40\x01\x01" + palette + b"\x80\x40\x01\x00", 9, 2)
    white = [tuple(place) for place in numpy.argwhere(shown[..., 0] == 255).tolist()]
    assert white == [(0, 0), (1, 7)]


def test_more_colours_take_a_byte_each() -> None:
    palette = bytes(range(9))
    shown = decode(Tight(), b"\x40\x01\x02" + palette + b"\0\2\1", 3, 1)
    assert shown.tobytes() == b"\0\1\2\6\7\x08\3\4\5"


def test_a_stream_runs_on_until_it_is_reset() -> None:
    tight, pixels = Tight(), noise(4, 4)
    stream = zlib.compressobj()
    for control in (b"\x00", b"\x00", b"\x01"):
        if control == b"\x01":
            stream = zlib.compressobj()
        packed = stream.compress(pixels.tobytes()) + stream.flush(zlib.Z_SYNC_FLUSH)
        data = control + compact(len(packed)) + packed
        assert numpy.array_equal(decode(tight, data, 4, 4), pixels)


def test_jpeg() -> None:
    file = io.BytesIO()
    Image.new("RGB", (16, 8), (200, 100, 50)).save(file, "JPEG", quality=95)
    packed = file.getvalue()
    shown = decode(Tight(), b"\x90" + compact(len(packed)) + packed, 16, 8)
    assert shown.shape == (8, 16, 3)
    assert abs(shown.astype(int) - (200, 100, 50)).max() < 6


def test_an_unknown_control_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="0xf0"):
        decode(Tight(), struct.pack("B", 0xF0), 1, 1)
