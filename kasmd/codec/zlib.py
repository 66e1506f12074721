"""Zlib (rfbproto, "Zlib Encoding"): the pixels of Raw in one zlib stream a connection."""

from __future__ import annotations

from kasmd.codec.base import Reading, check_area, read_many
from kasmd.codec.deflate import Inflater, ZlibStream, most_deflated
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import PixelFormat, Pixels, from_format, to_format


def encode(pixels: Pixels, fmt: PixelFormat, stream: ZlibStream) -> bytes:
    """Give the payload; it continues ``stream``, so it must be sent, and in order."""
    data = stream.compress(to_format(pixels, fmt))
    return len(data).to_bytes(4, "big") + data


def decode(width: int, height: int, fmt: PixelFormat, inflater: Inflater) -> Reading[Pixels]:
    """Read the payload; ``inflater`` is the connection's."""
    check_area(width, height)
    size = width * height * fmt.bytes_per_pixel
    length = int.from_bytes((yield 4), "big")
    if length > most_deflated(size):
        raise ProtocolError(f"{length} bytes of zlib for {width} x {height} pixels")
    data = yield from read_many(length)
    return from_format(inflater.inflate_exactly(data, size), fmt, height, width)
