"""Raw (RFC 6143 section 7.7.1): the pixels, row by row."""

from __future__ import annotations

from kasmd.codec.base import Reading, check_area, read_many
from kasmd.screen.pixels import PixelFormat, Pixels, from_format, to_format


def encode(pixels: Pixels, fmt: PixelFormat) -> bytes:
    """Give the payload."""
    return to_format(pixels, fmt)


def decode(width: int, height: int, fmt: PixelFormat) -> Reading[Pixels]:
    """Read the payload."""
    check_area(width, height)
    data = yield from read_many(width * height * fmt.bytes_per_pixel)
    return from_format(data, fmt, height, width)
